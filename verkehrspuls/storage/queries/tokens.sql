-- Tokens, and requests that may come twice.

-- name: put_token
-- Make a token for a municipality, or for readings of one of its sensors, or for the whole
-- installation; nothing where there is none of that key.
insert into api_token (
    prefix, sha256, municipality_id, sensor_id, account_id, permissions, name, expires_at)
select %(prefix)s, %(sha256)s, m.municipality_id, e.sensor_id, %(account_id)s,
       %(permissions)s::text[], %(name)s, %(expires_at)s
from (select) as one
left join municipality m on m.key = %(municipality)s and m.removed_at is null
left join sensor e on e.municipality_id = m.municipality_id and e.key = %(sensor)s
    and e.removed_at is null
where (%(municipality)s::text is null or m.municipality_id is not null)
  and (%(sensor)s::text is null or e.sensor_id is not null)
returning api_token_id;

-- name: list_tokens
-- All tokens, those that are not valid any more too.
select t.api_token_id, t.prefix, m.key as municipality, m.name as town,
       e.key as sensor, t.permissions, t.name, t.account_id, a.email as owner, t.created_at, t.expires_at,
       t.last_used_at, t.revoked_at,
       case when t.revoked_at is not null then 'revoked'
            when t.expires_at <= now() then 'expired'
            else 'valid' end as state
from vp.api_token t
left join municipality m using (municipality_id)
left join sensor e on e.sensor_id = t.sensor_id
left join vp.account a using (account_id)
where %(municipality)s::text is null or m.key = %(municipality)s
order by m.key, e.key, t.created_at;

-- name: revoke_token
-- Let a token end at once.
update vp.api_token set revoked_at = coalesce(revoked_at, now())
where prefix = %(prefix)s
returning prefix;

-- name: revoke_tokens
-- Let all tokens of a person end at once.
update vp.api_token set revoked_at = now()
where account_id = %(account_id)s and revoked_at is null;

-- name: find_token
select * from shown.token();

-- name: note_token_use
select shown.note_token_use();

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
