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

-- Local days of sites whose health has to be judged anew. Marked and claimed only under
-- the lock of the site, so that no mark comes while the day is judged.
create table vp.stale_day (
    site_id integer not null references vp.site,
    day date not null,
    primary key (site_id, day)
);
