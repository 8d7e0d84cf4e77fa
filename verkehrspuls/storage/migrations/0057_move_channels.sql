-- Sites are renamed, merged and split; addresses with an old key lead to the new one.

create table vp.site_redirect (
    municipality_id integer not null references vp.municipality,
    key vp.key not null,
    site_id integer not null references vp.site on delete cascade,
    primary key (municipality_id, key)
);
create index on vp.site_redirect (site_id);
comment on table vp.site_redirect is 'Keys that sites had before, or whose channels they took.';
select vp.show('site_redirect', vp.seen_by('site'));
select vp.let_act('site_redirect', $rule$
    municipality_id = any((select shown.may('register'))::integer[]) $rule$);
grant select, insert, update, delete on vp.site_redirect to vp_actor;
grant select on vp.site_redirect to vp_ingest, vp_analytics;

-- Move channels to another site of the municipality. Their readings and cases go with
-- them; the days of both sites are computed anew.
create function shown.move_channels(moved integer[], target integer) returns void
language plpgsql security definer set search_path = vp, pg_catalog, pg_temp as $$
declare
    town integer := (select s.municipality_id from site s where s.site_id = target);
    sources integer[];
begin
    if not coalesce(shown.registers(town), false) or exists (
        select from channel c join site s using (site_id)
        where c.channel_id = any(moved) and s.municipality_id <> town)
    then
        raise insufficient_privilege using
            message = 'channels are moved by who may register in their municipality';
    end if;
    sources := array(
        select distinct c.site_id from channel c
        where c.channel_id = any(moved) and c.site_id <> target);
    update channel c
    set site_id = target,
        audience = (select s.audience from site s where s.site_id = target)
    where c.channel_id = any(moved);
    update anomaly_case a set site_id = target where a.channel_id = any(moved);
    -- one hour of each day is enough for the day to be computed
    insert into stale_bucket (channel_id, hour)
    select of_site.channel_id,
           date_trunc('hour', (d.day + time '12:00') at time zone m.time_zone, 'UTC')
    from (select distinct f.day from daily_figure f
          where f.site_id = any(sources || target)) d
    cross join (select c.site_id, min(c.channel_id) as channel_id from channel c
                where c.site_id = any(sources || target)
                group by c.site_id) of_site
    join municipality m on m.municipality_id = town;
    delete from daily_figure f
    where f.site_id = any(sources)
      and not exists (select from channel c where c.site_id = f.site_id
                                              and c.quantity = f.quantity);
    delete from stale_day d
    where d.site_id = any(sources)
      and not exists (select from channel c where c.site_id = d.site_id);
end $$;
revoke execute on function shown.move_channels from public;
grant execute on function shown.move_channels to vp_actor;

do $$
begin
    perform vp.watch('site_redirect', 'site_redirect', $place$
        select m.key::text, m.key || '/' || entry.key, jsonb_build_object('site', (
            select s.key from site s where s.site_id = entry.site_id))
        from municipality m where m.municipality_id = entry.municipality_id $place$);
end $$;
