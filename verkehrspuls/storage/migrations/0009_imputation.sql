-- What nobody counted: hours that were imputed, and intervals that are to come. Neither
-- is ever in vp.volume.

create table vp.imputed_hour (
    channel_id integer not null references vp.channel,
    time timestamptz not null,
    -- of the whole hour
    volume real not null check (volume >= 0),
    -- nine of ten lie between them
    low real not null,
    high real not null,
    method text not null,
    -- hours of the gap that it lies in: a gap that grew is imputed anew
    gap_h integer not null check (gap_h > 0),
    made_at timestamptz not null,
    primary key (channel_id, time)
);
create index on vp.imputed_hour (time);
comment on table vp.imputed_hour is
    'Hours at which a sensor was attached and too little was counted, estimated.';

create table vp.forecast (
    channel_id integer not null references vp.channel,
    interval_s integer not null check (interval_s in (900, 3600)),
    -- from made_at to the end of the interval
    lead_s integer not null check (lead_s >= interval_s),
    time timestamptz not null,
    -- nothing that began later was known
    made_at timestamptz not null,
    volume real not null check (volume >= 0),
    low real not null,
    high real not null,
    method text not null,
    primary key (channel_id, interval_s, lead_s, time)
);
create index on vp.forecast (made_at);
comment on table vp.forecast is
    'Forecasts: those of the newest run, and of three leads those before it.';
