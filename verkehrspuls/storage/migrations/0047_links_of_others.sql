-- Who made a link for a person decides on the account alone. With a role elsewhere links
-- that were made before end, also one that is made in the same moment.

-- As in 0046_single_sign_on.sql, and invitations.
create or replace function vp.after_role() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    changed constant vp.account_role := coalesce(new, old);
begin
    update vp.session s set is_outdated = true where s.account_id = changed.account_id;
    if tg_op = 'INSERT' then
        -- one after the other with `vp.check_link`
        perform from vp.account a
        where a.account_id = changed.account_id for no key update;
        delete from vp.account_link l
        where l.account_id = changed.account_id and l.used_at is null
          and (l.purpose = 'reset' or l.purpose = 'invitation' and exists (
              select from vp.account_role r
              where r.account_id = changed.account_id
                and r.municipality_id is distinct from changed.municipality_id));
    elsif old.role = 'administrator' and vp.can_log_in(old.account_id) then
        perform vp.keep_administrator(array[old.municipality_id]);
    end if;
    return null;
end $$;

create function vp.check_link() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform from vp.account a where a.account_id = new.account_id for no key update;
    if not pg_has_role(session_user, current_user, 'usage')
       and not shown.manages(new.account_id)
    then
        raise insufficient_privilege using message = 'others decide on the account as well';
    end if;
    return null;
end $$;
revoke execute on function vp.check_link() from public;
create trigger check_link after insert on vp.account_link
    for each row execute function vp.check_link();
