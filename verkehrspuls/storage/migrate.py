"""Migrations: forward only, each revision a file in `migrations/sql/`."""

import logging
from importlib import resources
from typing import TYPE_CHECKING, Any

from verkehrspuls.errors import ServerTooOld

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

MIGRATIONS = resources.files("verkehrspuls.storage") / "migrations"
#: `unique nulls not distinct` and its kin
OLDEST_SERVER = 15


def run_sql(name: str) -> None:
    """Execute a file of statements in the running migration's transaction."""
    from alembic import op

    statements = (MIGRATIONS / "sql" / name).read_text("utf-8")
    # the driver's own execute: several statements, and no placeholder syntax
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(statements)


def migrate(url: str) -> tuple[str | None, str | None]:
    """Bring the database up to the newest revision; returns (before, after)."""
    from alembic import command

    with _engine(url).connect() as connection:
        version = connection.dialect.server_version_info[0]
        if version < OLDEST_SERVER:
            raise ServerTooOld(version=version, oldest=OLDEST_SERVER)
        connection.exec_driver_sql("create schema if not exists vp")
        # one migration at a time, whoever starts first
        connection.exec_driver_sql("select pg_advisory_lock(hashtext('vp.migrate'))")
        connection.commit()
        before = _current(connection)
        command.upgrade(_config(connection), "head")
        connection.commit()
        after = _current(connection)
        connection.exec_driver_sql("select pg_advisory_unlock_all()")
        connection.commit()
    log.info("migrated", extra={"before": before, "after": after})
    return before, after


def status(url: str) -> tuple[str | None, str | None]:
    """Tell the database's revision and the newest one of this program."""
    from alembic.script import ScriptDirectory

    with _engine(url).connect() as connection:
        current = _current(connection)
    return current, ScriptDirectory.from_config(_config(None)).get_current_head()


def _engine(url: str) -> Any:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    from verkehrspuls.storage.database import connect

    return create_engine(
        "postgresql+psycopg://", creator=lambda: connect(url), poolclass=NullPool
    )


def _config(connection: Any) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _current(connection: Any) -> str | None:
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(
        connection, opts={"version_table_schema": "vp"}
    )
    return context.get_current_revision()
