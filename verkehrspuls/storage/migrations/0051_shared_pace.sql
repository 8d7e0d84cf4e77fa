-- How much of its limits a minute each client has used, as web servers share it; see
-- api/pace.py. After a crash it is empty.
create unlogged table vp.bucket (
    -- of the limit, and an address, account or token, so that none is kept of strangers
    client vp.digest primary key,
    -- 1 is the limit; so much runs out in a minute
    fill double precision not null check (fill between 0 and 1000),
    filled_at timestamptz not null
);
comment on table vp.bucket is
    'Limits a minute that clients came near to within the last minute, of all servers.';

-- Add to buckets, and return how full each is. A clock that goes back empties none.
create function shown.fill_buckets(clients text[], added double precision[])
returns table (fill double precision)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query
        with given as (
            select vp.subject_of(g.client) as client, g.added, g.number
            from unnest(clients, added) with ordinality as g (client, added, number)
        ), filled as (
            insert into vp.bucket as b (client, fill, filled_at)
            -- in one order, so that no two servers wait for each other
            select g.client, least(1000, g.added), now() from given g order by g.client
            on conflict (client) do update set
                fill = least(1000, excluded.fill + greatest(0, b.fill - greatest(
                    0, extract(epoch from now() - b.filled_at) / 60))),
                filled_at = now()
            returning b.client, b.fill
        )
        select f.fill from given g join filled f using (client) order by g.number;
    -- what is empty, and what a clock that was ahead left
    delete from vp.bucket b
    where b.client in (
        select old.client from vp.bucket old
        where old.filled_at not between now() - old.fill * interval '1 minute'
                                    and now() + interval '1 minute'
        for update skip locked);
end $$;
revoke execute on function shown.fill_buckets from public;
grant execute on function shown.fill_buckets to vp_actor;
