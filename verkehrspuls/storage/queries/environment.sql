-- Values of environment quantities. Nothing of the future is read: a clock that is or was ahead wrote
-- that.

-- name: read_environment
-- Hourly means of an environment quantity of a site, per channel. An hour that a person
-- excluded knows nothing but its share.
with chosen as (
    select c.channel_id, c.key
    from {{> at_site}}
), left_out as materialized (
    {{> left_out}}
)
select h.time, chosen.key as channel,
       case when excluded.is_so then 0 else share.of_hour end as observed,
       case when excluded.is_so then share.of_hour else 0 end as excluded,
       case when not excluded.is_so then h.mean end as mean,
       case when not excluded.is_so then h.minimum end as minimum,
       case when not excluded.is_so then h.maximum end as maximum
from environment_hour h
join chosen using (channel_id)
cross join lateral (
    select round(h.observed_s::numeric / 3600, 4)::double precision as of_hour
) share
{{> hours_of_period}}
order by h.time, chosen.key

-- name: read_long_environment
-- Values of an environment quantity of a site over intervals above an hour, per channel,
-- without those that a person excluded or, where they are to be trusted, that are
-- suspected: see vp.suspected.
with chosen as (
    select c.channel_id, c.key
    from {{> at_site}}
), left_out as materialized (
    {{> left_out}}
)
select e.channel_id, e.time, e.interval_s, e.value
from long_environment e
join chosen using (channel_id)
where e.time >= %(start)s and e.time < %(end)s and e.time <= now()
  and not exists (
      select from left_out x
      where x.channel_id = e.channel_id and x.ended > e.time
        and x.began < e.time + make_interval(secs => e.interval_s))
order by e.time, chosen.key

-- name: read_latest_values
-- The newest whole hour, or longer interval where that ended later, of each environment
-- quantity of each site that counts nothing: of the first channel of those that have the
-- newest one, what no person excluded.
with left_out as materialized (
    select channel_id, began, ended from exclusion
)
select distinct on (c.site_id, c.quantity)
       c.site_id, c.quantity, h.time, h.interval_s, h.mean
from channel c
join site s using (site_id)
cross join lateral (
    select newest.*, newest.time + make_interval(secs => newest.interval_s) as ended
    from (
        (select h.time, 3600 as interval_s, h.mean
         from environment_hour h
         where h.channel_id = c.channel_id
           and h.time <= coalesce(%(now)s::timestamptz, now()) - interval '1 hour'
           and not {{> hour_left_out}}
         order by h.time desc
         limit 1)
        union all
        (select l.time, l.interval_s, l.value
         from long_environment l
         where l.channel_id = c.channel_id
           and l.time + make_interval(secs => l.interval_s)
               <= coalesce(%(now)s::timestamptz, now())
           and not exists (
               select from left_out x
               where x.channel_id = l.channel_id
                 and x.began < l.time + make_interval(secs => l.interval_s)
                 and x.ended > l.time)
         order by l.time desc
         limit 1)
    ) newest
    order by ended desc
    limit 1
) h
where not exists (select from channel o
                  where o.site_id = c.site_id and o.quantity = any(%(counted)s::text[]))
order by c.site_id, c.quantity, h.ended desc, c.key

-- name: read_latest_air
-- Of each site that counts nothing: the newest hour in which three quarters of some of
-- the quantities were observed, of all their channels; what no person excluded.
with left_out as materialized (
    select channel_id, began, ended from exclusion
), newest as (
    select c.site_id, c.quantity, h.*,
           max(h.time) over (partition by c.site_id) as last
    from channel c
    join site s using (site_id)
    cross join lateral (
        select h.channel_id, h.time, h.observed_s, h.mean, h.minimum, h.maximum
        from environment_hour h
        where h.channel_id = c.channel_id and h.observed_s >= 2700
          and h.time <= coalesce(%(now)s::timestamptz, now()) - interval '1 hour'
          and not {{> hour_left_out}}
        order by h.time desc
        limit 1
    ) h
    where c.quantity = any(%(quantities)s::text[])
     
      and not exists (
          select from channel o
          where o.site_id = c.site_id and o.quantity = any(%(counted)s::text[]))
)
select site_id, quantity, channel_id, time, observed_s, mean, minimum, maximum
from newest
where time = last
