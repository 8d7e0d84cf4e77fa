-- The audit log calls undoing a decision so, and says of refused logins in which towns the
-- account has roles, so that their administrators see them.

-- Note that the login of an account was refused: once in each of its towns, and once if it
-- has none or there is no such account. Who is refused learns none of it.
create function vp.note_refusal(action text, of_email text, after jsonb default null)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vp.note_audit(action, coalesce(whom.email, ''), whom.municipality, after => $3)
    from (
        select distinct a.email, m.key::text as municipality
        from (values (of_email)) given (email)
        left join vp.account a on a.email = given.email
        left join vp.account_role r on r.account_id = a.account_id
        left join vp.municipality m on m.municipality_id = r.municipality_id
    ) whom;
end $$;
revoke execute on function vp.note_refusal(text, text, jsonb) from public;

create or replace function shown.log_in(
    of_email text, proof text, renewed text, new vp.new_session)
returns table (is_complete boolean, has_second_factor boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
    else
        perform vp.note_refusal('session.refuse', of_email);
    end if;
end $$;

create or replace function shown.refuse_passkey(credential bytea, reason text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select vp.note_refusal(
        'passkey.refuse', a.email,
        after => jsonb_build_object('name', p.name, 'reason', left(reason, 200)))
    from vp.passkey p join vp.account a using (account_id)
    where p.credential_id = credential
$$;

-- `vp.undone` is the case whose decision this transaction undoes. It only names the entry.
do $$
declare
    decided constant text := pg_get_functiondef('vp.audit_anomaly_case'::regproc);
begin
    execute replace(decided, $verb$'decide'$verb$, $verb$
        case current_setting('vp.undone', true)
            when entry.anomaly_case_id::text then 'undo' else 'decide' end$verb$);
end $$;
