-- The roles of Verkehrspuls, made by an administrator of the server; safe to repeat.
--
-- `vp` owns the database: it migrates, and the operator's commands log in as it. Web,
-- ingest and analytics log in as roles of their own, which may do what they need and no
-- more; see docs/adr/0012-access.md. Who may log in gets a password besides.

do $$
declare
    each text;
begin
    foreach each in array array['vp_shown', 'vp_reader', 'vp_actor'] loop
        if not exists (select from pg_roles where rolname = each) then
            execute format('create role %I nologin', each);
        end if;
    end loop;
    foreach each in array array['vp', 'vp_web', 'vp_ingest', 'vp_analytics'] loop
        if not exists (select from pg_roles where rolname = each) then
            execute format('create role %I login', each);
        end if;
    end loop;
end $$;
-- the web reads as the one, and takes the other for a transaction that changes something;
-- without taking one it may do nothing
alter role vp_web noinherit;
grant vp_reader, vp_actor to vp_web;
-- whom the views of tables belong to
grant vp_shown to vp;
