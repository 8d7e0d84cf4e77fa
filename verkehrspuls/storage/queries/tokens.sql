-- Tokens for sending readings or deciding cases over HTTP, and requests that may come twice.

-- name: put_token
-- Make a token for a municipality, or for one of its sensors; nothing where there is
-- none of that key.
insert into api_token (
    prefix, sha256, municipality_id, sensor_id, purpose, note, expires_at)
select %(prefix)s, %(sha256)s, m.municipality_id, e.sensor_id, %(purpose)s, %(note)s,
       %(expires_at)s
from municipality m
left join sensor e on e.municipality_id = m.municipality_id and e.key = %(sensor)s
    and e.removed_at is null
where m.key = %(municipality)s and m.removed_at is null
  and (%(sensor)s::text is null or e.sensor_id is not null)
returning api_token_id;

-- name: list_tokens
-- All tokens, those that are not valid any more too.
select t.prefix, m.key as municipality, e.key as sensor, t.purpose, t.note, t.created_at,
       t.expires_at, t.last_used_at, t.revoked_at,
       case when t.revoked_at is not null then 'revoked'
            when t.expires_at <= now() then 'expired'
            else 'valid' end as state
from vp.api_token t
join municipality m using (municipality_id)
left join sensor e on e.sensor_id = t.sensor_id
where %(municipality)s::text is null or m.key = %(municipality)s
order by m.key, e.key, t.created_at;

-- name: revoke_token
-- Let a token end at once.
update vp.api_token set revoked_at = coalesce(revoked_at, now())
where prefix = %(prefix)s
returning prefix;

-- name: find_token
-- A token that is valid for something now, by its prefix.
select t.api_token_id, t.sha256, m.key as municipality, e.key as sensor, t.note
from vp.api_token t
join municipality m using (municipality_id)
left join sensor e on e.sensor_id = t.sensor_id
where t.prefix = %(prefix)s and t.purpose = %(purpose)s and t.revoked_at is null
  and (t.expires_at is null or t.expires_at > now());

-- name: note_token_use
-- When a token was used; not more often than once a minute.
update vp.api_token set last_used_at = now()
where api_token_id = %(api_token_id)s
  and (last_used_at is null
       or last_used_at not between now() - interval '1 minute' and now());

-- name: begin_request
-- Take a request that names a key: nothing comes back where another has it. One that
-- did not end within a minute was killed, and may be taken over.
insert into vp.idempotent_request as r (api_token_id, key, sha256)
values (%(api_token_id)s, %(key)s, %(sha256)s)
on conflict (api_token_id, key) do update set received_at = now()
where r.answer is null and r.sha256 = excluded.sha256
  and r.received_at not between now() - interval '1 minute' and now()
returning key;

-- name: find_request
-- The request that has a key.
select sha256, answer from vp.idempotent_request
where api_token_id = %(api_token_id)s and key = %(key)s;

-- name: end_request
-- Remember the answer.
update vp.idempotent_request set answer = %(answer)s::jsonb
where api_token_id = %(api_token_id)s and key = %(key)s;

-- name: drop_request
-- Forget a request that had no effect, so that it may be tried again.
delete from vp.idempotent_request
where api_token_id = %(api_token_id)s and key = %(key)s and answer is null;

-- name: drop_old_requests
-- Forget answers after a day, and those of a clock that was ahead.
delete from vp.idempotent_request
where received_at not between now() - interval '1 day' and now() + interval '1 hour';
