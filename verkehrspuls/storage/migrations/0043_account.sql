-- As in 0037_people.sql, in PL/pgSQL, which keeps its plan: it runs for each statement of
-- who is logged in.
create or replace function shown.account() returns integer
language plpgsql stable security definer set search_path = pg_catalog as $$
begin
    return (
        select s.account_id from vp.live_session s
        where s.sha256 = vp.credential() and s.is_complete and not s.is_outdated);
end $$;
