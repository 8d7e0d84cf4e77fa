-- What analytics computes from readings: replaced as a whole whenever an hour is stale.

-- Counts of a channel per clock-aligned interval: 900 s and 3600 s.
create table vp.volume (
    channel_id integer not null,
    interval_s integer not null check (interval_s in (900, 3600)),
    time timestamptz not null,
    -- seconds of the interval that readings cover
    observed_s integer not null check (observed_s between 0 and interval_s),
    -- what was counted, not scaled up: sum of the classes of the channel's quantity
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
    -- mean of spot speeds, weighted by counts (time mean)
    speed_kmh real,
    -- what is usual for the hour (3600 s only), from the eight weeks before it
    usual real,
    usual_spread real,
    primary key (channel_id, interval_s, time)
);

create table vp.environment_hour (
    channel_id integer not null,
    time timestamptz not null,
    observed_s integer not null,
    mean double precision not null,
    minimum double precision not null,
    maximum double precision not null,
    primary key (channel_id, time)
);

select vp.make_series('volume', 'time');
select vp.make_series('environment_hour', 'time');

-- Local days of a site, per direction; direction 'all' is the cross-section.
create table vp.daily_figure (
    site_id integer not null references vp.site,
    quantity text not null,
    direction text not null,
    day date not null,
    -- what was counted, not scaled up
    volume integer not null,
    -- the volume with partly observed hours scaled to whole ones
    volume_normalised real not null,
    heavy integer,
    speed_kmh real,
    peak_hour timestamptz,
    peak_volume integer,
    -- the passport: shares of the local day (23, 24 or 25 hours) and of all channels
    observed real not null check (observed between 0 and 1),
    normalised real not null check (normalised between 0 and 1),
    imputed real not null check (imputed between 0 and 1),
    excluded real not null check (excluded between 0 and 1),
    valid boolean not null,
    method text not null,
    primary key (site_id, quantity, direction, day)
);

-- Something unusual or broken: opened, updated and withdrawn by detectors, decided by
-- persons. Detectors never touch a case that a person decided.
create table vp.anomaly_case (
    anomaly_case_id bigint generated always as identity primary key,
    site_id integer not null references vp.site,
    channel_id integer not null references vp.channel,
    detector text not null,
    began timestamptz not null,
    ended timestamptz not null,
    -- evidence: what was observed and what is usual over the case, and how unlikely
    observed real,
    usual real,
    score real not null,
    reason text not null,
    state text not null default 'suspected'
        check (state in ('suspected', 'confirmed', 'explained', 'rejected')),
    effect text not null default 'caveat'
        check (effect in ('exclude', 'caveat', 'keep')),
    opened_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    withdrawn_at timestamptz,
    unique (channel_id, detector, began),
    check (began < ended)
);
create index on vp.anomaly_case (site_id, began);
