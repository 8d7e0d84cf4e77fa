-- The newest messages of each sensor and what became of them, for whoever brings it into
-- service. Each worker slot has rows of its own, as in the ledger; bounded, so that a
-- row of it is no proof of anything: that is the ledger.
create table vp.newest_message (
    slot smallint not null,
    sensor_id integer not null references vp.sensor,
    -- the newest first, each as JSON: when it came, readings that could be used and
    -- that could not, and why: reason, detail, values
    messages text[] not null,
    primary key (slot, sensor_id)
) with (fillfactor = 50);

-- What is removed from the registry and named by the ledger stays as a row: the ledger
-- can be proved for ever. Registered again, it is as before.
alter table vp.municipality add column removed_at timestamptz;
alter table vp.sensor add column removed_at timestamptz;

-- Remove readings of channels, those of one sensor or (null) of all: counted as dropped,
-- so that the ledger still adds up. Their hours are stale then.
create function vp.remove_readings(channels integer[], sensor integer) returns void
language plpgsql as $$
declare
    series text;
begin
    foreach series in array array[
        'count_reading', 'environment_reading',
        'count_reading_history', 'environment_reading_history']
    loop
        execute format(
            'with gone as ('
            '    delete from vp.%I where channel_id = any($1) '
            '    and ($2 is null or sensor_id = $2) '
            '    returning channel_id, time, sensor_id, received_at, revision'
            '), marked as ('
            '    insert into vp.stale_bucket (channel_id, hour) '
            '    select distinct channel_id, date_trunc(''hour'', time, ''UTC'') from gone'
            ') '
            'insert into vp.ledger_dropped as d '
            'select sensor_id, date_trunc(''hour'', received_at, ''UTC''), '
            '       case revision when 0 then ''stored'' else ''corrected'' end, '
            '       '''', count(*) '
            'from gone group by 1, 2, 3, 4 '
            'on conflict (sensor_id, hour, outcome, reason) '
            'do update set dropped = d.dropped + excluded.dropped', series)
        using channels, sensor;
    end loop;
end $$;
