-- Whether a municipality's data is made up, and who answers for it.

alter table vp.municipality
    add column simulated boolean not null default false,
    add column imprint text not null default '',
    add column privacy text not null default '',
    add column contact text not null default '';
comment on column vp.municipality.simulated is
    'Its data comes from simulated sensors: every page and export says so.';
comment on column vp.municipality.imprint is
    'Address (http, https or mailto) of its imprint; empty where none is registered.';
comment on column vp.municipality.privacy is
    'Address of its privacy notice; empty where none is registered.';
comment on column vp.municipality.contact is
    'Address of whom to ask; empty where none is registered.';

-- the towns that come with the program have said so in their licence
update vp.municipality set simulated = true where licence like '%simulierte Werte';

-- A name of blanks, or of characters that show nothing, is the key from now on.
create function vp.shows_something(text) returns boolean
language sql immutable strict parallel safe
as $$
    select $1 ~ '[^\s\u00a0\u00ad\u115f\u1160\u1680\u2000-\u200f\u202f\u205f-\u2064\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]'
$$;
update vp.municipality set name = key where not vp.shows_something(name);
update vp.site set name = key where not vp.shows_something(name);
update vp.channel set name = key where not vp.shows_something(name);
update vp.sensor set name = key where not vp.shows_something(name);
update vp.corridor set name = key where not vp.shows_something(name);
update vp.junction set name = key where not vp.shows_something(name);
update vp.local_event set name = first::text where not vp.shows_something(name);
alter domain vp.name add constraint name_shows_something
    check (vp.shows_something(value));
