-- Speed histograms. Nothing of the future is read: a clock that is or was ahead wrote
-- that.

-- name: read_speed_histograms
-- Merged speed histograms of a site's hours, per channel; direction 'all' is all. An hour
-- that a person excluded knows nothing but how much of it there was.
with chosen as (
    select c.channel_id
    from {{> at_site_in_direction}}
), left_out as materialized (
    {{> left_out}}
)
select h.channel_id, h.time,
       case when excluded.is_so then 0 else h.observed_s end as observed_s,
       case when excluded.is_so then h.observed_s else 0 end as excluded_s,
       case when not excluded.is_so then h.counts end as counts,
       case when not excluded.is_so then h.open_kmh end as open_kmh,
       case when not excluded.is_so then h.rebinned end as rebinned,
       case when not excluded.is_so then h.refused end as refused
from speed_histogram h
join chosen using (channel_id)
{{> hours_of_period}}
order by h.time, h.channel_id
