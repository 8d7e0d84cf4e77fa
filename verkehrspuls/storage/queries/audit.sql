-- The audit log.

-- name: note_audit
-- Append an entry when the transaction commits.
select vp.note_audit(%(action)s, %(key)s, %(municipality)s, %(before)s::jsonb,
                     %(after)s::jsonb);

-- name: find_audit
-- Entries, the newest first. Null selects all; `actor` is a part of the name, `action` a
-- noun or a noun and verb, `key` is one or begins one, and an empty `municipality` is the
-- whole installation.
select number, at, actor_kind, actor, actor_id, origin, via, action, key, municipality,
       before, after, encode(previous, 'hex') as previous, encode(hash, 'hex') as hash
from audit
where (%(number)s::bigint is null or number = %(number)s)
  and (%(start)s::timestamptz is null or at >= %(start)s)
  and (%(end)s::timestamptz is null or at < %(end)s)
  and (%(actor)s::text is null or strpos(lower(actor), lower(%(actor)s)) > 0)
  and (%(action)s::text is null or action = %(action)s
       or split_part(action, '.', 1) = %(action)s)
  and (%(municipality)s::text is null or municipality = %(municipality)s
       or %(municipality)s = '' and municipality is null)
  and (%(key)s::text is null or key = %(key)s or starts_with(key, %(key)s || '/'))
  and (%(below)s::bigint is null or number < %(below)s)
order by number desc
limit %(limit)s;

-- name: chain_of_audit
-- All entries as they are hashed, in their order.
select number, to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, actor_kind, actor,
       actor_id, origin, via, action, key, municipality, before::text as before,
       after::text as after, encode(previous, 'hex') as previous,
       encode(hash, 'hex') as hash
from audit
order by number;

-- name: forget_audit
-- Forget entries that are older; returns how many.
select vp.forget_audit(%(days)s) as entries;
