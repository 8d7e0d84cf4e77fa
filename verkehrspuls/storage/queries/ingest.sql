-- Writing a batch: everything in one transaction. Staging tables live as long as the
-- connection and are empty outside of a transaction.

-- part: count_columns
channel_id, time, sensor_id, received_at, time_origin, interval_s, {{$count}}, speed_kmh,
occupancy, histogram_from_kmh, histogram_width_kmh, histogram, observed_s

-- part: environment_columns
channel_id, time, sensor_id, received_at, time_origin, interval_s, value, observed_s

-- name: make_staging
-- The tables that COPY fills.
create temp table if not exists stage_count on commit delete rows as
select {{> count_columns}} from count_reading with no data;
create temp table if not exists stage_environment on commit delete rows as
select {{> environment_columns}} from environment_reading with no data;

-- name: copy_counts
-- Fill the staging table; columns in the order of a batch's rows.
copy stage_count from stdin (format binary);

-- name: copy_environment
-- Fill the staging table; columns in the order of a batch's rows.
copy stage_environment from stdin (format binary);

-- name: copy_new_counts
-- Straight into the table, where all readings are expected to be new.
copy count_reading ({{> count_columns}}) from stdin (format binary);

-- name: copy_new_environment
-- The same for environment readings.
copy environment_reading ({{> environment_columns}}) from stdin (format binary);

-- name: mark_stale_hours
-- Hours of channels whose figures have to be computed anew; hours counted from 2000.
insert into stale_bucket (channel_id, hour)
select channel_id, '2000-01-01'::timestamptz + hour * interval '1 hour'
from unnest(%(channels)s::integer[], %(hours)s::integer[]) as given (channel_id, hour);

-- name: empty_staging
-- Between two rounds of one batch.
truncate stage_count, stage_environment;

-- part: written
-- Mark the hours of readings `written`, and count these.
marked as (
    insert into stale_bucket (channel_id, hour)
    select distinct channel_id, date_trunc('hour', time) from written
)
select sensor_id, date_trunc('hour', received_at) as hour,
       count(*) filter (where revision = 0) as stored,
       count(*) filter (where revision > 0) as corrected
from written
group by 1, 2

-- part: newer_copy
-- What the stored reading `r` takes over from any newer one.
sensor_id = excluded.sensor_id, received_at = excluded.received_at,
time_origin = excluded.time_origin, revision = r.revision + 1,
interval_s = excluded.interval_s, observed_s = excluded.observed_s

-- part: certain
-- Ambiguous readings `a` that are in the staging table `s`, but for some.
s.channel_id = a.channel_id and s.time = a.time
  and not exists (
      select from unnest(%(channels)s::integer[], %(times)s::timestamptz[])
          as given (channel_id, time)
      where given.channel_id = a.channel_id and given.time = a.time)

-- part: taken_back
-- Readings `r` of sensors at these times of channels.
using unnest(%(channels)s::integer[], %(sensors)s::integer[],
             %(times)s::timestamptz[]) as given (channel_id, sensor_id, time)
where r.channel_id = given.channel_id and r.time = given.time
  and r.sensor_id = given.sensor_id
returning r.*

-- name: store_counts
-- New readings are stored, other content corrects, equal content is left alone; so is
-- what was received after `newest`, where that is given (a message replayed). Marks
-- the hours that changed as stale; returns what was stored and corrected per sensor and
-- hour of receipt. Sorted, so that two workers never deadlock.
with written as (
    insert into count_reading as r ({{> count_columns}})
    select * from stage_count order by channel_id, time
    on conflict (channel_id, time) do update set
        {{> newer_copy}},
        {{$count = excluded.$count}}, speed_kmh = excluded.speed_kmh,
        occupancy = excluded.occupancy,
        histogram_from_kmh = excluded.histogram_from_kmh,
        histogram_width_kmh = excluded.histogram_width_kmh,
        histogram = excluded.histogram
    where (r.interval_s, {{r.$count}}, r.speed_kmh, r.occupancy, r.histogram_from_kmh,
           r.histogram_width_kmh, r.histogram, r.observed_s)
        is distinct from
          (excluded.interval_s, {{excluded.$count}}, excluded.speed_kmh,
           excluded.occupancy, excluded.histogram_from_kmh,
           excluded.histogram_width_kmh, excluded.histogram, excluded.observed_s)
      and (%(newest)s::timestamptz is null or r.received_at <= %(newest)s)
    returning r.channel_id, r.time, r.sensor_id, r.received_at, r.revision
), {{> written}};

-- name: store_environment
-- The same for environment readings.
with written as (
    insert into environment_reading as r ({{> environment_columns}})
    select * from stage_environment order by channel_id, time
    on conflict (channel_id, time) do update set
        {{> newer_copy}}, value = excluded.value
    where (r.interval_s, r.value, r.observed_s)
        is distinct from (excluded.interval_s, excluded.value, excluded.observed_s)
      and (%(newest)s::timestamptz is null or r.received_at <= %(newest)s)
    returning r.channel_id, r.time, r.sensor_id, r.received_at, r.revision
), {{> written}};

-- name: forget_ambiguous_counts
-- Readings in the staging table are no longer ambiguous, but for those at these times of
-- channels.
delete from ambiguous_reading a
using stage_count s
where {{> certain}};

-- name: forget_ambiguous_environment
-- The same for environment readings.
delete from ambiguous_reading a
using stage_environment s
where {{> certain}};

-- name: note_ambiguous
-- Note readings that nobody can date for sure: of the given ones those that were written
-- when they were received; one that was known before is not noted.
insert into ambiguous_reading (channel_id, time, why)
select given.channel_id, given.time, given.why
from unnest(%(channels)s::integer[], %(times)s::timestamptz[], %(whys)s::text[],
            %(received)s::timestamptz[]) as given (channel_id, time, why, received_at)
where {{exists (
        select from $readings r
        where r.channel_id = given.channel_id and r.time = given.time
          and r.received_at = given.received_at) or}}
on conflict (channel_id, time) do update set why = excluded.why, noted_at = now();

-- name: put_frames
-- Note frames of radio networks; those that are known stay as they are.
insert into frame (sensor_id, session, counter, time)
select * from unnest(%(sensors)s::integer[], %(sessions)s::text[],
                     %(counters)s::bigint[], %(times)s::timestamptz[])
on conflict do nothing;

-- name: frames
-- When frames came first.
select f.sensor_id, f.session, f.counter, f.time
from frame f
join unnest(%(sensors)s::integer[], %(sessions)s::text[], %(counters)s::bigint[])
    as given (sensor_id, session, counter) using (sensor_id, session, counter);

-- name: renew_frames
-- Note that devices have counted anew.
update frame f
set time = given.time
from unnest(%(sensors)s::integer[], %(sessions)s::text[], %(counters)s::bigint[],
            %(times)s::timestamptz[]) as given (sensor_id, session, counter, time)
where f.sensor_id = given.sensor_id and f.session = given.session
  and f.counter = given.counter;

-- name: take_back_count
-- Move readings at these times of channels to the history: an earlier copy of their
-- frame tells when they were. Marks their hours as stale.
with gone as (
    delete from count_reading r
    {{> taken_back}}
), kept as (
    insert into count_reading_history (
        channel_id, time, interval_s, sensor_id, received_at, time_origin, revision,
        {{$count}}, speed_kmh, occupancy,
        histogram_from_kmh, histogram_width_kmh, histogram, observed_s, replaced_at)
    select
        channel_id, time, interval_s, sensor_id, received_at, time_origin, revision,
        {{$count}}, speed_kmh, occupancy,
        histogram_from_kmh, histogram_width_kmh, histogram, observed_s, now()
    from gone
)
insert into stale_bucket (channel_id, hour)
select distinct channel_id, date_trunc('hour', time, 'UTC') from gone;

-- name: take_back_environment
-- The same for environment readings.
with gone as (
    delete from environment_reading r
    {{> taken_back}}
), kept as (
    insert into environment_reading_history (
        channel_id, time, interval_s, sensor_id, received_at, time_origin, revision,
        value, observed_s, replaced_at)
    select
        channel_id, time, interval_s, sensor_id, received_at, time_origin, revision,
        value, observed_s, now()
    from gone
)
insert into stale_bucket (channel_id, hour)
select distinct channel_id, date_trunc('hour', time, 'UTC') from gone;

-- part: beside
-- How far the readings before `r` reach, and when the next one begins.
max(r.time + make_interval(secs => r.interval_s)) over (
    order by r.time rows between unbounded preceding and 1 preceding) as reached,
lead(r.time) over (order by r.time) as next

-- name: count_overlapping
-- Of the readings in a span of each channel, those of which others cover more than a
-- share.
select count(*) as readings
from {{> spans}}
cross join lateral (
    select r.time, r.interval_s, r.time + make_interval(secs => r.interval_s) as ended,
           {{> beside}}
    from (
        {{select c.time, c.interval_s from $readings c
        where c.channel_id = span.channel_id
          and c.time >= span.since - interval '1 hour'
          and c.time < span.until + interval '1 hour' union all}}
    ) r
) r
where r.time >= span.since and r.time < span.until
  and (extract(epoch from least(coalesce(r.reached, r.time), r.ended) - r.time)
           > %(share)s * r.interval_s
       or extract(epoch from r.ended - r.next) > %(share)s * r.interval_s);

-- name: turns
-- The turns of those channels that are uneven.
select channel_id, turn from uneven_channel
where channel_id = any(%(channels)s::integer[]);

-- name: take_turns
-- Note that channels are uneven, and that this worker writes to them.
insert into uneven_channel as u (channel_id)
select unnest(%(channels)s::integer[]) order by 1
on conflict (channel_id) do update set turn = u.turn + 1
returning channel_id, turn;

-- name: look_alone
-- Let no other worker look for overlaps until this one has committed.
select pg_advisory_xact_lock(hashtext('overlap'));

-- name: overlapping
-- The places of those readings, which are stored, that share more than a part of their
-- time with others; times in microseconds since 2000. They are looked at by the hour, so
-- that each reading of a channel that sends every few seconds is read only thrice.
with given as materialized (
    select channel_id, '2000-01-01'::timestamptz + time * interval '1 microsecond' as time,
           interval_s, place, time / 3600000000 as hour
    from unnest(%(channels)s::integer[], %(times)s::bigint[], %(intervals)s::integer[])
         with ordinality as given (channel_id, time, interval_s, place)
), span as materialized (
    select channel_id, hour, min(time) as first, max(time) as last,
           max(time + make_interval(secs => interval_s)) as ended
    from given group by channel_id, hour
), beside as materialized (
    select span.channel_id, span.hour, r.time, r.reached, r.next
    from span
    cross join lateral (
        select r.time, {{> beside}}
        from (
            {{select c.time, c.interval_s from $readings c
            where c.channel_id = span.channel_id
              and c.time > span.first - interval '1 hour' and c.time < span.ended
            union all}}
        ) r
    ) r
    where r.time between span.first and span.last
)
select given.place
from given
join beside using (channel_id, hour, time)
cross join lateral (
    select given.time + make_interval(secs => given.interval_s) as ended
) g
where (beside.reached is not null
       and extract(epoch from least(beside.reached, g.ended) - given.time)
           > %(share)s * given.interval_s)
   or extract(epoch from g.ended - beside.next) > %(share)s * given.interval_s;

-- name: surroundings
-- Of stretches of channels: when the last reading ends that begins in it or in the hour
-- before, when the next one begins (null: never), when the last one begins of the
-- following ones (null: these are all), and whether all of them and the one before last
-- as long as the first and are whole intervals away from it. Times in microseconds since
-- 2000.
with given as (
    select channel_id, interval_s, place, %(following)s::integer as following,
           '2000-01-01'::timestamptz + first * interval '1 microsecond' as first,
           '2000-01-01'::timestamptz + ended * interval '1 microsecond' as ended
    from unnest(%(channels)s::integer[], %(firsts)s::bigint[], %(ends)s::bigint[],
                %(intervals)s::integer[])
         with ordinality as given (channel_id, first, ended, interval_s, place)
)
select (extract(epoch from max(r.time + make_interval(secs => r.interval_s))
                           filter (where r.time < given.ended)
                           - '2000-01-01'::timestamptz) * 1000000)::bigint as reached,
       (extract(epoch from min(r.time) filter (where r.time >= given.ended)
                           - '2000-01-01'::timestamptz) * 1000000)::bigint as next,
       case when count(*) filter (where r.time >= given.ended) >= given.following then
           (extract(epoch from max(r.time) - '2000-01-01'::timestamptz)
            * 1000000)::bigint
       end as last,
       bool_and(r.interval_s = given.interval_s
                and date_bin(make_interval(secs => given.interval_s), r.time, given.first)
                    = r.time) as even
from given
cross join lateral (
    {{(select c.time, c.interval_s from $readings c
       where c.channel_id = given.channel_id
         and c.time > given.first - interval '1 hour' and c.time < given.ended)
      union all
      (select c.time, c.interval_s from $readings c
       where c.channel_id = given.channel_id and c.time < given.first
       order by c.time desc limit 1)
      union all
      (select c.time, c.interval_s from $readings c
       where c.channel_id = given.channel_id and c.time >= given.ended
       order by c.time limit %(following)s) union all}}
) r
group by given.place, given.following
order by given.place;

-- name: reject_message
-- Keep a message that could not be used.
insert into rejected_message (received_at, slot, sensor_id, topic, payload,
                              payload_bytes, reason, detail, detail_values,
                              readings_rejected, retained, first_received_at,
                              municipality_id)
values (%(received_at)s, %(slot)s, %(sensor_id)s, %(topic)s, %(payload)s,
        %(payload_bytes)s, %(reason)s, %(detail)s, %(detail_values)s,
        %(readings_rejected)s, %(retained)s, %(first_received_at)s,
        coalesce((select municipality_id from sensor where sensor_id = %(sensor_id)s),
                 (select municipality_id from municipality where key = %(municipality)s)));

-- name: next_replay
-- The replay that was asked for first, with its sensor.
select r.replay_id, m.key as municipality, e.key as sensor
from replay r
join sensor e using (sensor_id)
join municipality m on m.municipality_id = e.municipality_id
where r.done_at is null
order by r.replay_id
limit 1;

-- name: take_replays
-- Whether this session is the one that replays; for as long as it lives.
select pg_try_advisory_lock(hashtext('vp.replay')) as taken;

-- name: end_replay
update replay
set done_at = now(), messages = %(messages)s, used = %(used)s, rejected = %(rejected)s,
    cut = %(cut)s, failed = %(failed)s
where replay_id = %(replay_id)s;

-- name: add_to_ledger
-- Add a batch's counts to the rows of this worker's slot, and to its running sums.
with given as (
    select *
    from unnest(
        %(sensor_id)s::integer[], %(hour)s::timestamptz[],
        %(last_received_at)s::timestamptz[], {{%($tally)s::bigint[]}}
    ) as given (sensor_id, hour, last_received_at, {{$tally}})
), summed as (
    insert into ledger_sum as s (slot, municipality_id, {{$tally}})
    select %(slot)s, e.municipality_id, {{sum($tally)}}
    from given
    left join sensor e using (sensor_id)
    group by e.municipality_id
    on conflict (slot, municipality_id) do update set
        {{$tally = s.$tally + excluded.$tally}}
)
insert into ledger as l (slot, sensor_id, hour, last_received_at, {{$tally}})
select %(slot)s, given.* from given
on conflict (slot, sensor_id, hour) do update set
    last_received_at = greatest(l.last_received_at, excluded.last_received_at),
    {{$tally = l.$tally + excluded.$tally}};

-- name: put_newest_messages
-- Note what became of the newest messages of sensors; given the oldest first.
insert into newest_message as n (slot, sensor_id, messages)
select %(slot)s, sensor_id, (array_agg(message order by place desc))[:%(most)s]
from unnest(%(sensors)s::integer[], string_to_array(%(messages)s, chr(10)))
     with ordinality as given (sensor_id, message, place)
group by sensor_id
order by sensor_id
on conflict (slot, sensor_id) do update set
    messages = (excluded.messages || n.messages)[:%(most)s];

-- name: put_status
-- Store what a sensor says of itself, and keep it by day. An older message never replaces
-- a newer one, but for one of the future: its clock, or ours, was ahead. What was retained
-- and has no time holds since it was known.
with written as (
    insert into sensor_status as s
        (sensor_id, state, since, battery_pct, signal_dbm, temperature_c, firmware)
    values (%(sensor_id)s, %(state)s, %(since)s, %(battery_pct)s, %(signal_dbm)s,
            %(temperature_c)s, %(firmware)s)
    on conflict (sensor_id) do update set
        state = excluded.state,
        since = case when %(undated)s and s.state = excluded.state then s.since
                     else excluded.since end,
        battery_pct = coalesce(excluded.battery_pct, s.battery_pct),
        signal_dbm = coalesce(excluded.signal_dbm, s.signal_dbm),
        temperature_c = coalesce(excluded.temperature_c, s.temperature_c),
        firmware = coalesce(excluded.firmware, s.firmware)
    where s.since <= excluded.since or s.since > now() + interval '1 minute'
    returning s.sensor_id, (s.since at time zone 'UTC')::date as day
)
insert into status_day as d (sensor_id, day, battery_pct, signal_dbm, temperature_c)
select w.sensor_id, w.day, given.*
from written w
cross join (values (%(battery_pct)s::real, %(signal_dbm)s::real, %(temperature_c)s::real))
    as given (battery_pct, signal_dbm, temperature_c)
where num_nonnulls(given.battery_pct, given.signal_dbm, given.temperature_c) > 0
on conflict (sensor_id, day) do update set
    battery_pct = coalesce(excluded.battery_pct, d.battery_pct),
    signal_dbm = coalesce(excluded.signal_dbm, d.signal_dbm),
    temperature_c = coalesce(excluded.temperature_c, d.temperature_c);

-- name: put_passed_over
-- Note that a sensor's messages tell times that cannot be right.
insert into passed_over as p (sensor_id, field, messages, said, taken, received_at)
values (%(sensor_id)s, %(field)s, %(messages)s, %(said)s, %(taken)s, %(received_at)s)
on conflict (sensor_id, field) do update set
    messages = p.messages + excluded.messages, said = excluded.said,
    taken = excluded.taken, received_at = greatest(p.received_at, excluded.received_at);

-- name: newest_counts
-- What the newest readings of channels hold, of those before a message was received.
select r.channel_id, {{r.$count}}, r.speed_kmh, r.occupancy
from unnest(%(channels)s::integer[], %(received)s::timestamptz[])
         as given (channel_id, received_at)
cross join lateral (
    select * from count_reading c
    where c.channel_id = given.channel_id and c.time <= given.received_at
    order by c.time desc
    limit 1
) r;

-- name: newest_environment
-- The same for environment readings.
select r.channel_id, r.value
from unnest(%(channels)s::integer[], %(received)s::timestamptz[])
         as given (channel_id, received_at)
cross join lateral (
    select * from environment_reading e
    where e.channel_id = given.channel_id and e.time <= given.received_at
    order by e.time desc
    limit 1
) r;

-- name: put_birth
-- What an edge or device of Sparkplug said at its last birth.
insert into sparkplug_birth as b (device, born_at, names)
values (%(key)s, %(at)s, %(content)s)
on conflict (device) do update set born_at = excluded.born_at, names = excluded.names
where b.born_at <= excluded.born_at or b.born_at > now() + interval '1 minute';

-- name: births
-- The newest births, from the oldest to the newest.
select device as key, born_at as at, names as content
from (select * from sparkplug_birth order by born_at desc limit %(most)s) b
order by born_at;

-- name: ensure_range
-- Make partitions of a table for a range of times.
select ensure_range(%(table)s, %(earliest)s, %(latest)s);

-- name: note_batch
-- Note the newest batch of a slot, in its own transaction.
insert into ingest_slot (slot, batch, committed_at)
values (%(slot)s, %(batch)s, now())
on conflict (slot) do update set
    batch = excluded.batch, committed_at = excluded.committed_at, drained_at = null;

-- name: newest_batch
-- The newest batch of a slot that has committed.
select batch from ingest_slot where slot = %(slot)s;

-- name: limit_session
-- How long a statement may take and wait for a lock, and when a connection whose other
-- end is gone, or stands still with its locks, is noticed by the server.
select set_config('statement_timeout', %(statement_ms)s::text, false),
       set_config('idle_in_transaction_session_timeout', %(statement_ms)s::text, false),
       set_config('lock_timeout', %(lock_ms)s::text, false),
       set_config('tcp_keepalives_idle', '30', false),
       set_config('tcp_keepalives_interval', '10', false),
       set_config('tcp_keepalives_count', '3', false);

-- name: end_backend
-- End the server's side of this slot's last connection, should it be there still.
select pg_terminate_backend(pid) from pg_stat_activity
where pid = %(pid)s and usename = current_user
  and application_name = 'ingest ' || %(slot)s::text;

-- name: slots
select slot, committed_at, drained, sessions_lost, session_lost_at, certificate_ends,
       guessable, served
from shown.slots();

-- name: count_workers
-- How many ingest workers are connected to the database, each by its slot.
select count(*) as workers
from pg_locks
where locktype = 'advisory' and granted and objsubid = 2
  and database = (select oid from pg_database where datname = current_database())
  and classid::bigint = hashtext('vp.ingest.slot')::bigint & 4294967295
  and objid::bigint < 100;

-- name: slot_known
-- Whether a slot was served before, and not drained since.
select from ingest_slot where slot = %(slot)s and drained_at is null;

-- name: note_lost_session
-- Note that the broker had forgotten the session of a slot: messages may be missing.
update ingest_slot set sessions_lost = sessions_lost + 1, session_lost_at = now()
where slot = %(slot)s;

-- name: note_drained
-- Note that nothing waits for a slot any more.
update ingest_slot set drained_at = now() where slot = %(slot)s;

-- name: session_of
-- The client identifier of a slot's session at the broker: the given one at first.
insert into ingest_session as s (slot, client_id) values (%(slot)s, %(client_id)s)
on conflict (slot) do update set client_id = s.client_id
returning client_id;

-- name: group_of
-- The name at the broker of a group of workers: the given one at first.
insert into ingest_group as g (share, name) values (%(share)s, %(name)s)
on conflict (share) do update set name = g.name
returning name;

-- name: forget_session
-- Drop the client identifier of a slot whose session has ended at the broker.
delete from ingest_session where slot = %(slot)s;

-- name: note_certificate
-- Note until when the certificate of a slot's broker is valid.
update ingest_session set certificate_ends = %(ends)s where slot = %(slot)s;

-- name: take_slot
-- One worker per slot: held as long as the connection lives.
select pg_try_advisory_lock(hashtext('vp.ingest.slot'), %(slot)s) as taken;

-- name: tried_counts
-- What storing would do with each of the staged rows, which are rolled back afterwards.
select s.key as site, c.key as channel, t.time, t.interval_s,
       jsonb_strip_nulls(given.content) - 'interval_s' as values,
       case when r.channel_id is null then 'stored'
            when known.content @> given.content and given.content @> known.content
                then 'known already'
            else 'corrects what is known'
       end as outcome
from stage_count t
join channel c using (channel_id)
join site s using (site_id)
left join count_reading r on r.channel_id = t.channel_id and r.time = t.time
cross join lateral (
    select to_jsonb(t) - array['channel_id', 'time', 'sensor_id', 'received_at',
                               'time_origin'] as content
) given
cross join lateral (
    select to_jsonb(r) - array['channel_id', 'time', 'sensor_id', 'received_at',
                               'time_origin', 'revision'] as content
) known
order by t.time, s.key, c.key;

-- name: tried_environment
-- The same for environment readings.
select s.key as site, c.key as channel, t.time, t.interval_s,
       jsonb_build_object(c.quantity, t.value) as values,
       case when r.channel_id is null then 'stored'
            when (r.interval_s, r.value, r.observed_s)
                     is not distinct from (t.interval_s, t.value, t.observed_s)
                then 'known already'
            else 'corrects what is known'
       end as outcome
from stage_environment t
join channel c using (channel_id)
join site s using (site_id)
left join environment_reading r on r.channel_id = t.channel_id and r.time = t.time
order by t.time, s.key, c.key;
