-- Figures of local days. Nothing of the future is read: a clock that is or was ahead wrote
-- that.

-- name: read_days
-- Local days of sites and a quantity, per direction and for all of them.
select d.site_id, d.day, d.direction, d.volume,
       floor(d.volume_normalised * 10 + 0.5) / 10 as volume_normalised,
       floor(d.volume_estimated * 10 + 0.5) / 10 as volume_estimated,
       d.heavy, floor(d.speed_kmh * 10 + 0.5) / 10 as speed_kmh,
       d.peak_hour, d.peak_volume,
       floor(d.expected * 10000 + 0.5) / 10000 as expected,
       floor(d.observed * 10000 + 0.5) / 10000 as observed,
       floor(d.normalised * 10000 + 0.5) / 10000 as normalised,
       floor(d.imputed * 10000 + 0.5) / 10000 as imputed,
       floor(d.excluded * 10000 + 0.5) / 10000 as excluded,
       d.valid, d.method
from daily_figure d
join site s using (site_id)
join municipality m using (municipality_id)
where d.site_id = any(%(site_ids)s::integer[])
  and d.day <= (now() at time zone m.time_zone)::date
 
  and d.quantity = %(quantity)s
  and (%(direction)s::text is null or d.direction = %(direction)s)
  and d.day >= %(first)s::date and d.day <= %(last)s::date
order by d.site_id, d.day, d.direction

-- name: count_valid_days
-- How many valid local days sites have.
select d.site_id, count(*) as days
from daily_figure d
join site s using (site_id)
where d.site_id = any(%(site_ids)s::integer[])
 
  and d.quantity = %(quantity)s and d.direction = 'all' and d.valid
  and d.day >= %(first)s::date and d.day <= %(last)s::date
group by d.site_id
