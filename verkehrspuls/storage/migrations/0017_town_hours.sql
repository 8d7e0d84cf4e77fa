-- Hours of a municipality that were computed, until they are judged beside each other.

create table vp.stale_case_hour (
    municipality_id integer not null references vp.municipality,
    hour timestamptz not null,
    primary key (municipality_id, hour)
);
