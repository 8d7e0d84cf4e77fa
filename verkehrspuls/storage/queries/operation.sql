-- Sums over everything, for the operator and for caches; whatever the visibility.

-- name: count_changes
-- How many transactions changed what pages show; no public text, so without `visible`.
select coalesce(sum(changes), 0)::bigint as changes from vp.change

-- name: sum_ledger
-- The whole ledger per municipality, by its running sums; null is that of no known
-- sensor.
select m.key as municipality,
       {{sum(l.$tally)::bigint as $tally}}
from vp.ledger_sum l
left join vp.municipality m using (municipality_id)
group by m.key
order by m.key

-- name: count_rejected
-- Rejected messages by reason: all that ever were, and those of them that were only
-- counted because there was no room; replays are not counted again.
select reason, sum(messages)::bigint as messages,
       sum(messages - kept)::bigint as only_counted
from vp.ledger_reject_sum
where slot <> 101
group by reason
order by reason

-- name: count_open_cases
-- Current cases per municipality that has sites, those without a case too.
select m.key as municipality, count(a.anomaly_case_id) as cases
from vp.municipality m
join vp.site s using (municipality_id)
left join vp.anomaly_case a on a.site_id = s.site_id
    and vp.case_stands(a, now(), %(current_days)s) = 'current'
group by m.key
order by m.key

-- name: read_work
-- What is left to compute, and how long ago the newest committed message came from a
-- broker: what is imported or replayed is no sign of one that still sends.
select (select count(*) from vp.stale_bucket) as stale_buckets,
       (select extract(epoch from now() - max(newest.last_received_at))
        from (
            (select l.last_received_at
             from vp.sensor e
             cross join lateral vp.last_heard(e.sensor_id, 100) l)
            union all
            (select l.last_received_at
             from vp.ledger l
             where l.sensor_id is null and l.hour <= now() and l.slot < 100
             order by l.hour desc, l.last_received_at desc
             limit 1)
        ) newest)::double precision as since_last_commit_s,
       (select min(certificate_ends) from vp.ingest_session) as certificate_ends
