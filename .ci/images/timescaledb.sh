#!/bin/sh
# As in the published image, TimescaleDB is in every database made from the template.
set -eu
echo "timescaledb.telemetry_level = ${TIMESCALEDB_TELEMETRY:-basic}" \
    >>"$PGDATA/postgresql.conf"
for database in postgres template1 "$POSTGRES_DB"; do
    psql --username "$POSTGRES_USER" --dbname "$database" \
        --command 'create extension if not exists timescaledb'
done
