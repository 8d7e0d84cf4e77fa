-- Speed histograms of a channel's hours, merged from its readings on a common grid:
-- bins of 5 km/h from 0 to 250, and one for what is above. Only hours with histograms
-- have a row.
create table vp.speed_histogram (
    channel_id integer not null,
    time timestamptz not null,
    -- seconds of the hour that readings with a histogram cover
    observed_s integer not null check (observed_s between 0 and 3600),
    -- vehicles by bin
    counts integer[] not null check (cardinality(counts) = 51),
    -- where the lowest open last bin of a device begins, if vehicles were in it
    open_kmh real,
    -- vehicles from histograms whose bins did not fit the grid, and those left out
    -- because their bins were too wide
    rebinned integer not null,
    refused integer not null,
    primary key (channel_id, time)
);
select vp.make_series('speed_histogram', 'time');
