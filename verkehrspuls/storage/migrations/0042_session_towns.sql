-- A session says the names of its towns, for people who are logged in there.
create or replace function shown.session()
returns table (
    session_id bigint, account_id integer, email text, name text, is_complete boolean,
    has_second_factor boolean, is_outdated boolean, is_due boolean,
    created_at timestamptz, expires_at timestamptz, roles jsonb)
language sql stable security definer set search_path = pg_catalog as $$
    select s.session_id, a.account_id, a.email, a.name, s.is_complete,
           a.has_second_factor, s.is_outdated,
           s.is_outdated or s.seen_at < now() - interval '1 minute',
           s.created_at, s.expires_at,
           (select coalesce(jsonb_agg(jsonb_build_array(m.key, r.role, m.name)
                                      order by m.key, r.role), '[]')
            from vp.account_role r left join vp.municipality m using (municipality_id)
            where r.account_id = a.account_id)
    from vp.live_session s join vp.account a using (account_id)
    where s.sha256 = vp.credential()
$$;
