-- Unknown sensors: what is kept of them, and the replays that engineers ask for.

-- part: sender
-- What tells unknown sensors apart: the topic, of a native one without the kind.
case when r.topic like 'vp/v1/%%'
    then array_to_string((string_to_array(r.topic, '/'))[1:4], '/') else r.topic end

-- part: of_nobody_yet
-- Kept messages that no sensor has taken so far.
r.sensor_id is null and r.replayed_at is null
  and r.reason in ('unknown-sensor', 'unknown-topic', 'not-meant')
  and r.received_at >= %(since)s
  and (%(municipality)s::text is null or m.key = %(municipality)s)

-- name: unknown_sensors
-- Senders of kept messages that no sensor took, the newest first.
select m.key as municipality, {{> sender}} as sender, max(r.reason) as reason,
       count(*) as messages, min(r.received_at) as first_at, max(r.received_at) as last_at
from rejected_message r
left join municipality m on m.municipality_id = r.municipality_id
where {{> of_nobody_yet}}
group by 1, 2
order by last_at desc, sender
limit %(limit)s;

-- name: unknown_messages
-- The newest messages of one of them, up to some of each topic.
select t.topic, t.payload, t.received_at, t.cut
from (
    select r.topic, r.payload, coalesce(r.first_received_at, r.received_at) as received_at,
           length(r.payload) < r.payload_bytes as cut,
           row_number() over (partition by r.topic order by r.received_at desc) as place
    from rejected_message r
    left join municipality m on m.municipality_id = r.municipality_id
    where {{> of_nobody_yet}} and {{> sender}} = %(sender)s
) t
where t.place <= %(limit)s
order by t.received_at desc, t.topic;

-- name: rejected_of_sensor
-- The newest kept messages of a sensor that could not be used.
select r.topic, r.payload, coalesce(r.first_received_at, r.received_at) as received_at,
       length(r.payload) < r.payload_bytes as cut
from rejected_message r
join sensor e using (sensor_id)
join municipality m on m.municipality_id = e.municipality_id
where m.key = %(municipality)s and e.key = %(sensor)s and r.received_at >= %(since)s
order by r.received_at desc
limit %(limit)s;

-- name: registered_topics
-- What sensors of a municipality (NULL: of all) send under: a key or a foreign topic.
select m.key as municipality, e.key as sensor, e.topic
from sensor e
join municipality m using (municipality_id)
where e.removed_at is null
  and (%(municipality)s::text is null or m.key = %(municipality)s);

-- name: ask_replay
-- Ask for a replay of what is kept of a sensor; nothing if one is due.
insert into vp.replay (sensor_id)
select e.sensor_id
from sensor e
join municipality m using (municipality_id)
where m.key = %(municipality)s and e.key = %(sensor)s and e.removed_at is null
on conflict do nothing;

-- name: last_replay
-- The last replay that was asked for of a sensor.
select r.asked_at, r.done_at, r.messages, r.used, r.rejected, r.cut, r.failed
from replay r
join sensor e using (sensor_id)
join municipality m on m.municipality_id = e.municipality_id
where m.key = %(municipality)s and e.key = %(sensor)s
order by r.replay_id desc
limit 1;
