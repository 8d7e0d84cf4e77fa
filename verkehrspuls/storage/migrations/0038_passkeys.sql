-- Passkeys (WebAuthn): a second factor beside the password, and a way to log in without
-- one. The web checks signatures; what it shows the database is the id of a passkey, which
-- is random, and which it reads of the person of a session only. See
-- docs/adr/0012-access.md.

-- A passkey counts as a second factor.
alter table vp.account
    add column passkeys integer not null default 0
        constraint number_of_passkeys check (passkeys between 0 and 20),
    drop column has_second_factor;
alter table vp.account
    add column has_second_factor boolean not null
        generated always as (totp_secret is not null or passkeys > 0) stored;
grant select (has_second_factor) on vp.account to vp_reader, vp_actor;

create table vp.passkey (
    passkey_id integer generated always as identity primary key,
    account_id integer not null references vp.account on delete cascade,
    -- as the authenticator made it
    credential_id bytea not null
        constraint passkey_known unique check (length(credential_id) between 16 and 1023),
    -- in COSE
    public_key bytea not null check (length(public_key) between 16 and 2000),
    -- of signatures; always 0 where the authenticator does not count
    sign_count bigint not null check (sign_count between 0 and 4294967295),
    name vp.name not null,
    created_at timestamptz not null default now(),
    last_used_at timestamptz
);
comment on table vp.passkey is 'Passkeys of people.';
create index on vp.passkey (account_id);

create function vp.count_passkeys() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    mine constant integer := coalesce(new.account_id, old.account_id);
begin
    -- one after the other
    perform from vp.account a where a.account_id = mine for update;
    update vp.account a
    set passkeys = (select count(*) from vp.passkey p where p.account_id = mine)
    where a.account_id = mine;
    return null;
end $$;
create trigger count_passkeys after insert or delete on vp.passkey
    for each row execute function vp.count_passkeys();

-- What is to be signed, once and soon. Nothing is lost with it, so it is not logged.
create unlogged table vp.passkey_challenge (
    challenge vp.digest primary key,
    -- NULL: for logging in
    session_id bigint references vp.session on delete cascade,
    made_at timestamptz not null default now()
);
comment on table vp.passkey_challenge is 'What passkeys are asked to sign now.';
create index on vp.passkey_challenge (made_at);
create index on vp.passkey_challenge (session_id);

-- By a clock that was ahead and went back it is not fresh.
create function vp.is_fresh(made_at timestamptz) returns boolean
language sql stable as $$
    select now() between made_at - interval '1 minute' and made_at + interval '10 minutes'
$$;

create function vp.own_session() returns vp.live_session
language sql stable as $$
    select s from vp.live_session s where s.sha256 = vp.credential()
$$;

-- By what authenticators tell accounts apart: it says nothing about the person.
create function vp.passkey_handle(account integer) returns bytea
language sql stable as $$
    select vp.subject_of('passkeys of ' || account)::bytea
$$;

-- Keep a challenge: of the own session, or for logging in where there is none.
create function shown.put_passkey_challenge(new_challenge bytea) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    delete from vp.passkey_challenge c
    where c.challenge in (
        select old.challenge from vp.passkey_challenge old
        where not vp.is_fresh(old.made_at)
        limit 1000 for update skip locked);
    insert into vp.passkey_challenge (challenge, session_id)
    values (new_challenge, (vp.own_session()).session_id);
end $$;

-- Use a challenge up; whether it is one, for this, and fresh.
create function vp.use_passkey_challenge(given bytea) returns boolean
language plpgsql as $$
declare
    made timestamptz;
begin
    delete from vp.passkey_challenge c
    where c.challenge = given
      and c.session_id is not distinct from (vp.own_session()).session_id
    returning c.made_at into made;
    return coalesce(vp.is_fresh(made), false);
end $$;

-- Whether the person of a session may add a passkey now. Before the second factor was
-- shown only where there is none.
create function vp.may_add_passkey(mine vp.live_session) returns boolean
language sql stable as $$
    select mine.is_complete and not mine.is_outdated
        or not (select a.has_second_factor from vp.account a
                where a.account_id = mine.account_id)
$$;

-- For whom a passkey is made; nobody where none may be added.
create function shown.new_passkey()
returns table (handle bytea, email text, name text, credential_ids bytea[])
language sql stable security definer set search_path = pg_catalog as $$
    select vp.passkey_handle(a.account_id), a.email, a.name,
           array(select p.credential_id from vp.passkey p
                 where p.account_id = a.account_id)
    from vp.own_session() mine
    join vp.account a using (account_id)
    where vp.may_add_passkey(mine)
$$;

-- The challenge of an answer is used up, whatever comes of it.
create function shown.answer_new_passkey(challenge bytea) returns boolean
language sql security definer set search_path = pg_catalog as $$
    select vp.use_passkey_challenge(challenge)
$$;

-- Add a passkey to the own account. A session that waits for a second factor, because one
-- is needed, is complete then, under another id. False: none may be added.
create function shown.add_passkey(
    credential bytea, key bytea, count bigint, of_name text, new_sha256 bytea)
returns boolean language plpgsql security definer set search_path = pg_catalog as $$
declare
    mine vp.live_session;
begin
    mine := vp.own_session();
    -- one after the other
    perform from vp.account a where a.account_id = mine.account_id for update;
    mine := vp.own_session();
    if not coalesce(vp.may_add_passkey(mine), false) then
        return false;
    end if;
    insert into vp.passkey (account_id, credential_id, public_key, sign_count, name)
    values (mine.account_id, credential, key, count, of_name);
    update vp.session s set sha256 = new_sha256, is_complete = true, seen_at = now()
    where s.session_id = mine.session_id;
    return true;
end $$;

-- An answer of a passkey: its challenge is used up, and it is told whose passkey it is.
create function shown.answer_passkey(challenge bytea, credential bytea)
returns table (is_fresh boolean, account_id integer, handle bytea, public_key bytea)
language sql security definer set search_path = pg_catalog as $$
    select used.is_fresh, p.account_id, vp.passkey_handle(p.account_id), p.public_key
    from (select vp.use_passkey_challenge(challenge) as is_fresh) used
    left join vp.passkey p on p.credential_id = credential
$$;

-- The account of a passkey that signed, once counted on. A count that does not grow is
-- that of a copy.
create function vp.count_passkey(credential bytea, count bigint) returns integer
language sql as $$
    update vp.passkey p set sign_count = count, last_used_at = now()
    where p.credential_id = credential
      and (p.sign_count < count or (p.sign_count = 0 and count = 0))
    returning p.account_id
$$;

-- Begin a session by a passkey that signed: possession and a person who was verified are
-- two factors. Nothing comes back for one that may not.
create function shown.log_in_by_passkey(
    credential bytea, count bigint, new vp.new_session)
returns table (is_complete boolean, has_second_factor boolean)
language plpgsql security definer set search_path = pg_catalog as $$
declare
    found_id integer;
begin
    select p.account_id into found_id
    from vp.passkey p join vp.account a using (account_id)
    where p.credential_id = credential and a.disabled_at is null;
    if found_id is null or vp.count_passkey(credential, count) is null then
        return;
    end if;
    delete from vp.attempt a
    where a.kind = 'passkey' and a.subject = vp.subject_of(encode(credential, 'hex'));
    perform vp.begin_session(found_id, new);
    update vp.session s set is_complete = true where s.sha256 = new.sha256;
    return query select true, true;
end $$;

-- Complete the own session, under another id, by a passkey of the same person that signed.
create function shown.pass_passkey(credential bytea, count bigint, new_sha256 bytea)
returns boolean language plpgsql security definer set search_path = pg_catalog as $$
declare
    mine vp.live_session;
begin
    mine := vp.own_session();
    if not exists (
        select from vp.passkey p
        where p.credential_id = credential and p.account_id = mine.account_id)
       or vp.count_passkey(credential, count) is null
    then
        return false;
    end if;
    update vp.session s set sha256 = new_sha256, is_complete = true, seen_at = now()
    where s.session_id = mine.session_id;
    delete from vp.attempt a
    where a.kind = 'second-factor'
      and a.subject = vp.subject_of(mine.account_id::text);
    return true;
end $$;

-- Note that an answer of a known passkey was refused. Of unknown ones nothing is noted:
-- strangers would fill the log.
create function shown.refuse_passkey(credential bytea, reason text) returns void
language sql security definer set search_path = pg_catalog as $$
    select vp.note_audit(
        'passkey.refuse', a.email,
        after => jsonb_build_object('name', p.name, 'reason', left(reason, 200)))
    from vp.passkey p join vp.account a using (account_id)
    where p.credential_id = credential
$$;

-- Remove an own passkey; false: there is none. One of `strict_roles` keeps one factor.
create function shown.remove_passkey(passkey integer, strict_roles text[])
returns boolean language plpgsql security definer set search_path = pg_catalog as $$
declare
    mine constant integer := shown.account();
begin
    -- one after the other
    perform from vp.account a where a.account_id = mine for update;
    delete from vp.passkey p where p.passkey_id = passkey and p.account_id = mine;
    if not found then
        return false;
    end if;
    if vp.needs_second_factor(mine, strict_roles)
       and not (select a.has_second_factor from vp.account a where a.account_id = mine)
    then
        raise check_violation using
            message = 'the last second factor remains', constraint = 'last_second_factor';
    end if;
    return true;
end $$;

-- As in 0037_people.sql. Codes are set up beside a passkey by who has shown it.
create or replace function shown.pass_second_factor(
    step bigint, new_sha256 bytea, secret bytea)
returns boolean language plpgsql security definer set search_path = pg_catalog as $$
declare
    mine vp.live_session;
begin
    mine := vp.own_session();
    update vp.account a
    set totp_secret = coalesce(a.totp_secret, secret), totp_step = step
    where a.account_id = mine.account_id
      and (a.totp_secret is null) = (secret is not null)
      and (secret is null or mine.is_complete or not a.has_second_factor)
      and (a.totp_step is null or a.totp_step < step);
    if not found then
        return false;
    end if;
    update vp.session s set sha256 = new_sha256, is_complete = true, seen_at = now()
    where s.session_id = mine.session_id;
    delete from vp.attempt a
    where a.kind = 'second-factor'
      and a.subject = vp.subject_of(mine.account_id::text);
    return true;
end $$;

-- A link that forgets the second factor forgets passkeys as well.
create function vp.after_link() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    delete from vp.passkey p where p.account_id = new.account_id;
    return null;
end $$;
create trigger after_link after update of used_at on vp.account_link
    for each row when (new.forgets_second_factor and old.used_at is null
                       and new.used_at is not null)
    execute function vp.after_link();

-- No column that is read directly holds a secret, or serves to log in.
alter table vp.passkey enable row level security;
alter table vp.passkey_challenge enable row level security;
grant select (passkey_id, account_id, name, created_at, last_used_at)
    on vp.passkey to vp_reader, vp_actor;
grant update (name) on vp.passkey to vp_actor;
create policy own on vp.passkey to vp_reader, vp_actor
    using (account_id = (select shown.account()));

revoke execute on all functions in schema shown from public;
grant execute on function shown.put_passkey_challenge, shown.new_passkey,
    shown.answer_new_passkey, shown.add_passkey, shown.answer_passkey,
    shown.log_in_by_passkey, shown.pass_passkey, shown.refuse_passkey,
    shown.remove_passkey to vp_actor;

do $$
begin
    perform vp.watch('passkey', 'passkey', $place$
        select null::text, a.email::text, '{}'::jsonb
        from account a where a.account_id = entry.account_id $place$,
        array['sign_count', 'last_used_at'], secret => array['public_key']);
end $$;
