-- What persons do with cases: who did it, whom a case is assigned to, and undoing.

-- NULL: nobody
alter table vp.anomaly_case
    add column assigned_to integer references vp.account on delete set null;
create index on vp.anomaly_case (assigned_to) where assigned_to is not null;

alter table vp.case_event
    -- NULL: an account's; else the name of a token, or what a command was given
    alter column who drop not null,
    add column account_id integer references vp.account on delete set null,
    -- of older events by persons nothing more is known
    add column acted_as text not null default 'person'
        check (acted_as in ('detectors', 'planner', 'engineer', 'token', 'command',
                            'person')),
    -- whom a case was assigned to
    add column assignee_id integer references vp.account on delete set null,
    drop constraint case_event_kind_check,
    add constraint case_event_kind_check
        check (kind in ('opened', 'raised', 'withdrawn', 'returned', 'decided', 'comment',
                        'assigned', 'undone'));
create index on vp.case_event (account_id) where account_id is not null;
update vp.case_event set acted_as = 'detectors' where who = 'detectors';

-- Whether the viewer decides cases of a municipality; a command of the operator does.
create function shown.decides(town integer) returns boolean
language sql stable security definer set search_path = pg_catalog as $$
    select pg_has_role(session_user, current_user, 'usage')
        or town = any(shown.may('cases'))
$$;

create function vp.case_people(town integer) returns setof vp.account
language sql stable as $$
    select a.*
    from vp.account a
    where a.has_password and a.disabled_at is null and exists (
        select from vp.account_role r
        join vp.role_permission p on p.role = r.role and p.permission = 'cases'
        where r.account_id = a.account_id and r.municipality_id = town)
$$;

-- To whom a case of a municipality can be assigned: for those who decide there.
create function shown.case_people(town text)
returns table (account_id integer, email text, name text)
language sql stable security definer set search_path = pg_catalog as $$
    select a.account_id, a.email, a.name
    from vp.municipality m cross join lateral vp.case_people(m.municipality_id) a
    where m.key = town and m.removed_at is null and shown.decides(m.municipality_id)
    order by a.name, a.email
$$;

-- The name of a person who works, or worked, on cases of a municipality: for those who
-- belong to it.
create function shown.person(account integer, town integer) returns text
language sql stable security definer set search_path = pg_catalog as $$
    select a.name
    from vp.account a
    where a.account_id = account
      and (shown.decides(town) or town = any(shown.may('view')))
      and (exists (select from vp.account_role r
                   where r.account_id = account and r.municipality_id = town)
           or exists (select from vp.case_event e
                      join vp.anomaly_case c using (anomaly_case_id)
                      join vp.site s using (site_id)
                      where account in (e.account_id, e.assignee_id)
                        and s.municipality_id = town))
$$;

revoke execute on function shown.decides, shown.case_people, shown.person from public;
grant execute on function shown.decides, shown.case_people, shown.person
    to vp_reader, vp_actor, vp_analytics;

-- Who did what: over the web the credential says it, and nothing that the web says.
create function vp.sign_case_event() returns trigger
language plpgsql security definer set search_path = vp, pg_catalog as $$
declare
    of_actor record;
begin
    select * into of_actor from actor();
    new.account_id := null;
    if of_actor.kind = 'account' then
        new.account_id := of_actor.id;
        new.who := null;
        select r.role into new.acted_as
        from account_role r
        join role_permission p on p.role = r.role and p.permission = 'cases'
        join site s on s.municipality_id = r.municipality_id
        join anomaly_case a on a.site_id = s.site_id
        where a.anomaly_case_id = new.anomaly_case_id and r.account_id = of_actor.id
        order by r.role = 'planner' desc, r.role
        limit 1;
    elsif of_actor.kind = 'token' then
        new.who := of_actor.name;
        new.acted_as := 'token';
    else
        new.acted_as := case new.who when 'detectors' then 'detectors' else 'command' end;
    end if;
    return new;
end $$;
revoke execute on function vp.sign_case_event() from public;
create trigger sign_case_event before insert on vp.case_event
    for each row execute function vp.sign_case_event();

-- A case is assigned to somebody who may decide it.
create function vp.check_assignee() returns trigger
language plpgsql security definer set search_path = vp, pg_catalog as $$
begin
    if not exists (
        select from site s cross join lateral case_people(s.municipality_id) a
        where s.site_id = new.site_id and a.account_id = new.assigned_to)
    then
        raise check_violation using
            message = 'that person may not decide the case', constraint = 'assignee';
    end if;
    return new;
end $$;
revoke execute on function vp.check_assignee() from public;
create trigger check_assignee before update of assigned_to on vp.anomaly_case
    for each row when (new.assigned_to is distinct from old.assigned_to
                       and new.assigned_to is not null)
    execute function vp.check_assignee();

grant update (assigned_to) on vp.anomaly_case to vp_actor;

-- Names leave for those only who belong to the municipality.
do $$
declare
    belongs constant text := $rule$
        s.municipality_id = any((
            select shown.may('view') || shown.may('cases'))::integer[]) $rule$;
begin
    perform vp.show('anomaly_case', vp.seen_by('site'), '{assigned_to}', $rule$
        exists (select from vp.site s where s.site_id = t.site_id and $rule$
        || belongs || ')');
    perform vp.show('case_event', vp.seen_by('case'), '{who,account_id,assignee_id}', $rule$
        exists (select from vp.anomaly_case a join vp.site s using (site_id)
                where a.anomaly_case_id = t.anomaly_case_id and $rule$
        || belongs || ')');
end $$;

-- The audit log notes assigning and undoing as well; see 0036_audit.sql.
drop trigger audit on vp.anomaly_case;
drop trigger audit on vp.case_event;
drop function vp.audit_anomaly_case();
drop function vp.audit_case_event();
do $$
declare
    of_case constant text := $place$
        select m.key::text, entry.anomaly_case_id::text, %s
        from anomaly_case a
        join site s using (site_id)
        join municipality m using (municipality_id)
        where a.anomaly_case_id = entry.anomaly_case_id $place$;
begin
    perform vp.watch('anomaly_case', 'case', format(of_case, $named$
        jsonb_build_object('assigned_to', (
            select p.email from account p where p.account_id = entry.assigned_to))
        $named$), array['updated_at'],
        changes => 'update of state, effect, assigned_to', verb => 'decide');
    perform vp.watch('case_event', 'case', format(of_case, $named$ '{}'::jsonb $named$),
        array['at', 'kind', 'severity', 'acted_as'], changes => 'insert',
        verb => 'comment', condition => $when$
            new.kind in ('decided', 'comment', 'assigned', 'undone')
            and new.comment <> '' $when$);
end $$;
