-- Credentials of sensors at the broker.

-- name: ask_credentials
-- Ask for a credential for each of some sensors; those that are unknown are missing.
insert into vp.credential (sensor_id, public_key)
select s.sensor_id, %(public_key)s
from unnest(%(sensors)s::text[]) with ordinality as a(name, place)
join municipality m on m.key = split_part(a.name, '/', 1) and m.removed_at is null
join sensor s on s.municipality_id = m.municipality_id
    and s.key = split_part(a.name, '/', 2) and s.removed_at is null
order by a.place
returning credential_id, user_name;

-- name: ask_gateway_credential
insert into vp.credential (user_name, topics, public_key)
values (%(user)s, %(topics)s::text[], %(public_key)s)
on conflict do nothing
returning credential_id, user_name;

-- name: adopt_credential
-- A credential that the broker has already, of an earlier version.
insert into vp.credential (sensor_id, user_name, topics, applied_at)
select s.sensor_id, %(user)s, case when s.sensor_id is null then %(topics)s::text[] else '{}' end, now()
from (select) as one
left join municipality m on m.key = split_part(%(user)s, '/', 1) and m.removed_at is null
left join sensor s on s.municipality_id = m.municipality_id
    and s.key = split_part(%(user)s, '/', 2) and s.removed_at is null
where s.sensor_id is not null or %(topics)s::text[] <> '{}'
on conflict do nothing
returning credential_id, user_name;

-- name: forget_credential
delete from credential where credential_id = %(credential)s;

-- name: answered_credentials
-- Those of the asked that the broker has, with the sealed passwords.
select credential_id, user_name, sealed, topics
from vp.credential
where credential_id = any(%(credentials)s) and sealed is not null;

-- name: collect_credentials
-- Forget the sealed passwords: whoever asked has them.
update vp.credential set sealed = null, public_key = null
where credential_id = any(%(credentials)s);

-- name: withdraw_credentials
-- End what nobody has the password of.
update vp.credential set revoked_at = now(), sealed = null, public_key = null
where credential_id = any(%(credentials)s) and revoked_at is null;

-- name: end_older_credentials
-- Let credentials of the same sensor or gateway that are older than another one end.
update vp.credential o set expires_at = least(o.expires_at, %(at)s)
from vp.credential n
where n.credential_id = %(credential_id)s and o.credential_id < n.credential_id
  and o.sensor_id = n.sensor_id and o.revoked_at is null
  and (o.expires_at is null or o.expires_at > now())
returning o.user_name;

-- name: revoke_credentials
-- Revoke all credentials of a sensor or gateway, or the one with a user name.
update vp.credential c set revoked_at = now(), sealed = null
where c.revoked_at is null and c.removed_at is null
  and (c.user_name = %(name)s
       or c.sensor_id = (
           select s.sensor_id from sensor s join municipality m using (municipality_id)
           where m.key || '/' || s.key = %(name)s and s.removed_at is null))
returning c.user_name;

-- name: list_credentials
-- Credentials that a broker has or is to have, and those that ended lately.
select c.credential_id, c.user_name, m.key as municipality, s.key as sensor,
       c.topics, c.issued_at, c.issued_by, c.applied_at, c.expires_at, c.revoked_at,
       c.removed_at,
       case when c.revoked_at is not null then 'revoked'
            when c.expires_at <= now() then 'expired'
            when c.applied_at is null then 'due'
            when c.expires_at is not null then 'ending'
            else 'valid' end as state
from vp.credential c
left join municipality m on m.municipality_id = c.municipality_id
left join sensor s on s.sensor_id = c.sensor_id
where (%(municipality)s::text is null or m.key = %(municipality)s)
  and (%(sensor)s::text is null or s.key = %(sensor)s)
  and (c.removed_at is null or c.removed_at > now() - interval '30 days')
order by c.user_name, c.credential_id;

-- name: lock_credentials
-- One at a time brings the broker to the registry; for the transaction.
select pg_advisory_xact_lock(hashtext('credentials at the broker'));

-- name: credentials_at_broker
-- What the broker is to have, and what it is to be rid of.
select c.credential_id, c.user_name, c.hash, c.public_key, c.topics,
       m.key as municipality, s.key as sensor, s.sensor_id,
       c.applied_at is null as due,
       c.revoked_at is not null or coalesce(c.expires_at <= now(), false)
           or s.removed_at is not null or m.removed_at is not null as ended
from credential c
left join sensor s using (sensor_id)
left join municipality m on m.municipality_id = s.municipality_id
where c.removed_at is null
order by c.credential_id;

-- name: topics_of_sensors
-- Foreign topics, those that were registered first before others.
select m.key as municipality, s.sensor_id, s.topic
from sensor s join municipality m using (municipality_id)
where s.topic is not null and s.removed_at is null and m.removed_at is null
order by s.sensor_id;

-- name: applied_credentials
update credential c
set applied_at = coalesce(c.applied_at, now()),
    hash = coalesce(a.hash, c.hash), sealed = coalesce(decode(a.sealed, 'base64'), c.sealed)
from jsonb_to_recordset(%(rows)s::jsonb)
    as a(credential_id integer, hash text, sealed text)
where c.credential_id = a.credential_id;

-- name: removed_credentials
update credential set removed_at = now() where credential_id = any(%(credentials)s);

-- name: forget_sealed_credentials
-- Nobody waits any more for passwords that were not collected in an hour.
update credential set sealed = null
where sealed is not null and applied_at < now() - interval '1 hour';

-- name: credentials_are_due
-- Whether the broker is to be told of a credential, or of the end of one.
select exists (
    select from credential
    where removed_at is null
      and (applied_at is null or revoked_at is not null or expires_at <= now())) as due;
