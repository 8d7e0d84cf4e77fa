-- For whom is read: see docs/adr/0012-access.md.

-- name: take_viewer
-- Read for a viewer from now on, or once: until the transaction ends. Empty is everybody.
select set_config('vp.viewer', %(viewer)s, %(once)s);

-- name: take_actor
-- Act for a viewer until the transaction ends; the audit log notes from where and by what.
select set_config('vp.viewer', %(viewer)s, true),
       set_config('vp.origin', jsonb_build_object(
           'host', %(host)s::text, 'via', %(via)s::text)::text, true);

-- name: role_of_session
-- As whom the session logged in, whether that role may do what only the owner may, and
-- whether it has, or may take, the roles that it needs.
select session_user as role,
       r.rolsuper as is_superuser,
       r.rolbypassrls as bypasses,
       exists (
           select from pg_namespace n
           where n.nspname = 'vp' and pg_has_role(session_user, n.nspowner, 'member')
       ) as owns,
       (select bool_and(o.oid is not null and pg_has_role(session_user, o.oid, 'member'))
        from unnest(%(needed)s::text[]) as name
        left join pg_roles o on o.rolname = name) as is_member
from pg_roles r
where r.rolname = session_user;

-- name: roles_missing
-- Which of the roles are missing, or, of that whom views belong to, not ours to use.
select coalesce(string_agg(name, ', ' order by name), '') as names
from unnest(%(roles)s::text[]) as name
left join pg_roles r on r.rolname = name
where r.oid is null
   or name = 'vp_shown' and not pg_has_role(current_user, r.oid, 'member');
