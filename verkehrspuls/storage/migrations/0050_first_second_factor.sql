-- The first second factor of an account ends the sessions that have not shown it.
create function vp.after_second_factor() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from vp.session s
    where s.account_id = new.account_id and s.sha256 is distinct from vp.credential();
    return null;
end $$;
revoke execute on function vp.after_second_factor() from public;
create trigger after_second_factor after update on vp.account
    for each row when (new.has_second_factor and not old.has_second_factor)
    execute function vp.after_second_factor();
