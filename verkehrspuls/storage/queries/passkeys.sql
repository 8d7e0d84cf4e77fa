-- Passkeys. See 0038_passkeys.sql.

-- name: put_passkey_challenge
select shown.put_passkey_challenge(%(challenge)s);

-- name: new_passkey
select * from shown.new_passkey();

-- name: answer_new_passkey
select shown.answer_new_passkey(%(challenge)s) as is_fresh;

-- name: add_passkey
select shown.add_passkey(
    %(credential)s, %(public_key)s, %(count)s, %(name)s, %(sha256)s) as added;

-- name: answer_passkey
select * from shown.answer_passkey(%(challenge)s, %(credential)s);

-- name: log_in_by_passkey
select * from shown.log_in_by_passkey(%(credential)s, %(count)s, {{> new_session}});

-- name: pass_passkey
select shown.pass_passkey(%(credential)s, %(count)s, %(sha256)s) as passed;

-- name: refuse_passkey
select shown.refuse_passkey(%(credential)s, %(reason)s);

-- name: list_passkeys
select p.passkey_id, p.name, p.created_at, p.last_used_at
from passkey p
where p.account_id = %(account_id)s
order by p.created_at, p.passkey_id;

-- name: rename_passkey
update passkey p set name = %(name)s where p.passkey_id = %(passkey_id)s;

-- name: remove_passkey
select shown.remove_passkey(%(passkey_id)s, %(strict_roles)s::text[]) as removed;
