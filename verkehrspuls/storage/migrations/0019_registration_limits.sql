-- What no page, figure or terminal can show is not registered, whoever writes it. What
-- an older release took is mended here, and the town's notice says what it was.

alter table vp.municipality add column notice text not null default '';
comment on column vp.municipality.notice is
    'What was mended in its registration; empty again once it is registered anew.';

create table vp.time_zone (name text primary key);
comment on table vp.time_zone is
    'Time zones that the database, Python and Polars know alike.';
insert into vp.time_zone (name)
select name from pg_timezone_names
where name ~ '^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$' and name <> 'Factory';

update vp.municipality m
set notice = format('Its time zone was %s, which is not known: it is Europe/Berlin now.',
                    quote_literal(left(time_zone, 64))),
    time_zone = 'Europe/Berlin'
where not exists (select from vp.time_zone z where z.name = m.time_zone);
alter table vp.municipality
    add constraint municipality_time_zone_known
        foreign key (time_zone) references vp.time_zone;

-- A control character, or one that turns the direction of text or ends a line.
create function vp.without_controls(text) returns text
language sql immutable strict parallel safe
as $$
    select regexp_replace(
        $1, '[\u0001-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]', '�', 'g')
$$;
create domain vp.words as text
    check (length(value) <= 1000 and value = vp.without_controls(value));
create domain vp.name as text
    check (value ~ '\S' and length(value) <= 200 and value = vp.without_controls(value));

create function vp.as_words(text) returns text
language sql immutable parallel safe
as $$ select left(vp.without_controls(coalesce($1, '')), 1000) $$;
create function vp.as_name(text, key text) returns text
language sql immutable parallel safe
as $$
    select case when left(vp.as_words($1), 200) ~ '\S'
                then btrim(left(vp.as_words($1), 200)) else key end
$$;

alter table vp.municipality
    alter column name type vp.name using vp.as_name(name, key),
    alter column licence drop default,
    alter column licence type vp.words using vp.as_words(licence),
    alter column licence set default '';
alter table vp.site
    alter column name type vp.name using vp.as_name(name, key),
    alter column road drop default,
    alter column road type vp.words using vp.as_words(road),
    alter column road set default '',
    alter column place drop default,
    alter column place type vp.words using vp.as_words(place),
    alter column place set default '';
alter table vp.channel
    alter column name type vp.name using vp.as_name(name, key),
    alter column direction_name drop default,
    alter column direction_name type vp.words using vp.as_words(direction_name),
    alter column direction_name set default '';
alter table vp.sensor
    alter column name type vp.name using vp.as_name(name, key),
    alter column model drop default,
    alter column model type vp.words using vp.as_words(model),
    alter column model set default '';
alter table vp.corridor alter column name type vp.name using vp.as_name(name, key);
alter table vp.junction alter column name type vp.name using vp.as_name(name, key);
alter table vp.local_event
    alter column name type vp.name using vp.as_name(name, first::text),
    alter column note drop default,
    alter column note type vp.words using vp.as_words(note),
    alter column note set default '';

drop function vp.as_name, vp.as_words;

-- What a worker could not compute, site or municipality, tried again every 10 minutes.
create table vp.set_aside (
    municipality_id integer not null references vp.municipality,
    site_id integer references vp.site,
    at timestamptz not null,
    reason text not null,
    unique nulls not distinct (municipality_id, site_id)
);
comment on table vp.set_aside is
    'Sites, or judging of a municipality, that a worker left alone since it failed.';

-- Thresholds are numbers by name.
create function vp.are_numbers(jsonb) returns boolean
language sql immutable strict parallel safe
as $$
    select jsonb_typeof($1) = 'object'
       and not jsonb_path_exists($1, '$.* ? (@.type() != "number")')
$$;
update vp.channel set thresholds = '{}' where not vp.are_numbers(thresholds);
alter table vp.channel
    add constraint channel_thresholds_are_numbers check (vp.are_numbers(thresholds));
