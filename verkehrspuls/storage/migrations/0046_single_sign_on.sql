-- Single sign-on: who people are at an OpenID Connect provider, and what their logins and
-- sessions there need. See docs/adr/0013-single-sign-on.md.

-- Only the web can check what the provider says. So that nobody else says it, these
-- functions need a credential that is made of the client's secret.
create table vp.oidc_provider (
    only_one boolean primary key default true check (only_one),
    issuer vp.words not null check (length(issuer) between 1 and 500),
    sha256 vp.digest not null
);
comment on table vp.oidc_provider is
    'The provider of the settings, and the SHA-256 of the credential that speaks for it.';

create table vp.identity (
    issuer vp.words not null check (length(issuer) between 1 and 500),
    -- never an e-mail address: those change hands
    subject vp.words not null check (length(subject) between 1 and 255),
    account_id integer not null references vp.account on delete cascade,
    linked_at timestamptz not null default now(),
    primary key (issuer, subject),
    unique (account_id, issuer)
);
comment on table vp.identity is 'Who people are at the provider of single sign-on.';

create table vp.oidc_login (
    state_sha256 vp.digest primary key,
    -- of a secret in a cookie of the browser that began it
    browser_sha256 vp.digest not null,
    -- NULL: to log in, else to link this account
    account_id integer references vp.account on delete cascade,
    target vp.words not null check (length(target) <= 1000 and target ~ '^/([^/\\]|$)'),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    check (expires_at > created_at)
);
comment on table vp.oidc_login is 'Logins at the provider that have begun.';
create index on vp.oidc_login (expires_at);
create index on vp.oidc_login (account_id);

create table vp.oidc_session (
    session_id bigint primary key references vp.session on delete cascade,
    issuer vp.words not null,
    subject vp.words not null,
    -- the provider's own name for its session
    sid vp.words,
    -- whether the provider saw a second factor
    has_second_factor boolean not null,
    -- by which the provider knows whom to log out
    id_token text not null check (length(id_token) <= 20000)
);
comment on table vp.oidc_session is 'What the provider said of sessions that it began.';
create index on vp.oidc_session (issuer, subject);

create table vp.oidc_logout (
    jti_sha256 vp.digest primary key,
    expires_at timestamptz not null
);
comment on table vp.oidc_logout is
    'Messages of the provider that somebody logged out: each is taken once.';

-- Roles that groups of the provider give, and take.
alter table vp.account_role add column by_provider boolean not null default false;
comment on column vp.account_role.by_provider is
    'Whether a group of the provider gave it; it is taken when the group is gone.';

create function vp.can_log_in(account integer) returns boolean
language sql stable as $$
    select exists (select from vp.account a
                   where a.account_id = account and a.disabled_at is null
                     and (a.has_password
                          or exists (select from vp.identity i
                                     where i.account_id = a.account_id)))
$$;

-- As in 0037_people.sql, with who logs in at the provider.
create or replace function vp.keep_administrator(towns integer[]) returns void
language plpgsql as $$
begin
    -- one after the other
    perform pg_advisory_xact_lock(hashtext('vp.keep_administrator'));
    if exists (
        select from vp.municipality m
        where m.municipality_id = any(towns) and m.removed_at is null
          and not exists (
              select from vp.account_role r
              where r.municipality_id = m.municipality_id and r.role = 'administrator'
                and vp.can_log_in(r.account_id)))
    then
        raise check_violation using
            message = 'the last administrator of a municipality remains',
            constraint = 'last_administrator';
    end if;
end $$;
create or replace function vp.after_role() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    changed constant vp.account_role := coalesce(new, old);
begin
    update vp.session s set is_outdated = true where s.account_id = changed.account_id;
    if tg_op = 'INSERT' then
        -- who made it does perhaps no longer decide on the account alone
        delete from vp.account_link l
        where l.account_id = changed.account_id and l.purpose = 'reset'
          and l.used_at is null;
    elsif old.role = 'administrator' and vp.can_log_in(old.account_id) then
        perform vp.keep_administrator(array[old.municipality_id]);
    end if;
    return null;
end $$;
create function vp.administered_by(account integer) returns integer[]
language sql stable as $$
    select array(select r.municipality_id from vp.account_role r
                 where r.account_id = account and r.role = 'administrator')
$$;
create or replace function vp.after_disabling() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from vp.session s where s.account_id = new.account_id;
    delete from vp.account_link l where l.account_id = new.account_id and l.used_at is null;
    if old.has_password
       or exists (select from vp.identity i where i.account_id = old.account_id)
    then
        perform vp.keep_administrator(vp.administered_by(new.account_id));
    end if;
    return null;
end $$;
create function vp.after_unlinking() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from vp.session s using vp.oidc_session o
    where o.session_id = s.session_id and s.account_id = old.account_id;
    if not vp.can_log_in(old.account_id) then
        perform vp.keep_administrator(vp.administered_by(old.account_id));
    end if;
    return null;
end $$;
create trigger after_unlinking after delete on vp.identity
    for each row execute function vp.after_unlinking();

-- The issuer, for whom the credential of this transaction speaks.
create function vp.require_provider() returns text
language plpgsql stable as $$
declare
    found_issuer text;
begin
    select p.issuer into found_issuer
    from vp.oidc_provider p where p.sha256 = vp.credential();
    if not found then
        raise insufficient_privilege using
            message = 'the credential does not speak for the provider',
            constraint = 'provider';
    end if;
    return found_issuer;
end $$;

-- Note that a login has begun in a browser: to link the viewer's account, if `links`.
create function shown.begin_oidc_login(
    state_sha256 bytea, browser_sha256 bytea, target text, links boolean, lasts interval)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if links and shown.account() is null then
        raise insufficient_privilege using message = 'only who is logged in may link';
    end if;
    delete from vp.oidc_login l where l.expires_at < now();
    insert into vp.oidc_login (state_sha256, browser_sha256, account_id, target, expires_at)
    values ($1, $2, case when links then shown.account() end, $3, now() + lasts);
end $$;

-- Take a login that began in this browser, once.
create function shown.take_oidc_login(of_state bytea, of_browser bytea)
returns table (target text, links boolean)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    delete from vp.oidc_login l
    where l.state_sha256 = of_state and l.browser_sha256 = of_browser
      and now() between l.created_at - interval '1 minute' and l.expires_at
    returning l.target, l.account_id is not null
$$;

-- The reason is told by the name of a constraint.
create function vp.refuse_oidc(why text) returns void language plpgsql as $$
begin
    raise insufficient_privilege using
        message = 'a login at the provider was not accepted', constraint = why;
end $$;

-- Link the account of a session to a person of the provider.
create function shown.link_identity(of_subject text, of_session bytea) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    of_issuer constant text := vp.require_provider();
    mine integer;
    owner_id integer;
begin
    select s.account_id into mine from vp.live_session s
    where s.sha256 = of_session and s.is_complete;
    if mine is null then
        perform vp.refuse_oidc('stale');
    end if;
    insert into vp.identity (issuer, subject, account_id)
    values (of_issuer, of_subject, mine)
    on conflict do nothing;
    select i.account_id into owner_id from vp.identity i
    where i.issuer = of_issuer and i.subject = of_subject;
    if owner_id is distinct from mine then
        perform vp.refuse_oidc('taken');
    end if;
end $$;

-- Give an account the roles of its groups, and take those that groups gave before. The
-- last administrator of a municipality remains one.
create function vp.take_over_roles(account integer, roles jsonb) returns void
language plpgsql as $$
declare
    wanted vp.account_role[];
    gone vp.account_role;
    violated text;
begin
    select array_agg(row(account, m.municipality_id, w.role, now(), true)::vp.account_role)
    into wanted
    from jsonb_to_recordset(roles) w(municipality text, role text)
    left join vp.municipality m on m.key = w.municipality and m.removed_at is null
    where w.municipality is null or m.municipality_id is not null;
    insert into vp.account_role (account_id, municipality_id, role, by_provider)
    select w.account_id, w.municipality_id, w.role, true from unnest(wanted) w
    on conflict do nothing;
    for gone in
        select r.* from vp.account_role r
        where r.account_id = account and r.by_provider
          and not exists (select from unnest(wanted) w
                          where w.role = r.role
                            and w.municipality_id is not distinct from r.municipality_id)
    loop
        begin
            delete from vp.account_role r
            where r.account_id = gone.account_id and r.role = gone.role
              and r.municipality_id is not distinct from gone.municipality_id;
        exception when check_violation then
            get stacked diagnostics violated = constraint_name;
            if violated <> 'last_administrator' then
                raise;
            end if;
        end;
    end loop;
end $$;

-- Begin a session for a person of the provider; `email` is null where it does not count.
-- Who is not known is linked to the account that was invited by that e-mail, or gets one
-- if a group gives a role.
create function shown.log_in_oidc(
    of_subject text, email text, name text, roles jsonb, second_factor boolean,
    sid text, id_token text, new vp.new_session)
returns table (is_complete boolean, has_second_factor boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    of_issuer constant text := vp.require_provider();
    person vp.account;
begin
    -- one after the other: two first logins of a person make one account
    perform from vp.oidc_provider for update;
    select a.* into person
    from vp.identity i join vp.account a using (account_id)
    where i.issuer = of_issuer and i.subject = of_subject;
    if not found then
        select a.* into person from vp.account a where a.email = log_in_oidc.email;
        if not found then
            if email is null or roles = '[]' then
                perform vp.refuse_oidc(
                    case when email is null then 'unverified' else 'unknown' end);
            end if;
            insert into vp.account as a (email, name)
            values (log_in_oidc.email, log_in_oidc.name)
            returning a.* into person;
        elsif person.has_password
              or exists (select from vp.identity i
                         where i.account_id = person.account_id)
        then
            perform vp.refuse_oidc('not-linked');
        end if;
        if person.disabled_at is null then
            insert into vp.identity (issuer, subject, account_id)
            values (of_issuer, of_subject, person.account_id);
            -- the invitation was followed
            delete from vp.account_link l
            where l.account_id = person.account_id and l.used_at is null;
        end if;
    end if;
    if person.disabled_at is not null then
        perform vp.refuse_oidc('disabled');
    end if;
    perform vp.take_over_roles(person.account_id, roles);
    perform vp.begin_session(person.account_id, new);
    insert into vp.oidc_session (
        session_id, issuer, subject, sid, has_second_factor, id_token)
    select s.session_id, of_issuer, of_subject, sid, second_factor, id_token
    from vp.session s where s.sha256 = new.sha256;
    return query
        update vp.session s set is_complete = s.is_complete or second_factor
        where s.sha256 = new.sha256
        returning s.is_complete, person.has_second_factor;
end $$;

-- What the provider said of this transaction's session, if it began it.
create function shown.oidc_session() returns table (issuer text, id_token text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select o.issuer, o.id_token
    from vp.live_session s join vp.oidc_session o using (session_id)
    where s.sha256 = vp.credential()
$$;

-- End sessions that the provider says have ended, of a person or the one that it calls
-- `sid`; returns how many, null if it said so before.
create function shown.end_oidc_sessions(
    of_subject text, of_sid text, jti_sha256 bytea, expires_at timestamptz)
returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    of_issuer constant text := vp.require_provider();
    ended integer;
begin
    delete from vp.oidc_logout l where l.expires_at < now();
    insert into vp.oidc_logout values ($3, $4) on conflict do nothing;
    if not found then
        return null;
    end if;
    delete from vp.session s using vp.oidc_session o
    where o.session_id = s.session_id and o.issuer = of_issuer
      and (of_subject is null or o.subject = of_subject)
      and (of_sid is null or o.sid = of_sid)
      and coalesce(of_subject, of_sid) is not null;
    get diagnostics ended = row_count;
    return ended;
end $$;

-- As in 0037_people.sql: the second factor may have been shown to the provider.
create or replace function shown.renew_session(new_sha256 bytea, strict_roles text[])
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
            or exists (select from vp.oidc_session o
                       where o.session_id = s.session_id and o.has_second_factor)
            or not vp.needs_second_factor(s.account_id, strict_roles))
    where s.session_id = mine.session_id;
    return coalesce(mine.is_outdated, false);
end $$;

-- As in 0039_tokens.sql, and who speaks for the provider.
create or replace function vp.actor(
    out kind text, out name text, out id bigint, out origin text, out via text)
language plpgsql stable security definer set search_path = vp, pg_catalog, pg_temp as $$
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
        select 'token', token_name(t), t.api_token_id
        from api_token t where t.sha256 = viewer
        union all
        select 'account', a.email, a.account_id
        from account a
        where a.account_id in (
            select s.account_id from session s where s.sha256 = viewer
            union all
            select l.account_id from account_link l where l.sha256 = viewer)
        union all
        select 'system', p.issuer, null from oidc_provider p where p.sha256 = viewer
    ) known;
    if not found then
        kind := 'anonymous';
        name := '';
    end if;
end $$;

alter table vp.oidc_provider enable row level security;
alter table vp.identity enable row level security;
alter table vp.oidc_login enable row level security;
alter table vp.oidc_session enable row level security;
alter table vp.oidc_logout enable row level security;

revoke execute on function shown.begin_oidc_login, shown.take_oidc_login,
    shown.link_identity, shown.log_in_oidc, shown.oidc_session, shown.end_oidc_sessions
    from public;
grant execute on function shown.begin_oidc_login, shown.take_oidc_login,
    shown.link_identity, shown.log_in_oidc, shown.oidc_session, shown.end_oidc_sessions
    to vp_actor;

-- Who sees an account sees whether it is linked. Who gives a role that a group gave keeps
-- it from going with the group; a person unlinks the own account, if it has a password.
grant select (issuer, account_id, linked_at), delete on vp.identity to vp_actor;
grant select (issuer, account_id, linked_at) on vp.identity to vp_reader;
create policy reading on vp.identity for select to vp_reader, vp_actor using (
    exists (select from vp.account a where a.account_id = identity.account_id));
create policy unlinking on vp.identity for delete to vp_actor using (
    account_id = (select shown.account())
    and exists (select from vp.account a
                where a.account_id = identity.account_id and a.has_password));
grant update (by_provider) on vp.account_role to vp_actor;
create policy keeping on vp.account_role for update to vp_actor
    using (municipality_id = any((select shown.may('people'))::integer[]));

do $$
begin
    perform vp.watch('oidc_provider', 'oidc_provider',
        $place$ select null::text, entry.issuer::text, '{}'::jsonb $place$,
        array['only_one'], secret => array['sha256']);
    perform vp.watch('identity', 'identity', $place$
        select null::text, a.email::text, '{}'::jsonb
        from account a where a.account_id = entry.account_id $place$);
end $$;
