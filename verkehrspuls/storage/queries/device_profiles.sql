-- Device profiles that a municipality keeps itself.

-- name: list_device_profiles
-- Those of a municipality, or the one of a key.
select p.key, p.document, p.saved_at, p.saved_by
from device_profile p
join municipality m using (municipality_id)
where m.key = %(municipality)s and (%(key)s::text is null or p.key = %(key)s)
order by p.key;

-- name: put_device_profile
-- Save one.
insert into vp.device_profile (municipality_id, key, document)
select m.municipality_id, %(key)s, %(document)s
from municipality m where m.key = %(municipality)s
on conflict (municipality_id, key) do update set document = excluded.document;

-- name: remove_device_profile
-- Remove one.
delete from vp.device_profile p
using municipality m
where m.municipality_id = p.municipality_id
  and m.key = %(municipality)s and p.key = %(key)s;
