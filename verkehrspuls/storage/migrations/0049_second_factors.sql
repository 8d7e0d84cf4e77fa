-- What somebody is asked for after the password, and what audit entries of cases are named.

-- What second factors the person of this session has, whether it is complete or not.
create function shown.second_factors()
returns table (codes boolean, passkeys boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select a.totp_secret is not null, a.passkeys > 0
    from vp.own_session() mine
    join vp.account a using (account_id)
$$;
revoke execute on function shown.second_factors from public;
grant execute on function shown.second_factors to vp_reader, vp_actor;

-- Assigning a case is no decision. What watches decisions gets a name of its own; else it
-- is as in 0040_casework.sql.
alter trigger audit on vp.anomaly_case rename to audit_assigned;
alter function vp.audit_anomaly_case() rename to audit_case_assigned;
do $$
declare
    of_case constant text := pg_get_functiondef('vp.audit_case_assigned'::regproc);
begin
    execute replace(of_case, $verb$'decide'$verb$, $verb$'assign'$verb$);
    execute replace(of_case, 'audit_case_assigned', 'audit_anomaly_case');
end $$;
revoke execute on function vp.audit_anomaly_case() from public;
drop trigger audit_assigned on vp.anomaly_case;
create trigger audit_assigned after update of assigned_to on vp.anomaly_case
    for each row execute function vp.audit_case_assigned();
create trigger audit after update of state, effect on vp.anomaly_case
    for each row execute function vp.audit_anomaly_case();
