#!/bin/sh
# Make the roles and the database of Verkehrspuls where they are missing, and set the
# passwords of the roles. The owner of the database owns nothing else.
set -eu
PGPASSWORD=$(cat /run/secrets/database_admin_password)
export PGPASSWORD
psql --set ON_ERROR_STOP=1 --host database --username postgres --no-psqlrc --quiet \
    --file /roles.sql --file - <<'SQL'
\set password `cat /run/secrets/database_password`
alter role vp password :'password';
\set password `cat /run/secrets/database_web_password`
alter role vp_web password :'password';
\set password `cat /run/secrets/database_ingest_password`
alter role vp_ingest password :'password';
\set password `cat /run/secrets/database_analytics_password`
alter role vp_analytics password :'password';
select 'create database vp owner vp'
where not exists (select from pg_database where datname = 'vp') \gexec
revoke all on database vp from public;
grant connect on database vp to vp_web, vp_analytics;
grant connect, temporary on database vp to vp_ingest;
SQL
