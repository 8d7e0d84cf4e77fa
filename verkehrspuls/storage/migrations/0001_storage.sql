-- How series of times are stored, on each of the three storage editions.
--
-- A series is a table with a time column that is partitioned by time. The tables are
-- declared once, as ordinary tables, and `vp.make_series` turns them into what the
-- edition offers: a hypertable on TimescaleDB, native range partitions on plain
-- PostgreSQL. Ranges of times are made, dropped and compressed by the functions
-- below, never by touching rows.

create schema if not exists vp;

-- TimescaleDB is used where the server has it loaded and this role may create it.
do $$
begin
    -- a setting of its loader, because who may not read all settings is not shown
    -- shared_preload_libraries
    if current_setting('timescaledb.disable_load', true) is not null
       and exists (select from pg_available_extensions where name = 'timescaledb')
    then
        create extension if not exists timescaledb with schema public;
    end if;
end $$;

create extension if not exists btree_gist with schema public;

create function vp.detect_edition() returns text
language sql stable as $$
    select case
        when not exists (select from pg_extension where extname = 'timescaledb')
            then 'plain'
        when current_setting('timescaledb.license', true) = 'timescale'
            then 'timescale-community'
        else 'timescale-apache'
    end
$$;

create table vp.storage (
    only_row boolean primary key default true check (only_row),
    edition text not null
        check (edition in ('plain', 'timescale-apache', 'timescale-community')),
    detected_at timestamptz not null default now()
);
comment on table vp.storage is 'The storage edition that the migrations found.';
insert into vp.storage (edition) values (vp.detect_edition());

create table vp.series (
    series text primary key,
    time_column text not null
);
comment on table vp.series is 'The tables that are partitioned by time.';

-- Turn an empty table into a series.
create function vp.make_series(series text, time_column text) returns void
language plpgsql as $$
declare
    edition text := (select s.edition from vp.storage s);
begin
    insert into vp.series values (series, time_column);
    if edition = 'plain' then
        execute format('alter table vp.%I rename to %I', series, series || '_declared');
        execute format(
            'create table vp.%I (like vp.%I including all) partition by range (%I)',
            series, series || '_declared', time_column);
        execute format('drop table vp.%I', series || '_declared');
        return;
    end if;
    perform public.create_hypertable(
        format('vp.%I', series)::regclass, time_column::name,
        chunk_time_interval => interval '7 days', create_default_indexes => false);
    if edition = 'timescale-community' then
        execute format(
            'alter table vp.%I set (timescaledb.compress, '
            'timescaledb.compress_segmentby = %L, timescaledb.compress_orderby = %L)',
            series,
            coalesce(
                (select column_name from information_schema.columns c
                 where c.table_schema = 'vp' and c.table_name = series
                   and c.column_name = 'channel_id'), ''),
            time_column);
    end if;
end $$;

-- Make room for the times from `earliest` to `latest`; TimescaleDB does so by itself.
-- A partition is attached rather than created in place, so that reading and writing
-- go on meanwhile.
create function vp.ensure_range(series text, earliest timestamptz, latest timestamptz)
returns void language plpgsql as $$
declare
    month timestamp := date_trunc('month', earliest at time zone 'UTC');
    partition text;
begin
    if (select edition from vp.storage) <> 'plain' then
        return;
    end if;
    while month <= latest at time zone 'UTC' loop
        partition := format('%s_%s', series, to_char(month, 'YYYYMM'));
        if to_regclass(format('vp.%I', partition)) is null then
            perform pg_advisory_xact_lock(hashtext('vp.ensure_range'));
            -- a query, not to_regclass: that may answer from before the wait
            if not exists (
                select from pg_class
                where relname = partition and relnamespace = 'vp'::regnamespace
            ) then
                execute format(
                    'create table vp.%I (like vp.%I including defaults '
                    'including constraints)', partition, series);
                execute format(
                    'alter table vp.%I attach partition vp.%I for values from (%L) to (%L)',
                    series, partition,
                    month at time zone 'UTC',
                    (month + interval '1 month') at time zone 'UTC');
            end if;
        end if;
        month := month + interval '1 month';
    end loop;
end $$;

-- Drop all partitions that end at or before `cutoff`; returns how many. What is dropped
-- is counted first, so that the ledger still adds up; writers wait meanwhile.
create function vp.drop_before(series text, cutoff timestamptz) returns integer
language plpgsql as $$
declare
    partition text;
    dropped integer := 0;
begin
    execute format('lock table only vp.%I in share row exclusive mode', series);
    if (select edition from vp.storage) <> 'plain' then
        perform vp.note_dropped(series, chunk)
        from public.show_chunks(
            format('vp.%I', series)::regclass, older_than => cutoff) chunk;
        select count(*) into dropped
        from public.drop_chunks(format('vp.%I', series)::regclass, older_than => cutoff);
        return dropped;
    end if;
    for partition in
        select child.relname
        from pg_inherits
        join pg_class child on child.oid = inhrelid
        where inhparent = format('vp.%I', series)::regclass
          and (to_date(right(child.relname, 6), 'YYYYMM') + interval '1 month')
              at time zone 'UTC' <= cutoff
    loop
        perform vp.note_dropped(series, format('vp.%I', partition)::regclass);
        execute format('drop table vp.%I', partition);
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$;

-- Compress all chunks that end before `cutoff`, where the edition can; returns how many.
create function vp.compress_before(series text, cutoff timestamptz) returns integer
language plpgsql as $$
declare
    chunk regclass;
    compressed integer := 0;
begin
    if (select edition from vp.storage) <> 'timescale-community' then
        return 0;
    end if;
    for chunk in
        select format('%I.%I', chunk_schema, chunk_name)::regclass
        from timescaledb_information.chunks
        where hypertable_schema = 'vp' and hypertable_name = series
          and not is_compressed and range_end <= cutoff
    loop
        perform public.compress_chunk(chunk);
        compressed := compressed + 1;
    end loop;
    return compressed;
end $$;
