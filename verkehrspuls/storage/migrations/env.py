"""Alembic's environment: one connection, given by `storage.migrate`."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, version_table_schema="vp", transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
