#!/bin/sh
# The role and database of Verkehrspuls, made once when the volume is empty. The role
# owns its database and nothing else.
set -eu
psql --set ON_ERROR_STOP=1 --username postgres --no-psqlrc <<'SQL'
\set password `cat /run/secrets/database_password`
create role vp login password :'password';
create database vp owner vp;
revoke all on database vp from public;
SQL
