-- The audit log says when somebody tried to log in and was refused. An e-mail without an
-- account is not noted: it may be a password that was typed into the wrong field. The
-- entry is made all the same, so that both take as long.
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
        perform vp.note_audit('session.refuse', coalesce(
            (select a.email from vp.account a where a.email = of_email), ''));
    end if;
end $$;
