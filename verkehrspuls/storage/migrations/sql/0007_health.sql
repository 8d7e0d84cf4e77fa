-- Detector health: the first test that a channel failed on a local day, or `good`.

create table vp.channel_health (
    channel_id integer not null references vp.channel,
    day date not null,
    verdict text not null,
    -- what the test measured, and where it fails; null where it is good
    value double precision,
    threshold double precision,
    -- the highest level at which all channels fail: broker, municipality, site, sensor,
    -- quantity, direction or channel
    level text,
    -- false while the day runs
    complete boolean not null,
    method text not null,
    judged_at timestamptz not null,
    primary key (channel_id, day)
);
create index on vp.channel_health (day);

-- Local days of sites whose health has to be judged anew. Append-only, like
-- stale_bucket: the same day may stand here twice.
create table vp.stale_day (
    site_id integer not null,
    day date not null
);
