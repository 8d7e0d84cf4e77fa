-- Corridors and junctions: which sites belong together.

create table vp.corridor (
    corridor_id integer generated always as identity primary key,
    municipality_id integer not null references vp.municipality,
    key vp.key not null,
    name text not null,
    unique (municipality_id, key)
);
comment on table vp.corridor is
    'Strecke: one direction of travel along a road; the way back is another corridor.';

create table vp.corridor_station (
    corridor_id integer not null references vp.corridor on delete cascade,
    -- from 0, in the order in which they are passed
    station smallint not null check (station >= 0),
    site_id integer not null references vp.site,
    direction text not null,
    -- rises in the direction of travel
    chainage_m double precision not null,
    primary key (corridor_id, station)
);

create table vp.junction (
    junction_id integer generated always as identity primary key,
    municipality_id integer not null references vp.municipality,
    key vp.key not null,
    name text not null,
    unique (municipality_id, key)
);
comment on table vp.junction is 'Knoten: where all ways in and out are counted.';

create table vp.junction_arm (
    junction_id integer not null references vp.junction on delete cascade,
    site_id integer not null references vp.site,
    direction text not null,
    leads text not null check (leads in ('in', 'out')),
    primary key (junction_id, site_id, direction, leads)
);
