-- What changes how somebody logs in, or lets somebody act in their name, is for people who
-- have just shown who they are: by logging in, or by a factor of theirs after that. A
-- browser that was left open is of no use for it. See docs/adr/0012-access.md.

alter table vp.session add column proved_at timestamptz not null default '-infinity';
alter table vp.session alter column proved_at set default now();
comment on column vp.session.proved_at is 'When the person last showed who they are.';
-- as in 0037_people.sql, with the new column
create or replace view vp.live_session as
select s.*
from vp.session s
join vp.account a using (account_id)
where a.disabled_at is null
  and now() between s.created_at - interval '1 minute' and s.expires_at
  and now() between s.seen_at - interval '1 minute' and s.seen_at + s.idle;

-- A session notes it often; the log has when it began.
do $$
begin
    execute replace(
        pg_get_functiondef('vp.audit_session'::regproc),
        '{sha256,seen_at,is_outdated', '{sha256,seen_at,is_outdated,proved_at');
end $$;

-- Whether the person of this transaction's session has shown it in the last ten minutes.
create function shown.has_proved() returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return exists (
        select from vp.live_session s
        where s.sha256 = vp.credential() and s.is_complete and not s.is_outdated
          and vp.is_fresh(s.proved_at));
end $$;

-- As in 0042_session_towns.sql, with `has_proved`.
drop function shown.session();
create function shown.session()
returns table (
    session_id bigint, account_id integer, email text, name text, is_complete boolean,
    has_second_factor boolean, has_proved boolean, is_outdated boolean, is_due boolean,
    created_at timestamptz, expires_at timestamptz, roles jsonb)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select s.session_id, a.account_id, a.email, a.name, s.is_complete,
           a.has_second_factor, s.is_complete and vp.is_fresh(s.proved_at), s.is_outdated,
           s.is_outdated or s.seen_at < now() - interval '1 minute',
           s.created_at, s.expires_at,
           (select coalesce(jsonb_agg(jsonb_build_array(m.key, r.role, m.name)
                                      order by m.key, r.role), '[]')
            from vp.account_role r left join vp.municipality m using (municipality_id)
            where r.account_id = a.account_id)
    from vp.live_session s join vp.account a using (account_id)
    where s.sha256 = vp.credential()
$$;

-- Note, under another id, that the person of the own session has shown who they are.
create function vp.note_proof(session_id bigint, new_sha256 bytea) returns void
language sql as $$
    update vp.session s
    set sha256 = new_sha256, is_complete = true, seen_at = now(), proved_at = now()
    where s.session_id = $1
$$;

-- Show it by the hash of the own password.
create function shown.pass_password(proof text, new_sha256 bytea) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    mine vp.live_session := vp.own_session();
    person vp.account;
begin
    select a.* into person from vp.account a where a.account_id = mine.account_id;
    if not coalesce(mine.is_complete and person.password_hash = proof, false) then
        perform vp.note_refusal('session.refuse', coalesce(person.email, ''));
        return false;
    end if;
    perform vp.note_proof(mine.session_id, new_sha256);
    delete from vp.attempt a
    where a.kind = 'password' and a.subject = vp.subject_of(person.email);
    return true;
end $$;

-- As in 0037_people.sql, and while the person has not shown who they are.
create or replace function shown.second_factor()
returns table (account_id integer, totp_secret bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select a.account_id, a.totp_secret
    from vp.live_session s join vp.account a using (account_id)
    where s.sha256 = vp.credential()
      and not (s.is_complete and vp.is_fresh(s.proved_at))
$$;

-- As in 0038_passkeys.sql, and who has just shown who they are. It goes for codes as well.
create or replace function vp.may_add_passkey(mine vp.live_session) returns boolean
language sql stable as $$
    select case
        when mine.is_complete then not mine.is_outdated and vp.is_fresh(mine.proved_at)
        else not (select a.has_second_factor from vp.account a
                  where a.account_id = mine.account_id) end
$$;

create or replace function shown.pass_second_factor(
    step bigint, new_sha256 bytea, secret bytea)
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    mine vp.live_session := vp.own_session();
begin
    update vp.account a
    set totp_secret = coalesce(a.totp_secret, secret), totp_step = step
    where a.account_id = mine.account_id
      and (a.totp_secret is null) = (secret is not null)
      and (secret is null or vp.may_add_passkey(mine))
      and (a.totp_step is null or a.totp_step < step);
    if not found then
        return false;
    end if;
    perform vp.note_proof(mine.session_id, new_sha256);
    delete from vp.attempt a
    where a.kind = 'second-factor'
      and a.subject = vp.subject_of(mine.account_id::text);
    return true;
end $$;

create or replace function shown.pass_passkey(
    credential bytea, count bigint, new_sha256 bytea)
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    mine vp.live_session := vp.own_session();
begin
    if not exists (
        select from vp.passkey p
        where p.credential_id = credential and p.account_id = mine.account_id)
       or vp.count_passkey(credential, count) is null
    then
        return false;
    end if;
    perform vp.note_proof(mine.session_id, new_sha256);
    delete from vp.attempt a
    where a.kind = 'second-factor'
      and a.subject = vp.subject_of(mine.account_id::text);
    return true;
end $$;

-- A session that began at the provider has shown it when the person logged in there, which
-- the provider says; not, if it does not.
create function shown.note_oidc_proof(of_session bytea, at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vp.require_provider();
    update vp.session s
    set proved_at = case when at is null then '-infinity' else least(at, now()) end
    where s.sha256 = of_session
      and exists (select from vp.oidc_session o where o.session_id = s.session_id);
end $$;

-- What needs it. As in 0038_passkeys.sql:
create or replace function shown.remove_passkey(passkey integer, strict_roles text[])
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    mine constant integer := shown.account();
begin
    -- one after the other
    perform from vp.account a where a.account_id = mine for update;
    delete from vp.passkey p
    where p.passkey_id = passkey and p.account_id = mine and shown.has_proved();
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

-- Change the own password, or choose one; false: the person has not shown who they are.
drop function shown.change_password(text, text);
create function shown.change_password(new_hash text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update vp.account a set password_hash = new_hash
    where a.account_id = shown.account() and shown.has_proved();
    return found;
end $$;

-- As in 0046_single_sign_on.sql.
create or replace function shown.begin_oidc_login(
    state_sha256 bytea, browser_sha256 bytea, target text, links boolean, lasts interval)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if links and not shown.has_proved() then
        raise insufficient_privilege using
            message = 'only who has just shown who they are may link';
    end if;
    delete from vp.oidc_login l where l.expires_at < now();
    insert into vp.oidc_login (state_sha256, browser_sha256, account_id, target, expires_at)
    values ($1, $2, case when links then shown.account() end, $3, now() + lasts);
end $$;
alter policy unlinking on vp.identity using (
    account_id = (select shown.account())
    and (select shown.has_proved())
    and exists (select from vp.account a
                where a.account_id = identity.account_id and a.has_password));
-- who unlinks the own account stays logged in
create or replace function vp.after_unlinking() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from vp.session s using vp.oidc_session o
    where o.session_id = s.session_id and s.account_id = old.account_id
      and s.sha256 is distinct from vp.credential();
    if not vp.can_log_in(old.account_id) then
        perform vp.keep_administrator(vp.administered_by(old.account_id));
    end if;
    return null;
end $$;

create policy ending on vp.session as restrictive for delete to vp_actor
    using ((select shown.has_proved()));
alter policy giving on vp.api_token with check (
    account_id = (select shown.account())
    and (select shown.has_proved())
    and municipality_id is not null
    and not exists (
        select from unnest(permissions) as p(permission)
        where municipality_id <> all(shown.may(p.permission))));

-- Nobody makes a link for the own account: by it, who finds an open browser would choose a
-- password and forget the second factor. Else as in 0047_links_of_others.sql.
create or replace function vp.check_link() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform from vp.account a where a.account_id = new.account_id for no key update;
    if new.account_id = shown.account() then
        raise insufficient_privilege using
            message = 'nobody makes a link for the own account', constraint = 'own_account';
    end if;
    if not pg_has_role(session_user, current_user, 'usage')
       and not shown.manages(new.account_id)
    then
        raise insufficient_privilege using message = 'others decide on the account as well';
    end if;
    return null;
end $$;

revoke execute on function shown.has_proved, shown.session, shown.pass_password,
    shown.note_oidc_proof, shown.change_password from public;
grant execute on function shown.session to vp_reader, vp_actor;
grant execute on function shown.has_proved, shown.pass_password, shown.note_oidc_proof,
    shown.change_password to vp_actor;
