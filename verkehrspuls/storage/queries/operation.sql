-- Sums over everything, for the operator and for caches.

-- name: count_changes
-- How many transactions changed what pages show; a number, and no text.
select coalesce(sum(changes), 0)::bigint as changes from change

-- name: sum_ledger
-- The whole ledger per municipality, by its running sums; null is that of no known
-- sensor.
select m.key as municipality,
       {{sum(l.$tally)::bigint as $tally}}
from ledger_sum l
left join municipality m using (municipality_id)
group by m.key
order by m.key

-- name: count_rejected
-- Rejected messages by reason: all that ever were, and those of them that were only
-- counted because there was no room; replays are not counted again.
select reason, sum(messages)::bigint as messages,
       sum(messages - kept)::bigint as only_counted
from ledger_reject_sum
where slot <> 101
group by reason
order by reason

-- name: count_open_cases
-- Current cases per municipality that has sites, those without a case too.
select m.key as municipality, count(a.anomaly_case_id) as cases
from municipality m
join site s using (municipality_id)
left join anomaly_case a on a.site_id = s.site_id
    and vp.case_stands(a.withdrawn_at, a.state, a.ended, a.opened_at, now(), %(current_days)s) = 'current'
group by m.key
order by m.key

-- name: read_work
-- What is left to compute, and how long ago the newest message came.
select stale_buckets, since_last_commit_s, certificate_ends from shown.work()
