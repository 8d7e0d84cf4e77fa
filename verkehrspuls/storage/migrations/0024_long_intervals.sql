-- What lasted longer than an hour: daily totals of counters, daily means of stations.
--
-- They are told by days only, and kept beside the hours, so that whoever reads hours
-- finds hours. They are few: ordinary tables do.

create table vp.long_volume (
    channel_id integer not null references vp.channel,
    -- when the interval began, and how long it lasted
    time timestamptz not null,
    interval_s integer not null check (interval_s > 3600),
    -- what was counted: sum of the classes of the channel's quantity
    volume integer not null,
    total integer,
    unclassified integer,
    motorcycle integer,
    car integer,
    van integer,
    car_trailer integer,
    truck integer,
    truck_trailer integer,
    articulated integer,
    bus integer,
    bicycle integer,
    pedestrian integer,
    speed_kmh real,
    primary key (channel_id, time)
);
comment on table vp.long_volume is
    'Counts over intervals of more than an hour, of which local days are made.';

create table vp.long_environment (
    channel_id integer not null references vp.channel,
    time timestamptz not null,
    interval_s integer not null check (interval_s > 3600),
    value double precision not null,
    primary key (channel_id, time)
);
comment on table vp.long_environment is
    'Environment values over intervals of more than an hour, such as daily means.';
