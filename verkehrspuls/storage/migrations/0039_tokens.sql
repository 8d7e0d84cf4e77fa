-- Tokens with a scope: permissions in a municipality, given by a person or the operator.
-- See docs/adr/0012-access.md.

alter table vp.api_token rename column note to name;
alter table vp.api_token
    alter column name type vp.words using left(vp.without_controls(name), 1000),
    -- NULL: the whole installation
    alter column municipality_id drop not null,
    -- NULL: made by the operator, else it permits what this person may
    add column account_id integer references vp.account on delete cascade,
    add column permissions text[];
update vp.api_token set permissions = array[purpose];
alter table vp.api_token
    drop column purpose,
    alter column permissions set not null,
    add check (permissions <@ '{view,cases,readings,installation}'
               and permissions <> '{}'),
    add check ((municipality_id is null) = ('installation' = any(permissions))
               and (municipality_id is not null or permissions = '{installation}')),
    add check (sensor_id is null or 'readings' = any(permissions)),
    add check (account_id is null
               or name ~ '\S' and length(name) <= 200
               and expires_at is not null
               and expires_at <= created_at + interval '366 days'),
    add unique (sha256);
create index on vp.api_token (account_id);
comment on table vp.api_token is
    'Tokens of programs, each with permissions in a municipality; kept as a hash only.';
comment on column vp.api_token.last_used_at is 'To the minute.';
alter table vp.idempotent_request
    drop constraint idempotent_request_api_token_id_fkey,
    add foreign key (api_token_id) references vp.api_token on delete cascade;

-- How a token is named where something is noted of it: with the person, who chose its name.
create function vp.token_name(token vp.api_token) returns text
language sql stable set search_path = pg_catalog as $$
    select coalesce(nullif(token.name, ''), token.prefix)
           || coalesce((select ' (' || a.name || ')' from vp.account a
                        where a.account_id = token.account_id), '')
$$;
revoke execute on function vp.token_name from public;

-- Tokens that are valid now, with what they permit: of a person's, what the person may.
create view vp.live_token as
select t.*,
       vp.token_name(t) as full_name,
       case when t.account_id is null then t.permissions else array(
           select p.permission
           from unnest(t.permissions) as p(permission)
           where exists (
               select from vp.account_role r
               join vp.role_permission o using (role)
               where r.account_id = t.account_id and o.permission = p.permission
                 and (r.municipality_id = t.municipality_id or r.municipality_id is null)))
       end as permitted
from vp.api_token t
left join vp.account a using (account_id)
where t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
  and a.disabled_at is null;
comment on view vp.live_token is 'Tokens that are valid now, and what they permit.';

-- `vp.viewer` is the SHA-256 of a credential in hex, and, after a colon, the permission
-- that it is used for: without one it is `view`.
create or replace function vp.credential() returns bytea language sql stable as $$
    select case when current_setting('vp.viewer', true) ~ '^[0-9a-f]{64}(:[a-z]+)?$'
                then decode(left(current_setting('vp.viewer', true), 64), 'hex') end
$$;

-- Where the viewer may do something: by a token, or by the roles of a person. (In
-- PL/pgSQL, which keeps its plans.)
create or replace function shown.may(what text) returns integer[]
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
    viewer constant bytea := vp.credential();
begin
    if viewer is null then
        return '{}';
    end if;
    return array(
        select m.municipality_id
        from vp.live_token t
        join vp.municipality m
          on m.municipality_id = coalesce(t.municipality_id, m.municipality_id)
        where t.sha256 = viewer and what = any(t.permitted) and m.removed_at is null
        union
        select m.municipality_id
        from vp.account_role r
        join vp.role_permission p on p.role = r.role and p.permission = what
        join vp.municipality m
          on m.municipality_id = coalesce(r.municipality_id, m.municipality_id)
        where r.account_id = (select shown.account()) and m.removed_at is null);
end $$;
-- A credential shows the sites of the municipalities where it permits what it is used for.
create or replace function shown.audiences() returns integer[]
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
    towns integer[];
begin
    if vp.credential() is null then
        return '{0}';
    end if;
    towns := shown.may(
        coalesce(nullif(substr(current_setting('vp.viewer', true), 66), ''), 'view'));
    return case when towns = '{}' then '{0}' else '{0,-1}'::integer[] || towns end;
end $$;

-- The token of this transaction's credential, if it is valid.
create function shown.token()
returns table (
    api_token_id integer, municipality text, sensor text, name text, permissions text[],
    is_due boolean)
language plpgsql stable security definer set search_path = pg_catalog as $$
begin
    return query
        select t.api_token_id, coalesce(m.key, ''), e.key::text, t.full_name, t.permitted,
               t.last_used_at is null
               or t.last_used_at not between now() - interval '1 minute' and now()
        from vp.live_token t
        left join vp.municipality m using (municipality_id)
        left join vp.sensor e using (sensor_id)
        where t.sha256 = vp.credential();
end $$;

create function shown.note_token_use() returns void
language sql security definer set search_path = pg_catalog as $$
    update vp.api_token t set last_used_at = now() where t.sha256 = vp.credential()
$$;
revoke execute on function shown.token, shown.note_token_use from public;
grant execute on function shown.token to vp_reader, vp_actor;
grant execute on function shown.note_token_use to vp_actor;

-- A person sees and revokes the own tokens, and who may `tokens` in a municipality all of
-- it. A person gives what the person has, and a token gives nothing.
revoke all on vp.api_token from vp_actor;
grant select (
    api_token_id, prefix, municipality_id, sensor_id, account_id, name, permissions,
    created_at, expires_at, last_used_at, revoked_at)
    on vp.api_token to vp_reader, vp_actor;
grant insert (
    prefix, sha256, municipality_id, sensor_id, account_id, name, permissions, expires_at)
    on vp.api_token to vp_actor;
grant update (revoked_at) on vp.api_token to vp_actor;
drop policy acting on vp.api_token;
create policy reading on vp.api_token for select to vp_reader, vp_actor using (
    account_id = (select shown.account())
    or municipality_id = any((select shown.may('tokens'))::integer[]));
create policy revoking on vp.api_token for update to vp_actor
    using (account_id = (select shown.account())
           or municipality_id = any((select shown.may('tokens'))::integer[]))
    with check (revoked_at is not null);
create policy giving on vp.api_token for insert to vp_actor with check (
    account_id = (select shown.account())
    and municipality_id is not null
    and not exists (
        select from unnest(permissions) as p(permission)
        where municipality_id <> all(shown.may(p.permission))));
drop policy acting on vp.idempotent_request;
create policy acting on vp.idempotent_request to vp_actor
    using (api_token_id = (select t.api_token_id from shown.token() t));

-- As in 0037_people.sql.
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
        select 'token', token_name(t), t.api_token_id
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

drop function vp.audit_api_token() cascade;
select vp.watch('api_token', 'token', $place$
    select (select m.key from municipality m
            where m.municipality_id = entry.municipality_id)::text,
           entry.prefix,
           jsonb_build_object(
               'sensor', (
                   select e.key from sensor e where e.sensor_id = entry.sensor_id),
               'account', (
                   select a.email from account a
                   where a.account_id = entry.account_id)) $place$,
    array['sha256', 'last_used_at']);
