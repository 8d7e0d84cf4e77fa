-- The registry: municipalities, their sites and channels, sensors and installations.

create domain vp.key as text check (value ~ '^[a-z0-9-]{1,64}$');

create table vp.municipality (
    municipality_id integer generated always as identity primary key,
    key vp.key not null unique,
    name text not null,
    state text not null,
    time_zone text not null,
    licence text not null default '',
    latitude double precision check (latitude between -90 and 90),
    longitude double precision check (longitude between -180 and 180)
);
comment on table vp.municipality is 'Kommune: the tenant, with its calendar and licence.';

create table vp.site (
    site_id integer generated always as identity primary key,
    municipality_id integer not null references vp.municipality,
    key vp.key not null,
    name text not null,
    road text not null default '',
    place text not null default '',
    latitude double precision check (latitude between -90 and 90),
    longitude double precision check (longitude between -180 and 180),
    speed_limit_kmh smallint check (speed_limit_kmh between 5 and 200),
    visibility text not null default 'public'
        check (visibility in ('public', 'cluster', 'private')),
    status text not null default 'active'
        check (status in ('planned', 'active', 'retired')),
    since timestamptz not null default '-infinity',
    until timestamptz not null default 'infinity',
    unique (municipality_id, key),
    check (since < until),
    check ((latitude is null) = (longitude is null))
);
comment on table vp.site is 'Messstelle: a place where something is measured.';

create table vp.channel (
    channel_id integer generated always as identity primary key,
    site_id integer not null references vp.site,
    key vp.key not null,
    name text not null,
    quantity text not null,
    direction text not null default '' check (direction ~ '^[a-z0-9-]{0,64}$'),
    direction_name text not null default '',
    lane smallint,
    unique (site_id, key),
    check (direction <> 'all')
);
comment on table vp.channel is 'Messkanal: one stream measured at a site.';

create table vp.sensor (
    sensor_id integer generated always as identity primary key,
    municipality_id integer not null references vp.municipality,
    key vp.key not null,
    name text not null,
    model text not null default '',
    payload_format text not null default 'native',
    interval_s integer not null check (interval_s between 1 and 86400),
    class_scheme text,
    topic text check (length(topic) between 1 and 1024),
    profile jsonb not null default '{}',
    unique (municipality_id, key),
    check ((payload_format = 'native') = (topic is null))
);
comment on column vp.sensor.topic is
    'MQTT topic filter of a foreign format; a native sensor has the topic of its keys.';
comment on column vp.sensor.profile is
    'What a foreign format does not say: times, sentinels; see docs/reference/formats.md.';
comment on table vp.sensor is 'Sensor: a device, and what it can tell apart.';

create table vp.installation (
    installation_id integer generated always as identity primary key,
    sensor_id integer not null references vp.sensor,
    channel_id integer not null references vp.channel,
    output text not null check (length(output) between 1 and 64),
    period tstzrange not null check (not isempty(period)),
    mapping jsonb,
    constraint installation_output_once
        exclude using gist (sensor_id with =, output with =, period with &&),
    constraint installation_channel_once
        exclude using gist (channel_id with =, period with &&)
);
comment on column vp.installation.mapping is
    'From fields of a foreign payload to classes, or to a value and its unit.';
comment on table vp.installation is
    'A sensor''s output attached to a channel for a dated period.';

-- What a sensor last said of itself (topic `…/status`).
create table vp.sensor_status (
    sensor_id integer primary key references vp.sensor,
    state text not null check (state in ('online', 'offline')),
    since timestamptz not null,
    battery_pct real,
    firmware text
);
