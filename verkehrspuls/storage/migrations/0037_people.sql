-- People: accounts, their roles, sessions and one-time links. No role that logs in reads
-- these tables but for what row security shows; signing in goes through functions of the
-- schema `shown`. See docs/adr/0012-access.md.

-- In lower case, because nobody tells two addresses apart by it; ASCII, as mail has it.
create domain vp.email as text
    check (length(value) <= 254
           and value ~ '^[a-z0-9.!#$%&''*+/=?^_`{|}~-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)*$');
-- A SHA-256. Of a credential, which is random, it needs no salt.
create domain vp.digest as bytea check (length(value) = 32);
create domain vp.password_hash as text
    check (length(value) <= 200
           and value ~ '^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$');

create table vp.account (
    account_id integer generated always as identity primary key,
    email vp.email not null unique,
    name vp.name not null,
    -- NULL: the person has not chosen a password yet
    password_hash vp.password_hash,
    -- NULL: no second factor
    totp_secret bytea check (length(totp_secret) between 16 and 64),
    -- of the last code that was used: none is used twice
    totp_step bigint,
    created_at timestamptz not null default now(),
    disabled_at timestamptz,
    has_password boolean not null generated always as (password_hash is not null) stored,
    has_second_factor boolean not null
        generated always as (totp_secret is not null) stored
);
comment on table vp.account is 'People who can log in.';

create table vp.role_permission (
    role text not null,
    permission text not null,
    primary key (role, permission)
);
comment on table vp.role_permission is
    'What each role permits: a copy of verkehrspuls/access/permissions.py.';

create table vp.account_role (
    account_id integer not null references vp.account on delete cascade,
    -- NULL: the whole installation
    municipality_id integer references vp.municipality,
    role text not null
        check (role in ('viewer', 'planner', 'engineer', 'administrator', 'operator')),
    given_at timestamptz not null default now(),
    check ((role = 'operator') = (municipality_id is null)),
    unique nulls not distinct (account_id, municipality_id, role)
);
comment on table vp.account_role is 'Roles of people, each in a municipality.';
create index on vp.account_role (municipality_id);

create table vp.session (
    session_id bigint generated always as identity primary key,
    sha256 vp.digest not null unique,
    account_id integer not null references vp.account on delete cascade,
    created_at timestamptz not null default now(),
    -- to the minute
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null,
    -- how long it may rest
    idle interval not null check (idle > '0'),
    -- whether the second factor was shown, where one is needed
    is_complete boolean not null,
    -- whether the roles have changed since: it needs a new id
    is_outdated boolean not null default false,
    address inet,
    user_agent vp.words not null default '' check (length(user_agent) <= 200),
    check (expires_at > created_at)
);
comment on table vp.session is 'Browsers in which a person is logged in.';
create index on vp.session (account_id);
create index on vp.session (expires_at);

create table vp.account_link (
    sha256 vp.digest primary key,
    account_id integer not null references vp.account on delete cascade,
    purpose text not null check (purpose in ('invitation', 'reset', 'login')),
    forgets_second_factor boolean not null default false,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    check (expires_at > created_at)
);
comment on table vp.account_link is
    'Links that are used once, for choosing a password or logging in without one.';
create index on vp.account_link (account_id);

create table vp.attempt (
    kind text not null check (length(kind) between 1 and 40),
    -- of an e-mail or network address, so that none is kept of strangers
    subject vp.digest not null,
    began_at timestamptz not null default now(),
    attempts integer not null default 0,
    lockouts integer not null default 0,
    locked_until timestamptz not null default '-infinity',
    primary key (kind, subject)
);
comment on table vp.attempt is
    'Attempts of the last minute that are limited, by account and by network address.';
create index on vp.attempt (began_at);

-- From this the salt is made of those whose e-mail has no password: it looks like one.
create table vp.salt_key (
    only_one boolean primary key default true check (only_one),
    key bytea not null
        default sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
);
comment on table vp.salt_key is 'A secret that keeps unknown e-mails from being noticed.';
insert into vp.salt_key default values;

-- Sessions that are valid now. By a clock that was ahead and went back none is: those it
-- began would last too long.
create view vp.live_session as
select s.*
from vp.session s
join vp.account a using (account_id)
where a.disabled_at is null
  and now() between s.created_at - interval '1 minute' and s.expires_at
  and now() between s.seen_at - interval '1 minute' and s.seen_at + s.idle;
comment on view vp.live_session is 'Sessions that are valid now.';

-- Whom the credential of this transaction belongs to: the person of a session that is
-- valid and complete, and that knows of the newest roles.
create function vp.credential() returns bytea language sql stable as $$
    select case when current_setting('vp.viewer', true) ~ '^[0-9a-f]{64}$'
                then decode(current_setting('vp.viewer', true), 'hex') end
$$;
create function shown.account() returns integer
language sql stable security definer set search_path = pg_catalog as $$
    select s.account_id from vp.live_session s
    where s.sha256 = vp.credential() and s.is_complete and not s.is_outdated
$$;

-- As in 0034_shown.sql, and by the roles of a person.
create or replace function shown.may(what text) returns integer[]
language sql stable security definer set search_path = pg_catalog as $$
    select coalesce(array_agg(permitted.municipality_id), '{}')
    from (
        select t.municipality_id
        from vp.api_token t
        where t.sha256 = vp.credential() and t.purpose = what
          and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
        union
        select m.municipality_id
        from vp.account_role r
        join vp.role_permission p on p.role = r.role and p.permission = what
        join vp.municipality m
          on m.municipality_id = coalesce(r.municipality_id, m.municipality_id)
        where r.account_id = (select shown.account()) and m.removed_at is null
    ) permitted
$$;
create or replace function shown.audiences() returns integer[]
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
    viewer constant bytea := vp.credential();
    towns integer[];
begin
    if viewer is null then
        return '{0}';
    end if;
    towns := array(
        select t.municipality_id
        from vp.api_token t
        where t.sha256 = viewer
          and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
        union
        select unnest(shown.may('view')));
    return case when towns = '{}' then '{0}' else '{0,-1}'::integer[] || towns end;
end $$;

-- Signing in. The hash of a password never leaves the database: who wants to log in gets
-- the salt, and gives the hash of what was typed.

-- Parameters and salt of the hash for an e-mail; `usual` parameters and a salt that is
-- always the same where there is no such hash.
create function shown.password_salt(of_email text, usual text) returns text
language sql stable security definer set search_path = pg_catalog as $$
    select coalesce(
        (select regexp_replace(a.password_hash, '\$[^$]+$', '')
         from vp.account a where a.email = of_email),
        (select usual || '$' || rtrim(encode(
             substr(sha256(k.key || convert_to(of_email, 'UTF8')), 1, 16), 'base64'), '=')
         from vp.salt_key k))
$$;

create function vp.subject_of(words text) returns vp.digest
language sql stable as $$
    select sha256(k.key || convert_to(words, 'UTF8')) from vp.salt_key k
$$;

create function vp.is_forgotten(attempt vp.attempt) returns boolean
language sql stable as $$
    select attempt.began_at not between now() - interval '1 day'
                                    and now() + interval '1 minute'
$$;

-- Count an attempt, of which `most` are free in a minute. Null: it is one of them; else
-- until when none is, twice as long each time, up to `longest`. A day without attempts
-- is forgotten, and so is what a clock that was ahead left.
create function shown.attempt(
    of_kind text, of_subject text, most integer, lockout interval, longest interval)
returns timestamptz
language plpgsql security definer set search_path = pg_catalog as $$
declare
    known vp.attempt;
begin
    insert into vp.attempt as a (kind, subject)
    values (of_kind, vp.subject_of(of_subject))
    on conflict (kind, subject) do update set kind = a.kind
    returning a.* into known;
    if vp.is_forgotten(known) then
        known.locked_until := '-infinity';
        known.lockouts := 0;
        known.attempts := 0;
        known.began_at := now();
    end if;
    if known.locked_until > now() then
        return known.locked_until;
    end if;
    if known.began_at <= now() - interval '1 minute' then
        known.attempts := 0;
        known.began_at := now();
    end if;
    known.attempts := known.attempts + 1;
    if known.attempts > most then
        known.locked_until :=
            now() + least(longest, lockout * 2 ^ least(known.lockouts, 20));
        known.lockouts := known.lockouts + 1;
        known.attempts := 0;
        known.began_at := now();
    end if;
    update vp.attempt a
    set attempts = known.attempts, lockouts = known.lockouts,
        began_at = known.began_at, locked_until = known.locked_until
    where a.kind = known.kind and a.subject = known.subject;
    return case when known.locked_until > now() then known.locked_until end;
end $$;

create type vp.new_session as (
    sha256 bytea,
    lasts interval,
    idle interval,
    -- roles that need a second factor
    strict_roles text[],
    address inet,
    user_agent text
);

create function vp.needs_second_factor(account integer, strict_roles text[])
returns boolean language sql stable as $$
    select exists (select from vp.account_role r
                   where r.account_id = account and r.role = any(strict_roles))
$$;

create function vp.begin_session(account integer, new vp.new_session)
returns table (is_complete boolean, has_second_factor boolean)
language plpgsql as $$
begin
    delete from vp.session s where s.expires_at < now();
    delete from vp.attempt a
    where (a.kind, a.subject) in (
        select old.kind, old.subject from vp.attempt old
        where vp.is_forgotten(old)
        limit 1000 for update skip locked);
    return query
        insert into vp.session (
            sha256, account_id, expires_at, idle, is_complete, address, user_agent)
        select new.sha256, a.account_id, now() + new.lasts, new.idle,
               not a.has_second_factor
               and not vp.needs_second_factor(account, new.strict_roles),
               new.address, new.user_agent
        from vp.account a
        where a.account_id = account
        returning session.is_complete,
                  (select a.has_second_factor from vp.account a
                   where a.account_id = account);
end $$;

-- Begin a session for whom the hash of an e-mail's password is known to; nothing comes
-- back for others. `renewed` is one with newer parameters, of the same password.
create function shown.log_in(
    of_email text, proof text, renewed text, new vp.new_session)
returns table (is_complete boolean, has_second_factor boolean)
language plpgsql security definer set search_path = pg_catalog as $$
declare
    found_id integer;
begin
    update vp.account a set password_hash = coalesce(renewed, a.password_hash)
    where a.email = of_email and a.password_hash = proof and a.disabled_at is null
    returning a.account_id into found_id;
    if found_id is not null then
        delete from vp.attempt a
        where a.kind = 'password' and a.subject = vp.subject_of(of_email);
        return query select * from vp.begin_session(found_id, new);
    end if;
end $$;

-- The session of this transaction's credential, complete or not.
create function shown.session()
returns table (
    session_id bigint, account_id integer, email text, name text, is_complete boolean,
    has_second_factor boolean, is_outdated boolean, is_due boolean,
    created_at timestamptz, expires_at timestamptz, roles jsonb)
language sql stable security definer set search_path = pg_catalog as $$
    select s.session_id, a.account_id, a.email, a.name, s.is_complete,
           a.has_second_factor, s.is_outdated,
           s.is_outdated or s.seen_at < now() - interval '1 minute',
           s.created_at, s.expires_at,
           (select coalesce(jsonb_agg(jsonb_build_array(m.key, r.role)
                                      order by m.key, r.role), '[]')
            from vp.account_role r left join vp.municipality m using (municipality_id)
            where r.account_id = a.account_id)
    from vp.live_session s join vp.account a using (account_id)
    where s.sha256 = vp.credential()
$$;

-- Note that the session is used. If roles have changed since it began, it gets another
-- id; true then. Where a role needs a second factor now, it has to be shown.
create function shown.renew_session(new_sha256 bytea, strict_roles text[])
returns boolean language plpgsql security definer set search_path = pg_catalog as $$
declare
    mine vp.live_session;
begin
    -- one after the other: a session gets one new id
    perform from vp.session s where s.sha256 = vp.credential() for update;
    select * into mine from vp.live_session s where s.sha256 = vp.credential();
    update vp.session s
    set seen_at = now(),
        is_outdated = false,
        sha256 = case when mine.is_outdated then new_sha256 else s.sha256 end,
        is_complete = s.is_complete and (
            not mine.is_outdated
            or (select a.has_second_factor from vp.account a
                where a.account_id = s.account_id)
            or not vp.needs_second_factor(s.account_id, strict_roles))
    where s.session_id = mine.session_id;
    return coalesce(mine.is_outdated, false);
end $$;

create function shown.end_session() returns void
language sql security definer set search_path = pg_catalog as $$
    delete from vp.session s where s.sha256 = vp.credential()
$$;

-- What codes of the second factor are made from, while the session waits for one. No
-- secret: there is no second factor yet, and one is needed.
create function shown.second_factor()
returns table (account_id integer, totp_secret bytea)
language sql stable security definer set search_path = pg_catalog as $$
    select a.account_id, a.totp_secret
    from vp.live_session s join vp.account a using (account_id)
    where s.sha256 = vp.credential() and not s.is_complete
$$;

-- Complete a session, under another id, with the step of a code that was right; false:
-- it was used before. `secret` is that of a new second factor, where there is none.
create function shown.pass_second_factor(step bigint, new_sha256 bytea, secret bytea)
returns boolean language plpgsql security definer set search_path = pg_catalog as $$
declare
    mine vp.live_session;
begin
    select * into mine from vp.live_session s where s.sha256 = vp.credential();
    update vp.account a
    set totp_secret = coalesce(a.totp_secret, secret), totp_step = step
    where a.account_id = mine.account_id
      and a.has_second_factor = (secret is null)
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

-- Change the own password, by the hash of the one that is changed; every other session
-- ends. False: that is not the hash.
create function shown.change_password(proof text, new_hash text) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
declare
    mine constant integer := shown.account();
begin
    update vp.account a set password_hash = new_hash
    where a.account_id = mine and a.password_hash = proof;
    if not found then
        return false;
    end if;
    delete from vp.session s where s.account_id = mine and s.sha256 <> vp.credential();
    return true;
end $$;

create view vp.live_link as
select l.*
from vp.account_link l
join vp.account a using (account_id)
where a.disabled_at is null and l.used_at is null
  and now() between l.created_at - interval '1 minute' and l.expires_at;
comment on view vp.live_link is 'One-time links that can be used now.';

-- The link of this transaction's credential, if it can be used.
create function shown.link()
returns table (
    purpose text, email text, name text, expires_at timestamptz)
language sql stable security definer set search_path = pg_catalog as $$
    select l.purpose, a.email, a.name, l.expires_at
    from vp.live_link l join vp.account a using (account_id)
    where l.sha256 = vp.credential()
$$;

-- Use the link of this transaction's credential, once: choose a password where it is for
-- that, which ends every session, and begin one.
create function shown.use_link(new_hash text, new_name text, new vp.new_session)
returns table (is_complete boolean, has_second_factor boolean)
language plpgsql security definer set search_path = pg_catalog as $$
declare
    link vp.account_link;
begin
    update vp.account_link l set used_at = now()
    where l.sha256 = vp.credential() and l.used_at is null
      and (l.purpose = 'login') = (new_hash is null)
      and exists (select from vp.live_link v where v.sha256 = l.sha256)
    returning l.* into link;
    if link.sha256 is null then
        return;
    end if;
    update vp.account a
    set password_hash = coalesce(new_hash, a.password_hash),
        name = coalesce(new_name, a.name),
        totp_secret = case when not link.forgets_second_factor then a.totp_secret end,
        totp_step = case when not link.forgets_second_factor then a.totp_step end
    where a.account_id = link.account_id;
    if new_hash is not null then
        delete from vp.session s where s.account_id = link.account_id;
        delete from vp.account_link l
        where l.account_id = link.account_id and l.used_at is null;
    end if;
    return query select * from vp.begin_session(link.account_id, new);
end $$;

-- The account of an e-mail, made where there is none: for the operator, and for who may
-- invite people somewhere.
create function shown.put_account(of_email text, new_name text) returns integer
language plpgsql security definer set search_path = pg_catalog as $$
declare
    found_id integer;
begin
    if not pg_has_role(session_user, current_user, 'usage')
       and shown.may('people') = '{}' then
        raise insufficient_privilege using message = 'only who may invite people may';
    end if;
    insert into vp.account (email, name) values (of_email, new_name)
    on conflict (email) do nothing;
    select a.account_id into found_id from vp.account a where a.email = of_email;
    return found_id;
end $$;

-- Whether the viewer decides on an account alone: it has roles, and none elsewhere.
create function shown.manages(account integer) returns boolean
language sql stable security definer set search_path = pg_catalog as $$
    select coalesce(bool_and(
        coalesce(r.municipality_id = any((select shown.may('people'))::integer[]), false)),
        false)
    from vp.account_role r
    where r.account_id = account
$$;

-- A municipality that somebody administers keeps somebody who does, also if two remove
-- each other at once. Who has not chosen a password yet, or is disabled, does not.
create function vp.keep_administrator(towns integer[]) returns void
language plpgsql as $$
begin
    -- one after the other
    perform pg_advisory_xact_lock(hashtext('vp.keep_administrator'));
    if exists (
        select from vp.municipality m
        where m.municipality_id = any(towns) and m.removed_at is null
          and not exists (
              select from vp.account_role r join vp.account a using (account_id)
              where r.municipality_id = m.municipality_id and r.role = 'administrator'
                and a.has_password and a.disabled_at is null))
    then
        raise check_violation using
            message = 'the last administrator of a municipality remains',
            constraint = 'last_administrator';
    end if;
end $$;

create function vp.after_role() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    changed constant vp.account_role := coalesce(new, old);
begin
    update vp.session s set is_outdated = true where s.account_id = changed.account_id;
    if tg_op = 'INSERT' then
        -- who made it does perhaps no longer decide on the account alone
        delete from vp.account_link l
        where l.account_id = changed.account_id and l.purpose = 'reset'
          and l.used_at is null;
    elsif old.role = 'administrator' and exists (
        select from vp.account a
        where a.account_id = old.account_id and a.has_password and a.disabled_at is null)
    then
        perform vp.keep_administrator(array[old.municipality_id]);
    end if;
    return null;
end $$;
create trigger after_role after insert or delete on vp.account_role
    for each row execute function vp.after_role();

create function vp.after_disabling() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    delete from vp.session s where s.account_id = new.account_id;
    delete from vp.account_link l where l.account_id = new.account_id and l.used_at is null;
    if old.has_password then
        perform vp.keep_administrator(array(
            select r.municipality_id from vp.account_role r
            where r.account_id = new.account_id and r.role = 'administrator'));
    end if;
    return null;
end $$;
create trigger after_disabling after update of disabled_at on vp.account
    for each row when (old.disabled_at is null and new.disabled_at is not null)
    execute function vp.after_disabling();

revoke execute on all functions in schema shown from public;
grant execute on all functions in schema shown to vp_actor;
grant execute on function shown.account, shown.may, shown.audiences, shown.session,
    shown.link, shown.manages to vp_reader;

-- What is read and changed directly: by who may invite people, of their municipalities,
-- and the own sessions. No column holds a secret.
alter table vp.account enable row level security;
alter table vp.account_role enable row level security;
alter table vp.session enable row level security;
alter table vp.account_link enable row level security;
alter table vp.attempt enable row level security;
alter table vp.salt_key enable row level security;
alter table vp.role_permission enable row level security;

grant select (
    account_id, email, name, created_at, disabled_at, has_password, has_second_factor)
    on vp.account to vp_reader, vp_actor;
grant update (disabled_at) on vp.account to vp_actor;
grant select on vp.account_role to vp_reader, vp_actor;
grant insert, delete on vp.account_role to vp_actor;
grant select (
    session_id, account_id, created_at, seen_at, expires_at, address, user_agent)
    on vp.session to vp_reader, vp_actor;
grant delete on vp.session to vp_actor;
grant select (account_id, purpose, expires_at, used_at), insert, delete
    on vp.account_link to vp_actor;

create policy reading on vp.account for select to vp_reader, vp_actor using (
    account_id = (select shown.account())
    or exists (select from vp.account_role r
               where r.account_id = account.account_id
                 and r.municipality_id = any((select shown.may('people'))::integer[])));
create policy managing on vp.account for update to vp_actor
    using (shown.manages(account_id));
create policy reading on vp.account_role for select to vp_reader, vp_actor using (
    account_id = (select shown.account())
    or municipality_id = any((select shown.may('people'))::integer[]));
create policy giving on vp.account_role for insert to vp_actor
    with check (municipality_id = any((select shown.may('people'))::integer[]));
create policy taking on vp.account_role for delete to vp_actor
    using (municipality_id = any((select shown.may('people'))::integer[]));
create policy own on vp.session to vp_reader, vp_actor
    using (account_id = (select shown.account()));
create policy managing on vp.account_link to vp_actor
    using (purpose <> 'login' and shown.manages(account_id));

-- The audit log: who acts by a session or link, and what happens to people.
create or replace function vp.actor(
    out kind text, out name text, out id bigint, out origin text, out via text)
language plpgsql stable security definer set search_path = vp, pg_catalog as $$
declare
    said jsonb := coalesce(nullif(current_setting('vp.origin', true), ''), '{}');
    viewer constant bytea := vp.credential();
begin
    origin := coalesce(said ->> 'host', host(inet_client_addr()), 'local');
    via := coalesce(said ->> 'via', current_setting('application_name'));
    if session_user <> 'vp_web' and viewer is null then
        kind := coalesce(said ->> 'kind', 'command');
        name := coalesce(said ->> 'user', session_user);
        return;
    end if;
    select known.* into kind, name, id
    from (
        select 'token', coalesce(nullif(t.note, ''), t.prefix), t.api_token_id
        from api_token t where t.sha256 = viewer
        union all
        select 'account', a.email, a.account_id
        from account a
        where a.account_id in (
            select s.account_id from session s where s.sha256 = viewer
            union all
            select l.account_id from account_link l where l.sha256 = viewer)
    ) known;
    if not found then
        kind := 'anonymous';
        name := '';
    end if;
end $$;

do $$
declare
    of_account constant text := $place$
        select null::text, a.email::text, '{}'::jsonb
        from account a where a.account_id = entry.account_id $place$;
begin
    perform vp.watch('account', 'account',
        $place$ select null::text, entry.email::text, '{}'::jsonb $place$,
        array['totp_step'], secret => array['password_hash', 'totp_secret']);
    perform vp.watch('account_role', 'role', $place$
        select m.key::text, a.email::text, '{}'::jsonb
        from account a
        left join municipality m on m.municipality_id = entry.municipality_id
        where a.account_id = entry.account_id $place$);
    perform vp.watch('session', 'session', of_account,
        array['sha256', 'seen_at', 'is_outdated'], changes => 'insert', verb => 'begin');
    perform vp.watch('account_link', 'link', of_account, array['sha256'],
        changes => 'insert or update');
end $$;
