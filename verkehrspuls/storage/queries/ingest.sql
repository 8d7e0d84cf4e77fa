-- Writing a batch: everything in one transaction. Staging tables live as long as the
-- connection and are empty outside of a transaction.

-- name: make_staging
-- The tables that COPY fills.
create temp table if not exists stage_count on commit delete rows as
select channel_id, time, sensor_id, received_at, time_origin, interval_s, total,
       unclassified, motorcycle, car, van, car_trailer, truck, truck_trailer,
       articulated, bus, bicycle, pedestrian, speed_kmh, occupancy, histogram_from_kmh,
       histogram_width_kmh, histogram
from count_reading with no data;
create temp table if not exists stage_environment on commit delete rows as
select channel_id, time, sensor_id, received_at, time_origin, interval_s, value
from environment_reading with no data;

-- name: copy_counts
-- Fill the staging table; columns in the order of a batch's rows.
copy stage_count from stdin (format binary);

-- name: copy_environment
-- Fill the staging table; columns in the order of a batch's rows.
copy stage_environment from stdin (format binary);

-- name: copy_new_counts
-- Straight into the table, where all readings are expected to be new.
copy count_reading (
    channel_id, time, sensor_id, received_at, time_origin, interval_s, total,
    unclassified, motorcycle, car, van, car_trailer, truck, truck_trailer, articulated,
    bus, bicycle, pedestrian, speed_kmh, occupancy, histogram_from_kmh,
    histogram_width_kmh, histogram
) from stdin (format binary);

-- name: copy_new_environment
-- The same for environment readings.
copy environment_reading (
    channel_id, time, sensor_id, received_at, time_origin, interval_s, value
) from stdin (format binary);

-- name: mark_stale_hours
-- Hours of channels whose figures have to be computed anew; hours counted from 2000.
insert into stale_bucket (channel_id, hour)
select channel_id, '2000-01-01'::timestamptz + hour * interval '1 hour'
from unnest(%(channels)s::integer[], %(hours)s::integer[]) as given (channel_id, hour);

-- name: empty_staging
-- Between two rounds of one batch.
truncate stage_count, stage_environment;

-- name: store_counts
-- New readings are stored, other content corrects, equal content is left alone; so is
-- what was received after `newest`, where that is given (a message replayed). Marks
-- the hours that changed as stale; returns what was stored and corrected per sensor and
-- hour of receipt. Sorted, so that two workers never deadlock.
with written as (
    insert into count_reading as r (
        channel_id, time, sensor_id, received_at, time_origin, interval_s, total,
        unclassified, motorcycle, car, van, car_trailer, truck, truck_trailer,
        articulated, bus, bicycle, pedestrian, speed_kmh, occupancy,
        histogram_from_kmh, histogram_width_kmh, histogram)
    select * from stage_count order by channel_id, time
    on conflict (channel_id, time) do update set
        sensor_id = excluded.sensor_id, received_at = excluded.received_at,
        time_origin = excluded.time_origin, revision = r.revision + 1,
        interval_s = excluded.interval_s,
        total = excluded.total, unclassified = excluded.unclassified,
        motorcycle = excluded.motorcycle, car = excluded.car, van = excluded.van,
        car_trailer = excluded.car_trailer, truck = excluded.truck,
        truck_trailer = excluded.truck_trailer, articulated = excluded.articulated,
        bus = excluded.bus, bicycle = excluded.bicycle,
        pedestrian = excluded.pedestrian, speed_kmh = excluded.speed_kmh,
        occupancy = excluded.occupancy,
        histogram_from_kmh = excluded.histogram_from_kmh,
        histogram_width_kmh = excluded.histogram_width_kmh,
        histogram = excluded.histogram
    where (r.interval_s, r.total, r.unclassified, r.motorcycle, r.car, r.van,
           r.car_trailer, r.truck, r.truck_trailer, r.articulated, r.bus, r.bicycle,
           r.pedestrian, r.speed_kmh, r.occupancy, r.histogram_from_kmh,
           r.histogram_width_kmh, r.histogram)
        is distinct from
          (excluded.interval_s, excluded.total, excluded.unclassified,
           excluded.motorcycle, excluded.car, excluded.van, excluded.car_trailer,
           excluded.truck, excluded.truck_trailer, excluded.articulated, excluded.bus,
           excluded.bicycle, excluded.pedestrian, excluded.speed_kmh,
           excluded.occupancy, excluded.histogram_from_kmh,
           excluded.histogram_width_kmh, excluded.histogram)
      and (%(newest)s::timestamptz is null or r.received_at <= %(newest)s)
    returning r.channel_id, r.time, r.sensor_id, r.received_at, r.revision
), marked as (
    insert into stale_bucket (channel_id, hour)
    select distinct channel_id, date_trunc('hour', time) from written
)
select sensor_id, date_trunc('hour', received_at) as hour,
       count(*) filter (where revision = 0) as stored,
       count(*) filter (where revision > 0) as corrected
from written
group by 1, 2;

-- name: store_environment
-- The same for environment readings.
with written as (
    insert into environment_reading as r
        (channel_id, time, sensor_id, received_at, time_origin, interval_s, value)
    select * from stage_environment order by channel_id, time
    on conflict (channel_id, time) do update set
        sensor_id = excluded.sensor_id, received_at = excluded.received_at,
        time_origin = excluded.time_origin, revision = r.revision + 1,
        interval_s = excluded.interval_s,
        value = excluded.value
    where (r.interval_s, r.value) is distinct from (excluded.interval_s, excluded.value)
      and (%(newest)s::timestamptz is null or r.received_at <= %(newest)s)
    returning r.channel_id, r.time, r.sensor_id, r.received_at, r.revision
), marked as (
    insert into stale_bucket (channel_id, hour)
    select distinct channel_id, date_trunc('hour', time) from written
)
select sensor_id, date_trunc('hour', received_at) as hour,
       count(*) filter (where revision = 0) as stored,
       count(*) filter (where revision > 0) as corrected
from written
group by 1, 2;

-- name: reject_message
-- Keep a message that could not be used.
insert into rejected_message (received_at, slot, sensor_id, topic, payload,
                              payload_bytes, reason, detail, detail_values,
                              readings_rejected)
values (%(received_at)s, %(slot)s, %(sensor_id)s, %(topic)s, %(payload)s,
        %(payload_bytes)s, %(reason)s, %(detail)s, %(detail_values)s,
        %(readings_rejected)s);

-- name: add_to_ledger
-- Add a batch's counts to the rows of this worker's slot, and to its running sums.
with given as (
    select *
    from unnest(
        %(sensor_id)s::integer[],
        %(hour)s::timestamptz[],
        %(last_received_at)s::timestamptz[],
        %(messages_received)s::bigint[],
        %(messages_accepted)s::bigint[],
        %(messages_partly_accepted)s::bigint[],
        %(messages_rejected)s::bigint[],
        %(messages_unknown_sensor)s::bigint[],
        %(readings_received)s::bigint[],
        %(readings_stored)s::bigint[],
        %(readings_duplicate)s::bigint[],
        %(readings_corrected)s::bigint[],
        %(readings_rejected)s::bigint[],
        %(readings_late)s::bigint[],
        %(sequence_lost)s::bigint[]
    ) as given (
        sensor_id, hour, last_received_at, messages_received, messages_accepted,
        messages_partly_accepted, messages_rejected, messages_unknown_sensor,
        readings_received, readings_stored, readings_duplicate, readings_corrected,
        readings_rejected, readings_late, sequence_lost)
), summed as (
    insert into ledger_sum as s
    select %(slot)s, e.municipality_id, sum(messages_received),
           sum(messages_accepted), sum(messages_partly_accepted),
           sum(messages_rejected), sum(messages_unknown_sensor),
           sum(readings_received), sum(readings_stored), sum(readings_duplicate),
           sum(readings_corrected), sum(readings_rejected), sum(readings_late),
           sum(sequence_lost)
    from given
    left join sensor e using (sensor_id)
    group by e.municipality_id
    on conflict (slot, municipality_id) do update set
        messages_received = s.messages_received + excluded.messages_received,
        messages_accepted = s.messages_accepted + excluded.messages_accepted,
        messages_partly_accepted =
            s.messages_partly_accepted + excluded.messages_partly_accepted,
        messages_rejected = s.messages_rejected + excluded.messages_rejected,
        messages_unknown_sensor =
            s.messages_unknown_sensor + excluded.messages_unknown_sensor,
        readings_received = s.readings_received + excluded.readings_received,
        readings_stored = s.readings_stored + excluded.readings_stored,
        readings_duplicate = s.readings_duplicate + excluded.readings_duplicate,
        readings_corrected = s.readings_corrected + excluded.readings_corrected,
        readings_rejected = s.readings_rejected + excluded.readings_rejected,
        readings_late = s.readings_late + excluded.readings_late,
        sequence_lost = s.sequence_lost + excluded.sequence_lost
)
insert into ledger as l (
    slot, sensor_id, hour, last_received_at, messages_received, messages_accepted,
    messages_partly_accepted, messages_rejected, messages_unknown_sensor,
    readings_received, readings_stored, readings_duplicate, readings_corrected,
    readings_rejected, readings_late, sequence_lost)
select %(slot)s, given.* from given
on conflict (slot, sensor_id, hour) do update set
    last_received_at = greatest(l.last_received_at, excluded.last_received_at),
    messages_received = l.messages_received + excluded.messages_received,
    messages_accepted = l.messages_accepted + excluded.messages_accepted,
    messages_partly_accepted =
        l.messages_partly_accepted + excluded.messages_partly_accepted,
    messages_rejected = l.messages_rejected + excluded.messages_rejected,
    messages_unknown_sensor =
        l.messages_unknown_sensor + excluded.messages_unknown_sensor,
    readings_received = l.readings_received + excluded.readings_received,
    readings_stored = l.readings_stored + excluded.readings_stored,
    readings_duplicate = l.readings_duplicate + excluded.readings_duplicate,
    readings_corrected = l.readings_corrected + excluded.readings_corrected,
    readings_rejected = l.readings_rejected + excluded.readings_rejected,
    readings_late = l.readings_late + excluded.readings_late,
    sequence_lost = l.sequence_lost + excluded.sequence_lost;

-- name: put_status
-- What a sensor says of itself; an older message never replaces a newer one.
insert into sensor_status as s (sensor_id, state, since, battery_pct, firmware)
values (%(sensor_id)s, %(state)s, %(since)s, %(battery_pct)s, %(firmware)s)
on conflict (sensor_id) do update set
    state = excluded.state, since = excluded.since,
    battery_pct = coalesce(excluded.battery_pct, s.battery_pct),
    firmware = coalesce(excluded.firmware, s.firmware)
where s.since <= excluded.since;

-- name: put_birth
-- What an edge or device of Sparkplug said at its last birth.
insert into sparkplug_birth as b (device, born_at, names)
values (%(device)s, %(born_at)s, %(names)s)
on conflict (device) do update set born_at = excluded.born_at, names = excluded.names
where b.born_at <= excluded.born_at;

-- name: births
-- The newest of them; those read last are the newest.
select device, born_at, names
from (select * from sparkplug_birth order by born_at desc limit %(most)s) b
order by born_at;

-- name: ensure_range
-- Make partitions for a range of times.
select ensure_range(%(series)s, %(earliest)s, %(latest)s);

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
-- Worker slots of the last day: when they last wrote, and whether a worker serves them.
select slot, committed_at, drained_at is not null as drained, sessions_lost,
       session_lost_at,
       exists (
           select from pg_locks
           where locktype = 'advisory' and granted and objsubid = 2
             and database = (select oid from pg_database
                             where datname = current_database())
             and classid::bigint = hashtext('vp.ingest.slot')::bigint & 4294967295
             and objid::bigint = slot
       ) as served
from ingest_slot
where slot < 100 and committed_at > now() - interval '1 day'
order by slot;

-- name: count_workers
-- How many ingest workers are connected to the database, each by its slot.
select count(*) as workers from pg_locks
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

-- name: take_slot
-- One worker per slot: held as long as the connection lives.
select pg_try_advisory_lock(hashtext('vp.ingest.slot'), %(slot)s) as taken;
