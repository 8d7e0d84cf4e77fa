-- What ingest and analytics may do, each as a role of its own; see
-- docs/adr/0012-access.md. A table that a later migration makes is closed to both.

-- Temporary tables are looked for before all others where the path does not say
-- otherwise: whoever may make some could put one in the place of a table that a function
-- reads with the rights of the owner.
do $$
declare
    each record;
begin
    for each in
        select p.oid::regprocedure as function, setting
        from pg_proc p
        cross join unnest(p.proconfig) as setting
        where p.pronamespace in ('vp'::regnamespace, 'shown'::regnamespace)
          and setting like 'search\_path=%' and setting not like '%pg\_temp'
    loop
        execute format('alter function %s set %s, pg_temp', each.function, each.setting);
    end loop;
    -- which makes more of them
    execute replace(
        pg_get_functiondef('vp.watch'::regproc),
        'set search_path = vp, pg_catalog as $body$',
        'set search_path = vp, pg_catalog, pg_temp as $body$');
end $$;

-- What needs the owner: to make, compress and drop parts of a series, and to remove what
-- arrived for a channel that is gone.

alter function vp.ensure_range(text, timestamptz, timestamptz)
    security definer set search_path = pg_catalog, pg_temp;
alter function vp.compress_before(text, timestamptz)
    security definer set search_path = pg_catalog, pg_temp;

-- Drop what is old of a series that is not kept forever, whatever is asked for; returns
-- how many parts.
create function vp.drop_old(series text, cutoff timestamptz) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    -- the least that can be set: see verkehrspuls/settings.py
    days integer := case
        when series in ('count_reading', 'count_reading_history',
                        'environment_reading', 'environment_reading_history') then 60
        when series = 'rejected_message' then 1
    end;
begin
    if days is null then
        raise insufficient_privilege using message = format('%s is kept', series);
    end if;
    return vp.drop_before(series, least(cutoff, now() - make_interval(days => days)));
end $$;

-- Remove what was computed of channels.
create function vp.remove_figures(channels integer[]) returns void
language plpgsql as $$
declare
    what text;
begin
    foreach what in array array[
        'volume', 'environment_hour', 'long_volume', 'long_environment',
        'speed_histogram', 'imputed_hour', 'forecast', 'channel_health',
        'newest_reading', 'installation', 'stale_bucket']
    loop
        execute format('delete from vp.%I where channel_id = any($1)', what)
        using channels;
    end loop;
end $$;

-- Remove readings that arrived for channels while these were being removed; returns how
-- many channels.
create function vp.sweep() returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    channels integer[] := array(
        select distinct b.channel_id from vp.stale_bucket b
        where not exists (select from vp.channel c where c.channel_id = b.channel_id));
begin
    if channels <> '{}' then
        perform vp.remove_readings(channels, null);
        perform vp.remove_figures(channels);
    end if;
    return cardinality(channels);
end $$;

revoke execute on function
    vp.ensure_range, vp.compress_before, vp.drop_old, vp.sweep from public;
grant execute on function vp.ensure_range to vp_ingest, vp_analytics;
grant execute on function vp.compress_before, vp.drop_old, vp.sweep to vp_analytics;

grant usage on schema vp to vp_ingest, vp_analytics;
-- whose functions queries of cases call; without a credential they name nobody
grant usage on schema shown to vp_analytics;

grant select on
    vp.municipality, vp.site, vp.channel, vp.sensor, vp.installation, vp.installed,
    vp.count_reading, vp.count_reading_history, vp.environment_reading,
    vp.environment_reading_history, vp.ambiguous_reading
    to vp_ingest, vp_analytics;

grant insert, update, delete on vp.count_reading, vp.environment_reading to vp_ingest;
grant insert on vp.count_reading_history, vp.environment_reading_history to vp_ingest;
grant insert on vp.stale_bucket to vp_ingest;
grant insert, update, delete on vp.ambiguous_reading to vp_ingest;
grant select, insert on vp.rejected_message to vp_ingest;
grant usage on sequence vp.rejected_message_id to vp_ingest;
grant select, insert, update on
    vp.frame, vp.ingest_group, vp.ingest_session, vp.ingest_slot, vp.ledger,
    vp.ledger_field, vp.ledger_reject, vp.ledger_reject_sum, vp.ledger_sum,
    vp.newest_message, vp.passed_over, vp.sensor_status, vp.sequence,
    vp.sparkplug_birth, vp.uneven_channel
    to vp_ingest;

grant select on
    vp.ambiguous, vp.corridor, vp.corridor_station, vp.exclusion, vp.fault,
    vp.junction, vp.junction_arm, vp.ledger, vp.local_event, vp.school_holiday,
    vp.sensor_status, vp.series, vp.time_zone
    to vp_analytics;
grant select, insert, update, delete on
    vp.alert, vp.anomaly_case, vp.case_event, vp.case_member, vp.channel_health,
    vp.daily_figure, vp.environment_hour, vp.forecast, vp.imputed_hour,
    vp.long_environment, vp.long_volume, vp.newest_reading, vp.set_aside,
    vp.speed_histogram, vp.stale_bucket, vp.stale_case_day, vp.stale_case_hour,
    vp.stale_day, vp.volume
    to vp_analytics;
grant select, delete on vp.frame to vp_analytics;

-- Analytics locks rows of the registry, which takes the right to change them, and changes
-- none.
grant update (municipality_id) on vp.municipality to vp_analytics;
grant update (site_id) on vp.site to vp_analytics;
create policy locking on vp.municipality as restrictive for update to vp_analytics
    using (true) with check (false);
create policy locking on vp.site as restrictive for update to vp_analytics
    using (true) with check (false);
