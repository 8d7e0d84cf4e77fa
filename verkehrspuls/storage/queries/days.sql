-- Figures of local days. Only sites whose visibility is
-- in `visible` are read, and nothing that lies in the future: that is of a clock that is,
-- or was, ahead.

-- name: read_days
-- Local days of sites and a quantity, per direction and for all of them.
select d.site_id, d.day, d.direction, d.volume,
       round(d.volume_normalised::numeric, 1)::double precision as volume_normalised,
       round(d.volume_estimated::numeric, 1)::double precision as volume_estimated,
       d.heavy, round(d.speed_kmh::numeric, 1)::double precision as speed_kmh,
       d.peak_hour, d.peak_volume,
       round(d.expected::numeric, 4)::double precision as expected,
       round(d.observed::numeric, 4)::double precision as observed,
       round(d.normalised::numeric, 4)::double precision as normalised,
       round(d.imputed::numeric, 4)::double precision as imputed,
       round(d.excluded::numeric, 4)::double precision as excluded,
       d.valid, d.method
from vp.daily_figure d
join vp.site s using (site_id)
join vp.municipality m using (municipality_id)
where d.site_id = any(%(site_ids)s::integer[])
  and d.day <= (now() at time zone m.time_zone)::date
  and s.visibility = any(%(visible)s::text[])
  and d.quantity = %(quantity)s
  and (%(direction)s::text is null or d.direction = %(direction)s)
  and d.day >= %(first)s::date and d.day <= %(last)s::date
order by d.site_id, d.day, d.direction

-- name: count_valid_days
-- How many valid local days sites have.
select d.site_id, count(*) as days
from vp.daily_figure d
join vp.site s using (site_id)
where d.site_id = any(%(site_ids)s::integer[])
  and s.visibility = any(%(visible)s::text[])
  and d.quantity = %(quantity)s and d.direction = 'all' and d.valid
  and d.day >= %(first)s::date and d.day <= %(last)s::date
group by d.site_id
