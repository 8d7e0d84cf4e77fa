-- Manual counts beside sensors: what a person counted at a site, tap by tap, and what was
-- decided of it.

create table vp.manual_count (
    manual_count_id integer primary key generated always as identity,
    site_id integer not null references vp.site on delete cascade,
    began timestamptz not null,
    ended timestamptz check (ended > began),
    counted_by vp.words not null default '',
    note vp.words not null default '',
    accepted boolean,
    decided_at timestamptz,
    decided_by vp.words not null default '',
    remark vp.words not null default '',
    result jsonb,
    check ((accepted is null) = (decided_at is null)),
    check (accepted is null or ended is not null)
);
create index on vp.manual_count (site_id);
comment on table vp.manual_count is 'A person counts at a site, to compare its sensors.';
comment on column vp.manual_count.result is
    'The comparison on which was decided: it stays, whatever readings become.';

create table vp.tap (
    manual_count_id integer not null references vp.manual_count on delete cascade,
    tap_id uuid not null,
    at timestamptz not null,
    quantity text not null,
    direction text not null,
    class text not null,
    vehicles smallint not null default 1 check (vehicles between 0 and 10000),
    revision smallint not null default 0,
    primary key (manual_count_id, tap_id)
);
comment on table vp.tap is 'What a person counted; who counts chooses the number of it.';
comment on column vp.tap.vehicles is 'Zero: it was undone.';
comment on column vp.tap.revision is 'The greatest one counts, in whatever order they come.';

-- Who began it, and who decided: by the credential, unless a name was given.
create function vp.before_manual_count() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'INSERT' and new.counted_by = '' then
        new.counted_by := left((select a.name from vp.actor() a), 200);
    end if;
    if tg_op = 'UPDATE' and new.decided_at is distinct from old.decided_at then
        new.decided_by := left((select a.name from vp.actor() a), 200);
    end if;
    return new;
end $$;
revoke execute on function vp.before_manual_count from public;
create trigger before_manual_count before insert or update on vp.manual_count
    for each row execute function vp.before_manual_count();

-- Who may `register` in the municipality counts, and reads what was counted: it names
-- persons. Nobody else does.
do $$
declare
    counts constant text := $rule$
        exists (select from shown.site s
                where s.site_id = manual_count.site_id
                  and s.municipality_id = any((select shown.may('register'))::integer[]))
        $rule$;
    of_count constant text := $rule$
        exists (select from vp.manual_count m
                where m.manual_count_id = tap.manual_count_id) $rule$;
begin
    perform vp.guard('manual_count');
    perform vp.guard('tap');
    execute 'create policy reading on vp.manual_count for select to vp_reader, vp_actor '
        'using (' || counts || ')';
    execute 'create policy reading on vp.tap for select to vp_reader, vp_actor '
        'using (' || of_count || ')';
    execute 'create policy acting on vp.manual_count to vp_actor using (' || counts || ')';
    execute 'create policy acting on vp.tap to vp_actor using (' || of_count || ')';
end $$;
grant select on vp.manual_count, vp.tap to vp_reader, vp_actor;
grant insert (site_id, began, counted_by, note),
      update (site_id, ended, accepted, decided_at, remark, result)
    on vp.manual_count to vp_actor;
grant insert, update on vp.tap to vp_actor;

select vp.watch('manual_count', 'count', $place$
    select m.key::text, concat_ws('/', m.key, s.key, entry.manual_count_id), '{}'::jsonb
    from site s join municipality m using (municipality_id)
    where s.site_id = entry.site_id $place$, array['result', 'decided_by']);
