-- The ledger: what is written besides the counts, its proof, and rejected messages.

-- name: add_to_ledger_rejects
-- Add a batch's rejects, by reason, to the rows of this worker's slot, and to its sums.
with summed as (
    insert into ledger_reject_sum as s (slot, reason, messages, kept)
    values (%(slot)s, %(reason)s, %(messages)s, %(kept)s)
    on conflict (slot, reason) do update set
        messages = s.messages + excluded.messages,
        kept = s.kept + excluded.kept
)
insert into ledger_reject as l
    (slot, sensor_id, hour, reason, messages, kept, readings)
values (%(slot)s, %(sensor_id)s, %(hour)s, %(reason)s, %(messages)s, %(kept)s,
        %(readings)s)
on conflict (slot, sensor_id, hour, reason) do update set
    messages = l.messages + excluded.messages,
    kept = l.kept + excluded.kept,
    readings = l.readings + excluded.readings;

-- name: count_kept_rejects
-- How much room the rejected messages take that are kept, a large one that of several;
-- counting ends at the bound.
select coalesce(sum(greatest(1, ceil(size / %(reject_bytes)s))), 0)::bigint as kept
from (select octet_length(payload)::numeric as size
      from rejected_message limit %(most)s) kept;

-- name: add_dropped_fields
-- Count fields that were left out of readings, with the last value of each.
insert into ledger_field as l (slot, sensor_id, hour, field, problem, value, fields)
values (%(slot)s, %(sensor_id)s, %(hour)s, %(field)s, %(problem)s, %(value)s,
        %(fields)s)
on conflict (slot, sensor_id, hour, field, problem) do update set
    fields = l.fields + excluded.fields, value = excluded.value;

-- name: dropped_fields
-- The fields that were left out of readings in a period, by sensor; of a site those of
-- the sensors that were ever attached to it.
select m.key as municipality, e.key as sensor, l.field, l.problem,
       (array_agg(l.value order by l.hour desc))[1] as value,
       sum(l.fields)::bigint as fields, min(l.hour) as first_hour,
       max(l.hour) as last_hour
from ledger_field l
join sensor e using (sensor_id)
join municipality m using (municipality_id)
where {{> chosen_sensors}}
  and (%(site)s::text is null or l.sensor_id in (
      select i.sensor_id
      from installation i
      join channel c using (channel_id)
      join site s using (site_id)
      where s.key = %(site)s and s.municipality_id = m.municipality_id))
  and (%(start)s::timestamptz is null or l.hour >= %(start)s)
  and (%(end)s::timestamptz is null or l.hour < %(end)s)
  and l.slot <> 101
group by 1, 2, 3, 4
order by 1, 2, 3, 4;

-- name: reject_examples
-- Of what sensors and reasons a message is kept already, from an hour of receipt on.
select distinct sensor_id, reason, hour
from ledger_reject
where hour >= %(hour)s and kept > 0;

-- name: begin_sequences
-- Make the rows of sequences that are new, so that they can be locked.
insert into sequence (sensor_id, kind, lost, resets, state)
select sensor_id, kind, 0, 0, '{}'
from unnest(%(sensors)s::integer[], %(kinds)s::text[]) as given (sensor_id, kind)
order by sensor_id, kind
on conflict do nothing;

-- name: take_sequences
-- Lock sequences, in the order of their keys, and read them.
select s.sensor_id, s.kind, s.state::text as state
from sequence s
join unnest(%(sensors)s::integer[], %(kinds)s::text[]) as given (sensor_id, kind)
    using (sensor_id, kind)
order by s.sensor_id, s.kind
for update of s;

-- name: put_sequences
-- Write back what is known now; the states are lines of JSON.
update sequence s
set lost = given.lost, resets = given.resets, state = given.state::jsonb
from unnest(%(sensors)s::integer[], %(kinds)s::text[], %(lost)s::bigint[],
            %(resets)s::integer[], string_to_array(%(states)s, chr(10)))
    as given (sensor_id, kind, lost, resets, state)
where s.sensor_id = given.sensor_id and s.kind = given.kind;

-- name: ledger_sums_differ
-- Rows of the ledger in which outcomes and rejects by reason do not add up.
with rejects as (
    select slot, sensor_id, hour,
           sum(messages)::bigint as messages, sum(readings)::bigint as readings
    from ledger_reject
    group by slot, sensor_id, hour
)
select l.slot, m.key as municipality, e.key as sensor, l.hour,
       l.messages_received
           - l.messages_accepted - l.messages_partly_accepted - l.messages_rejected
           - l.messages_unknown_sensor as messages,
       l.readings_received
           - l.readings_stored - l.readings_duplicate - l.readings_corrected
           - l.readings_rejected as readings,
       l.messages_partly_accepted + l.messages_rejected + l.messages_unknown_sensor
           - coalesce(r.messages, 0) as reject_messages,
       l.readings_rejected - coalesce(r.readings, 0) as reject_readings
from ledger l
left join rejects r
    on r.slot = l.slot and r.hour = l.hour
    and coalesce(r.sensor_id, 0) = coalesce(l.sensor_id, 0)
left join sensor e on e.sensor_id = l.sensor_id
left join municipality m using (municipality_id)
where l.messages_received <> l.messages_accepted + l.messages_partly_accepted
          + l.messages_rejected + l.messages_unknown_sensor
   or l.readings_received <> l.readings_stored + l.readings_duplicate
          + l.readings_corrected + l.readings_rejected
   or l.messages_partly_accepted + l.messages_rejected + l.messages_unknown_sensor
          <> coalesce(r.messages, 0)
   or l.readings_rejected <> coalesce(r.readings, 0)
union all
-- rejects that the ledger knows nothing of
select r.slot, m.key, e.key, r.hour, 0, 0, -r.messages, -r.readings
from rejects r
left join ledger l
    on l.slot = r.slot and l.hour = r.hour
    and coalesce(l.sensor_id, 0) = coalesce(r.sensor_id, 0)
left join sensor e on e.sensor_id = r.sensor_id
left join municipality m using (municipality_id)
where l.slot is null
order by 4, 2, 3;

-- name: ledger_readings_differ
-- Sensors and hours of receipt where the ledger says other than the tables. A reading
-- stored or corrected is a version: revision 0, or a later one; it is in its table, in
-- the history once it was replaced, or was counted when retention dropped it.
with counted as (
    select sensor_id, hour, sum(readings_stored) as stored,
           sum(readings_corrected) as corrected
    from ledger
    where sensor_id is not null
    group by sensor_id, hour
), versions as (
    select sensor_id, received_at, revision from count_reading
    union all
    select sensor_id, received_at, revision from count_reading_history
    union all
    select sensor_id, received_at, revision from environment_reading
    union all
    select sensor_id, received_at, revision from environment_reading_history
), there as (
    select sensor_id, date_trunc('hour', received_at, 'UTC') as hour,
           count(*) filter (where revision = 0) as stored,
           count(*) filter (where revision > 0) as corrected
    from versions
    group by 1, 2
), gone as (
    select sensor_id, hour,
           coalesce(sum(dropped) filter (where outcome = 'stored'), 0) as stored,
           coalesce(sum(dropped) filter (where outcome = 'corrected'), 0) as corrected
    from ledger_dropped
    where outcome in ('stored', 'corrected')
    group by 1, 2
), compared as (
    select sensor_id, hour,
           coalesce(counted.stored, 0) as stored,
           coalesce(there.stored, 0) as stored_there,
           coalesce(gone.stored, 0) as stored_dropped,
           coalesce(counted.corrected, 0) as corrected,
           coalesce(there.corrected, 0) as corrected_there,
           coalesce(gone.corrected, 0) as corrected_dropped
    from counted
    full join there using (sensor_id, hour)
    full join gone using (sensor_id, hour)
)
select m.key as municipality, e.key as sensor, c.hour,
       c.stored::bigint, c.stored_there::bigint, c.stored_dropped::bigint,
       c.corrected::bigint, c.corrected_there::bigint, c.corrected_dropped::bigint
from compared c
left join sensor e using (sensor_id)
left join municipality m using (municipality_id)
where c.stored <> c.stored_there + c.stored_dropped
   or c.corrected <> c.corrected_there + c.corrected_dropped
order by c.hour, 1, 2;

-- name: ledger_rejects_differ
-- Sensors, hours of receipt and reasons where other than the kept messages are there.
with counted as (
    select sensor_id, hour, reason, sum(kept) as kept
    from ledger_reject
    group by 1, 2, 3
), there as (
    select sensor_id, date_trunc('hour', received_at, 'UTC') as hour, reason,
           count(*) as messages
    from rejected_message
    group by 1, 2, 3
), gone as (
    select sensor_id, hour, reason, sum(dropped) as messages
    from ledger_dropped
    where outcome = 'rejected'
    group by 1, 2, 3
), entries as (
    select sensor_id, hour, reason, kept, 0 as there, 0 as gone from counted
    union all
    select sensor_id, hour, reason, 0, messages, 0 from there
    union all
    select sensor_id, hour, reason, 0, 0, messages from gone
)
select m.key as municipality, e.key as sensor, c.hour, c.reason,
       sum(c.kept)::bigint as kept, sum(c.there)::bigint as there,
       sum(c.gone)::bigint as dropped
from entries c
left join sensor e using (sensor_id)
left join municipality m using (municipality_id)
group by c.sensor_id, 1, 2, 3, 4
having sum(c.kept) <> sum(c.there) + sum(c.gone)
order by c.hour, 1, 2, 4;

-- name: ledger_sequences_differ
-- Sensors of which the ledger says other than their sequences, or those other than what
-- new numbers are reckoned from.
with counted as (
    select sensor_id, sum(sequence_lost) as lost
    from ledger
    where sensor_id is not null
    group by 1
), known as (
    select sensor_id, sum(lost) as lost,
           coalesce(sum((state ->> 'lost')::bigint), 0) as followed
    from sequence
    group by 1
)
select m.key as municipality, e.key as sensor,
       coalesce(counted.lost, 0)::bigint as counted,
       coalesce(known.lost, 0)::bigint as known,
       coalesce(known.followed, 0)::bigint as followed
from counted
full join known using (sensor_id)
left join sensor e using (sensor_id)
left join municipality m using (municipality_id)
where coalesce(counted.lost, 0) <> coalesce(known.lost, 0)
   or known.lost <> known.followed
order by 1, 2;

-- name: ledger_running_differ
-- Running sums that say other than the ledger, or than its rejects by reason.
with counted as (
    select l.slot, e.municipality_id,
           {{sum(l.$tally)::bigint}}
    from ledger l
    left join sensor e using (sensor_id)
    group by l.slot, e.municipality_id
), rejects as (
    select slot, reason, sum(messages)::bigint, sum(kept)::bigint
    from ledger_reject
    group by slot, reason
), differing as (
    select slot, municipality_id, null as reason
    from ((table counted except table ledger_sum)
          union (table ledger_sum except table counted)) d
    union
    select slot, null, reason
    from ((table rejects except table ledger_reject_sum)
          union (table ledger_reject_sum except table rejects)) d
)
select d.slot, m.key as municipality, d.reason
from differing d
left join municipality m using (municipality_id)
order by 1, 2, 3;

-- name: ledger_totals
-- How much was checked: rows of the ledger, and their sums.
select count(*) as rows,
       coalesce(sum(messages_received), 0)::bigint as messages_received,
       coalesce(sum(readings_received), 0)::bigint as readings_received,
       coalesce(sum(readings_stored), 0)::bigint as readings_stored,
       coalesce(sum(readings_duplicate), 0)::bigint as readings_duplicate,
       coalesce(sum(readings_corrected), 0)::bigint as readings_corrected,
       coalesce(sum(readings_rejected), 0)::bigint as readings_rejected
from ledger;

-- name: ledger_of_sensors
-- The ledger of a period by sensor, those of which nothing came too. Expected are the
-- readings of all outputs while they were installed, up to now. Slots from 100 on are
-- imports and replays: they are not what a sensor sent in this hour.
with expected as (
    select i.sensor_id,
           sum(extract(epoch from
               least(upper(i.period), %(end)s, now())
               - greatest(lower(i.period), %(start)s)) / e.interval_s) as readings
    from installation i
    join sensor e using (sensor_id)
    where i.period && tstzrange(%(start)s, least(%(end)s, now()))
    group by i.sensor_id
), came as (
    select sensor_id,
           max(last_received_at) as last_received_at,
           {{sum($tally) as $tally}}
    from ledger
    where hour >= %(start)s and hour < %(end)s
    group by sensor_id
), reasons as (
    select sensor_id, jsonb_object_agg(reason, messages order by reason) as rejects
    from (
        select sensor_id, reason, sum(messages)::bigint as messages
        from ledger_reject
        where hour >= %(start)s and hour < %(end)s
        group by 1, 2
        having sum(messages) > 0
    ) r
    group by sensor_id
), left_out as (
    select sensor_id, jsonb_object_agg(field || ':' || problem, fields) as dropped
    from (
        select sensor_id, field, problem, sum(fields)::bigint as fields
        from ledger_field
        where hour >= %(start)s and hour < %(end)s
        group by 1, 2, 3
    ) f
    group by sensor_id
)
select m.key as municipality, e.key as sensor, came.last_received_at,
       coalesce(round(expected.readings), 0)::bigint as readings_expected,
       {{coalesce(came.$tally, 0)::bigint as $tally}},
       coalesce(reasons.rejects, '{}') as rejects,
       coalesce(left_out.dropped, '{}') as fields_dropped
from came
full join expected on expected.sensor_id = came.sensor_id
left join sensor e on e.sensor_id = coalesce(came.sensor_id, expected.sensor_id)
left join municipality m using (municipality_id)
left join reasons on coalesce(reasons.sensor_id, 0) = coalesce(came.sensor_id, 0)
    and (came.sensor_id is not null or came.messages_received is not null)
left join left_out on left_out.sensor_id = came.sensor_id
where {{> chosen_sensors}}
order by m.key, e.key;

-- part: reject
-- Facts of a rejected message.
r.rejected_message_id, r.received_at, m.key as municipality, e.key as sensor,
       r.topic, r.payload_bytes, r.reason, r.detail, r.detail_values,
       r.readings_rejected, r.replayed_at, r.attempts, r.last_reason, r.last_detail,
       r.last_detail_values,
       length(r.payload) < r.payload_bytes as cut

-- part: chosen_rejects
-- Rejected messages that are asked for; what is null selects all. Under a topic of its
-- own, or one that it shares, a message is of a sensor that it does not name; so is one
-- that came before the sensor was registered.
((%(municipality)s::text is null or m.key = %(municipality)s
       or (r.sensor_id is null and r.topic like 'vp/v1/' || %(municipality)s || '/%%'))
      and (%(sensor)s::text is null or e.key = %(sensor)s
           or (r.sensor_id is null and split_part(r.topic, '/', 4) = %(sensor)s))
      or (r.sensor_id is null and r.reason in ('not-meant', 'unknown-topic')
          and shared_by(r.topic, %(municipality)s, %(sensor)s)))
  and (%(topic)s::text is null or strpos(r.topic, %(topic)s) > 0)
  and (%(reason)s::text is null or r.reason = %(reason)s)
  and (%(start)s::timestamptz is null or r.received_at >= %(start)s)
  and (%(end)s::timestamptz is null or r.received_at < %(end)s)

-- name: list_rejects
-- Rejected messages that are kept, newest first; what is null selects all.
select {{> reject}}
from rejected_message r
left join sensor e using (sensor_id)
left join municipality m on m.municipality_id = r.municipality_id
where {{> chosen_rejects}}
  and (%(open)s::boolean is false or r.replayed_at is null)
order by r.received_at desc, r.rejected_message_id desc
limit %(limit)s;

-- name: rejected_message
-- One rejected message with its payload.
select {{> reject}}, r.slot, r.payload
from rejected_message r
left join sensor e using (sensor_id)
left join municipality m on m.municipality_id = r.municipality_id
where r.rejected_message_id = %(rejected_message_id)s;

-- name: count_rejects
-- The rejects of a period by sensor and reason, from the ledger: those only counted
-- are among them.
select m.key as municipality, e.key as sensor, l.reason,
       sum(l.messages)::bigint as messages, sum(l.kept)::bigint as kept,
       sum(l.readings)::bigint as readings, min(l.hour) as first_hour,
       max(l.hour) as last_hour
from ledger_reject l
left join sensor e using (sensor_id)
left join municipality m using (municipality_id)
where {{> chosen_sensors}}
  and (%(reason)s::text is null or l.reason = %(reason)s)
  and (%(start)s::timestamptz is null or l.hour >= %(start)s)
  and (%(end)s::timestamptz is null or l.hour < %(end)s)
  and l.slot <> 101
group by 1, 2, 3
order by messages desc, 1, 2, 3;

-- name: next_rejects
-- The oldest messages to replay after one of them. Those that are cut cannot be.
select r.rejected_message_id, r.received_at, r.topic, r.payload, r.retained,
       coalesce(r.first_received_at, r.received_at) as first_received_at
from rejected_message r
left join sensor e using (sensor_id)
left join municipality m on m.municipality_id = r.municipality_id
where (r.received_at, r.rejected_message_id) > (%(after)s, %(after_id)s)
  and r.received_at <= %(until)s
  and r.replayed_at is null
  and length(r.payload) = r.payload_bytes
  and {{> chosen_rejects}}
order by r.received_at, r.rejected_message_id
limit %(limit)s;

-- name: count_cut_rejects
-- How many of the same cannot be replayed, because only their begin is kept.
select count(*) as cut
from rejected_message r
left join sensor e using (sensor_id)
left join municipality m on m.municipality_id = r.municipality_id
where r.replayed_at is null
  and length(r.payload) < r.payload_bytes
  and {{> chosen_rejects}};

-- name: mark_replayed
-- Say what replaying came to: used wholly, or still not, and why. Returns how many.
select vp.mark_replayed(
    %(ids)s::bigint[], %(received)s::timestamptz[], %(reasons)s::text[],
    %(details)s::text[], %(values)s::jsonb[]) as marked;

-- name: never_sent
-- Sensors that are installed now and of which no message ever came, with the topics of
-- foreign formats, which come first; and whether messages came more than an hour ago.
select m.key || '/' || e.key as sensor, e.topic,
       exists (select from ledger where hour < now() - interval '2 hours') as in_service
from sensor e
join municipality m using (municipality_id)
where exists (select from installation i
              where i.sensor_id = e.sensor_id and i.period @> now())
  and not exists (select from ledger l where l.sensor_id = e.sensor_id)
order by e.topic is null, sensor;

-- name: of_nobody
-- Topics of the last day that belong to no sensor, and were not replayed since: how many
-- messages of them are kept, the most first.
select topic, count(*) as messages
from rejected_message
where received_at > now() - interval '1 day' and sensor_id is null
  and reason in ('unknown-sensor', 'unknown-topic') and replayed_at is null
group by topic
order by messages desc, topic;

-- name: senders_missing
select shown.senders_missing() as missing;

-- name: only_counted
-- Messages of the last two hours that were rejected and not kept: there is no room.
select coalesce(sum(messages - kept), 0)::bigint as messages
from ledger_reject
where hour >= date_trunc('hour', now(), 'UTC') - interval '1 hour' and slot <> 101;
