-- The calendar of municipalities, and how complete volumes and days are.

-- School holidays that were imported. Of a state that has none here, those that come
-- with the program apply (school_holidays.csv).
create table vp.school_holiday (
    state text not null,
    name text not null,
    first date not null,
    last date not null,
    source text not null,
    check (first <= last),
    constraint school_holiday_once
        exclude using gist (state with =, daterange(first, last, '[]') with &&)
);
comment on table vp.school_holiday is 'Schulferien: local days, both included.';

-- What takes place in a municipality, or at one of its sites.
create table vp.local_event (
    local_event_id integer generated always as identity primary key,
    municipality_id integer not null references vp.municipality,
    site_id integer references vp.site,
    name text not null check (name <> ''),
    first date not null,
    last date not null,
    note text not null default '',
    check (first <= last),
    unique nulls not distinct (municipality_id, site_id, name, first)
);
comment on table vp.local_event is
    'Markets, closures and the like: local days, both included.';

-- The longest time of a bin without readings, and whether the bin is a valid one; null
-- where a volume was computed before this revision.
alter table vp.volume
    add column gap_s integer,
    add column valid boolean;

-- The share of a day at which sensors were attached, and the volume with what was
-- normalised and imputed. What was not observed at all has no volume.
alter table vp.daily_figure
    add column expected real check (expected between 0 and 1),
    add column volume_estimated real,
    alter column volume drop not null,
    alter column volume_normalised drop not null;
