-- As in 0041_logins.sql: no temporary table stands in for one that is read.
alter function shown.session() set search_path = pg_catalog, pg_temp;
alter function shown.account() set search_path = pg_catalog, pg_temp;
