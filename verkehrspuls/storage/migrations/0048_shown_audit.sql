-- Who has the permission `audit` in a municipality sees what the audit log says of it, and
-- an operator all of it, also of the whole installation; see docs/explanation/audit.md.

-- Whether the viewer is a person who may do something in the whole installation, also
-- where no municipality is, or is any more.
create function shown.may_everywhere(what text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return exists (
        select from vp.account_role r
        join vp.role_permission p on p.role = r.role and p.permission = what
        where r.account_id = shown.account() and r.municipality_id is null);
end $$;

-- The keys of the municipalities whose entries the viewer sees.
create function shown.audited() returns text[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return array(
        select m.key::text from vp.municipality m
        where m.municipality_id = any(shown.may('audit')));
end $$;

revoke execute on function shown.may_everywhere, shown.audited from public;
grant execute on function shown.may_everywhere, shown.audited to vp_reader, vp_actor;

select vp.show('audit', $rule$
    ((select shown.may_everywhere('audit'))
     or t.municipality = any((select shown.audited())::text[])) $rule$);
