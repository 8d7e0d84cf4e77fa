-- The audit log: who changed what, when and from where. It is only appended to, and each
-- entry carries the hash of the one before; see docs/explanation/audit.md.

create table vp.audit (
    -- without gaps
    number bigint primary key,
    at timestamptz not null default clock_timestamp(),
    actor_kind text not null
        check (actor_kind in ('account', 'token', 'command', 'system', 'anonymous')),
    actor text not null,
    -- of an account or token
    actor_id bigint,
    -- an address, or the host of a command
    origin text not null,
    -- the words of a command, or a method and route
    via text not null,
    -- noun and verb: `site.add`; the noun is the kind of what was changed
    action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
    key text not null,
    -- NULL: the whole installation
    municipality text,
    before jsonb,
    after jsonb,
    previous bytea not null,
    hash bytea not null
);
create index on vp.audit (at);
create index on vp.audit (municipality, number);
create index audit_forget on vp.audit (number) where action = 'audit.forget';
comment on table vp.audit is
    'Protokoll: what persons, tokens and commands changed; only appended to.';

-- The SHA-256 of an entry: of its other columns as a JSON array, see the documentation.
-- (These functions are in PL/pgSQL, which keeps their plans.)
create function vp.audit_hash(entry vp.audit) returns bytea
language plpgsql stable set search_path = pg_catalog as $$
begin
    return sha256(convert_to(jsonb_build_array(
        entry.number,
        to_char(entry.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        entry.actor_kind, entry.actor, entry.actor_id, entry.origin, entry.via,
        entry.action, entry.key, entry.municipality, entry.before::text,
        entry.after::text, encode(entry.previous, 'hex'))::text, 'UTF8'));
end $$;

-- Whose turn it is to append. No advisory lock, which any role could take and keep.
create table vp.audit_turn (one boolean primary key default true check (one));
insert into vp.audit_turn default values;
comment on table vp.audit_turn is 'One row: who appends to the audit log has locked it.';

-- Number and hash, whoever appends: one transaction at a time, until it ends.
create function vp.chain_audit() returns trigger
language plpgsql set search_path = vp, pg_catalog as $$
begin
    perform from audit_turn for update;
    select a.number + 1, a.hash into new.number, new.previous
    from audit a order by a.number desc limit 1;
    if not found then
        new.number := 1;
        new.previous := '';
    end if;
    new.hash := audit_hash(new);
    return new;
end $$;
create trigger chain_audit before insert on vp.audit
    for each row execute function vp.chain_audit();

-- Not even the owner changes it. What the log itself says was forgotten may go.
create function vp.keep_audit() returns trigger
language plpgsql set search_path = vp, pg_catalog as $$
begin
    if tg_op = 'DELETE' then
        if not exists (
            select from gone
            where gone.number > coalesce((
                select (a.after ->> 'number')::bigint from audit a
                where a.action = 'audit.forget' order by a.number desc limit 1), 0))
        then
            return null;
        end if;
    end if;
    raise insufficient_privilege using message = 'the audit log is only appended to';
end $$;
create trigger keep_audit before update or truncate on vp.audit
    for each statement execute function vp.keep_audit();
create trigger keep_rest_of_audit after delete on vp.audit
    referencing old table as gone
    for each statement execute function vp.keep_audit();

-- Entries of a transaction until it commits: only then do they wait for each other, so
-- that a long transaction holds up none, and no two wait for each other.
create unlogged table vp.audit_draft (
    draft bigint generated always as identity primary key,
    actor_kind text not null,
    actor text not null,
    actor_id bigint,
    origin text not null,
    via text not null,
    action text not null check (action ~ '^[a-z_]+\.[a-z_]+$' and action <> 'audit.forget'),
    key text not null,
    municipality text,
    before jsonb,
    after jsonb
);
comment on table vp.audit_draft is 'Entries of the audit log whose transaction goes on.';

create function vp.enter_audit() returns trigger
language plpgsql security definer set search_path = vp, pg_catalog as $$
begin
    insert into audit (actor_kind, actor, actor_id, origin, via, action, key,
                       municipality, before, after)
    values (new.actor_kind, new.actor, new.actor_id, new.origin, new.via, new.action,
            new.key, new.municipality, new.before, new.after);
    delete from audit_draft where draft = new.draft;
    return null;
end $$;
create constraint trigger enter_audit after insert on vp.audit_draft
    deferrable initially deferred
    for each row execute function vp.enter_audit();

-- Who acts in this transaction. Over the web the credential says it, and nothing that the
-- web says itself; a process of the installation names its user and command.
create function vp.actor(
    out kind text, out name text, out id bigint, out origin text, out via text)
language plpgsql stable security definer set search_path = vp, pg_catalog as $$
declare
    said jsonb := coalesce(nullif(current_setting('vp.origin', true), ''), '{}');
    viewer text := coalesce(current_setting('vp.viewer', true), '');
begin
    origin := coalesce(said ->> 'host', host(inet_client_addr()), 'local');
    via := coalesce(said ->> 'via', current_setting('application_name'));
    if session_user = 'vp_web' or viewer <> '' then
        select 'token', coalesce(nullif(t.note, ''), t.prefix), t.api_token_id
        into kind, name, id
        from api_token t where t.sha256 = decode(viewer, 'hex');
        if not found then
            kind := 'anonymous';
            name := '';
        end if;
    else
        kind := coalesce(said ->> 'kind', 'command');
        name := coalesce(said ->> 'user', session_user);
    end if;
end $$;

-- Append an entry when this transaction commits.
create function vp.note_audit(
    action text, key text, municipality text default null, before jsonb default null,
    after jsonb default null)
returns void language plpgsql security definer set search_path = vp, pg_catalog as $$
begin
    insert into audit_draft (actor_kind, actor, actor_id, origin, via, action, key,
                             municipality, before, after)
    select a.kind, a.name, a.id, a.origin, a.via, $1, $2, $3, $4, $5 from actor() a;
end $$;

-- Forget what is older, but nothing that came after something to be kept; returns how
-- many entries. The entry that says so carries the hash of the last one, by which the
-- rest of the chain is proved.
create function vp.forget_audit(days integer) returns bigint
language plpgsql security definer set search_path = vp, pg_catalog as $$
declare
    -- whole days, so that the log does not fill with such entries
    cutoff timestamptz := date_trunc('day', now(), 'UTC') - make_interval(days => days);
    kept bigint;
    last audit;
    forgotten bigint;
begin
    if days < 30 then
        raise insufficient_privilege using
            message = 'the audit log is kept for at least 30 days';
    end if;
    select min(number) into kept from audit where at >= cutoff;
    select * into last from audit
    where kept is null or number < kept
    order by number desc limit 1;
    if not found then
        return 0;
    end if;
    insert into audit (actor_kind, actor, origin, via, action, key, after)
    select 'system', session_user, a.origin, a.via, 'audit.forget', last.number::text,
           jsonb_build_object('number', last.number, 'hash', encode(last.hash, 'hex'))
    from actor() a;
    delete from audit where number <= last.number;
    get diagnostics forgotten = row_count;
    return forgotten;
end $$;

-- What an entry says of a row.
create function vp.facts(entry jsonb, hidden text[]) returns jsonb
language plpgsql immutable strict set search_path = pg_catalog as $$
begin
    return (select jsonb_object_agg(key, value) from jsonb_each(entry)
            where key not like '%\_id' and key <> all(hidden));
end $$;

-- Where a row belongs: its municipality, its key, and the keys of what it refers to.
create type vp.place as (municipality text, key text, named jsonb);

-- Facts without what is secret: that it was there, or changed, and no more.
create function vp.masked(facts jsonb, secret text[]) returns jsonb
language plpgsql immutable strict set search_path = pg_catalog as $$
begin
    return (select jsonb_object_agg(
                key, case when key = any(secret) and value <> 'null' then '"…"'
                          else value end)
            from jsonb_each(facts));
end $$;

-- Note a row that was added, changed or removed; of one that was changed, only what did.
create function vp.note_row(
    noun text, verb text, place vp.place, secret text[], before jsonb, after jsonb)
returns void language plpgsql security definer set search_path = vp, pg_catalog as $$
declare
    came boolean := before is null or before ->> 'removed_at' is not null;
    gone boolean := after is null or after ->> 'removed_at' is not null;
begin
    if before = after or place.key is null then
        return;
    end if;
    verb := coalesce(verb, case
        when came and gone then 'change'
        when came then 'add'
        when gone then 'remove'
        when before ->> 'revoked_at' is null and after ->> 'revoked_at' is not null
            then 'revoke'
        else 'change' end);
    if before is not null and after is not null then
        select jsonb_object_agg(b.key, b.value), jsonb_object_agg(b.key, after -> b.key)
        into before, after
        from jsonb_each(before) b
        where after -> b.key is distinct from b.value;
    end if;
    perform note_audit(noun || '.' || verb, place.key, place.municipality,
                       masked(before, secret), masked(after, secret));
end $$;

-- Note each change of a table's rows. A query gives the place of a row, `entry`. Where it
-- gives none, the row goes with one that it is part of, whose entry says so. Columns that
-- are hidden, and numbers of rows, are not noted; of those that are secret only that they
-- changed.
create function vp.watch(
    watched text, noun text, place text, hidden text[] default '{}',
    changes text default 'insert or update or delete', condition text default 'true',
    verb text default null, secret text[] default '{}')
returns void language plpgsql as $$
begin
    execute format($function$
        create function vp.%1$I() returns trigger
        language plpgsql security definer set search_path = vp, pg_catalog as $body$
        declare
            entry vp.%2$I;
            was place;
            it place;
        begin
            if tg_op = 'UPDATE' and old is not distinct from new then
                return null;
            end if;
            if tg_op <> 'INSERT' then
                entry := old;
                %3$s into was;
            end if;
            if tg_op <> 'DELETE' then
                entry := new;
                %3$s into it;
            end if;
            perform note_row(%4$L, %5$L, case when it.key is null then was else it end,
                             %7$L, facts(to_jsonb(old), %6$L) || was.named,
                             facts(to_jsonb(new), %6$L) || it.named);
            return null;
        end $body$ $function$,
        'audit_' || watched, watched, place, noun, verb, hidden, secret);
    execute format('revoke execute on function vp.%I() from public', 'audit_' || watched);
    execute format(
        'create trigger audit after %s on vp.%I for each row when (%s) '
        'execute function vp.%I()', changes, watched, condition, 'audit_' || watched);
end $$;

do $$
declare
    of_town constant text := $place$
        select m.key::text, m.key || '/' || entry.key, '{}'::jsonb
        from municipality m where m.municipality_id = entry.municipality_id $place$;
    of_case constant text := $place$
        select m.key::text, entry.anomaly_case_id::text, '{}'::jsonb
        from anomaly_case a
        join site s using (site_id)
        join municipality m using (municipality_id)
        where a.anomaly_case_id = entry.anomaly_case_id $place$;
begin
    perform vp.watch('municipality', 'municipality',
        $place$ select entry.key::text, entry.key::text, '{}'::jsonb $place$);
    perform vp.watch('site', 'site', of_town, array['audience']);
    perform vp.watch('sensor', 'sensor', of_town);
    perform vp.watch('corridor', 'corridor', of_town);
    perform vp.watch('junction', 'junction', of_town);
    perform vp.watch('channel', 'channel', $place$
        select m.key::text, concat_ws('/', m.key, s.key, entry.key), '{}'::jsonb
        from site s join municipality m using (municipality_id)
        where s.site_id = entry.site_id $place$, array['audience']);
    perform vp.watch('installation', 'installation', $place$
        select m.key::text, concat_ws('/', m.key, e.key, entry.output),
               jsonb_build_object('channel', (
                   select s.key || '/' || c.key from channel c join site s using (site_id)
                   where c.channel_id = entry.channel_id))
        from sensor e join municipality m using (municipality_id)
        where e.sensor_id = entry.sensor_id $place$);
    perform vp.watch('corridor_station', 'corridor_station', $place$
        select m.key::text, concat_ws('/', m.key, r.key, entry.station),
               jsonb_build_object('site', (
                   select s.key from site s where s.site_id = entry.site_id))
        from corridor r join municipality m using (municipality_id)
        where r.corridor_id = entry.corridor_id $place$);
    perform vp.watch('junction_arm', 'junction_arm', $place$
        select m.key::text, m.key || '/' || j.key,
               jsonb_build_object('site', (
                   select s.key from site s where s.site_id = entry.site_id))
        from junction j join municipality m using (municipality_id)
        where j.junction_id = entry.junction_id $place$);
    perform vp.watch('local_event', 'event', $place$
        select m.key::text, entry.local_event_id::text,
               jsonb_build_object('site', (
                   select s.key from site s where s.site_id = entry.site_id))
        from municipality m where m.municipality_id = entry.municipality_id $place$);
    perform vp.watch('school_holiday', 'school_holiday',
        $place$ select null::text, entry.state, '{}'::jsonb $place$);
    perform vp.watch('api_token', 'token', $place$
        select m.key::text, entry.prefix,
               jsonb_build_object('sensor', (
                   select e.key from sensor e where e.sensor_id = entry.sensor_id))
        from municipality m where m.municipality_id = entry.municipality_id $place$,
        array['sha256', 'last_used_at']);
    -- what persons do with cases; the rest is the detectors' work
    perform vp.watch('anomaly_case', 'case', of_case, array['updated_at'],
        changes => 'update of state, effect', verb => 'decide');
    perform vp.watch('case_event', 'case', of_case, array['at', 'kind', 'severity'],
        changes => 'insert', verb => 'comment',
        condition => $when$ new.kind in ('decided', 'comment') and new.comment <> '' $when$);
end $$;

do $$
declare
    each text;
begin
    foreach each in array array[
        'chain_audit()', 'keep_audit()', 'enter_audit()', 'audit_hash(vp.audit)',
        'actor()', 'facts(jsonb, text[])',
        'masked(jsonb, text[])', 'note_row(text, text, vp.place, text[], jsonb, jsonb)',
        'note_audit(text, text, text, jsonb, jsonb)', 'forget_audit(integer)',
        'watch(text, text, text, text[], text, text, text, text[])']
    loop
        execute 'revoke execute on function vp.' || each || ' from public';
    end loop;
end $$;
grant execute on function vp.note_audit(text, text, text, jsonb, jsonb)
    to vp_actor, vp_analytics;
grant execute on function vp.forget_audit(integer) to vp_analytics;
