-- Counts what changed, so that a page that was made is known to be still right.

create table vp.change (
    place smallint primary key,
    changes bigint not null
);
comment on table vp.change is
    'How many transactions changed what pages show; the sum tells whether one did. '
    'Each has the row of its server process, so that none waits for another.';

create function vp.note_change() returns trigger
language plpgsql as $$
begin
    -- once in a transaction
    if current_setting('vp.noted', true) is distinct from pg_current_xact_id()::text then
        perform set_config('vp.noted', pg_current_xact_id()::text, true);
        insert into vp.change as c values (pg_backend_pid() % 4096, 1)
        on conflict (place) do update set changes = c.changes + 1;
    end if;
    return null;
end $$;

do $$
declare
    what text;
begin
    -- what ingest writes with each batch is not among them: pages ask for it themselves
    foreach what in array array[
        'municipality', 'site', 'channel', 'sensor', 'installation', 'corridor',
        'corridor_station', 'junction', 'junction_arm', 'volume', 'environment_hour',
        'daily_figure', 'long_environment', 'imputed_hour', 'forecast', 'speed_histogram',
        'channel_health', 'anomaly_case', 'case_member', 'case_event',
        'school_holiday', 'local_event']
    loop
        execute format(
            'create trigger note_change after insert or update or delete or truncate '
            'on vp.%I for each statement execute function vp.note_change()', what);
    end loop;
end $$;
