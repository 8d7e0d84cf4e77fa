"""Migrations: forward only, the numbered files of `migrations/`, applied in order.

Each is applied in a transaction of its own, together with its row in `vp.migration`.
"""

import logging
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Final, NamedTuple

from verkehrspuls.access import permissions
from verkehrspuls.errors import (
    DatabaseTooNew,
    NotMigrated,
    ServerTooOld,
    VerkehrspulsError,
)
from verkehrspuls.storage.database import Connection, connect, execute, one
from verkehrspuls.storage.roles import require_roles

log = logging.getLogger(__name__)

MIGRATIONS: Final = resources.files("verkehrspuls.storage") / "migrations"
#: `unique nulls not distinct` and its kin
OLDEST_SERVER: Final = 15


class Migration(NamedTuple):
    """A file of `migrations/`, such as `0031_uneven_channels.sql`."""

    revision: str
    name: str
    statements: bytes
    checksum: str

    @property
    def file(self) -> str:
        """Its file name."""
        return f"{self.revision}_{self.name}.sql"


class Status(NamedTuple):
    """How a database and this program fit together."""

    #: the newest revision of the database, as `0031`; None: it was never migrated
    current: str | None
    #: the newest one of this program
    needed: str
    #: why the program cannot work with the database; None where it can
    fault: VerkehrspulsError | None
    #: files that were changed after they were applied
    changed: tuple[str, ...]


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations of this program, in order."""
    files = (file for file in MIGRATIONS.iterdir() if file.name.endswith(".sql"))
    return tuple(
        _migration(file.name, file.read_text("utf-8").encode())
        for file in sorted(files, key=lambda file: file.name)
    )


def migrate(url: str) -> tuple[str | None, str | None]:
    """Bring the database up to the newest revision; return (before, after)."""
    with connect(url, autocommit=True) as connection:
        version = connection.info.server_version // 10_000
        if version < OLDEST_SERVER:
            raise ServerTooOld(version=version, oldest=OLDEST_SERVER)
        require_roles(connection)
        execute(connection, "lock_migrations")
        applied = _applied(connection)
        before = _status(applied)
        if isinstance(before.fault, DatabaseTooNew):
            raise before.fault
        _make_table(connection, applied)
        for migration in migrations():
            if migration.revision not in applied:
                with connection.transaction():
                    connection.execute(migration.statements)
                    _note(connection, migration)
        tables = one(connection, "migration_tables")
        if tables["permissions"]:
            _put_permissions(connection)
        after = _status(_applied(connection))
        if tables["alembic"]:
            execute(connection, "note_alembic_revision", revision=after.current)
    log.info("migrated", extra={"before": before.current, "after": after.current})
    return before.current, after.current


def status(url: str) -> Status:
    """Compare the database's migrations with those of this program."""
    with connect(url, autocommit=True) as connection:
        return status_of(connection)


def status_of(connection: Connection) -> Status:
    """Compare the migrations of a connection's database with those of this program."""
    return _status(_applied(connection))


def _migration(file: str, statements: bytes) -> Migration:
    revision, _, name = file.removesuffix(".sql").partition("_")
    return Migration(revision, name, statements, sha256(statements).hexdigest())


def _applied(connection: Connection) -> dict[str, str]:
    """Read the revisions that were applied, and the checksums of their files."""
    tables = one(connection, "migration_tables")
    if tables["own"]:
        rows = execute(connection, "applied_migrations").fetchall()
        return {f"{row['number']:04}": row["checksum"] for row in rows}
    newest = tables["alembic"] and one(connection, "alembic_revision")["revision"]
    if not newest:
        return {}
    known = {m.revision: m.checksum for m in migrations() if m.revision <= newest}
    return known if newest in known else {newest: ""}


def _status(applied: dict[str, str]) -> Status:
    known = {migration.revision: migration for migration in migrations()}
    current, needed = max(applied, default=None), max(known)
    fault: VerkehrspulsError | None = None
    if applied.keys() - known.keys():
        fault = DatabaseTooNew(current=current, newest=needed)
    elif known.keys() - applied.keys():
        fault = NotMigrated(current=current or "none", needed=needed)
    changed = tuple(
        migration.file
        for revision, migration in known.items()
        if applied.get(revision, migration.checksum) != migration.checksum
    )
    return Status(current, needed, fault, changed)


def _make_table(connection: Connection, applied: dict[str, str]) -> None:
    """Make the table of migrations where there is none, with what Alembic kept."""
    tables = one(connection, "migration_tables")
    if tables["own"]:
        return
    with connection.transaction():
        execute(connection, "make_migration_table")
        for migration in migrations():
            if migration.revision in applied:
                _note(connection, migration)


def _note(connection: Connection, migration: Migration) -> None:
    execute(
        connection,
        "note_migration",
        number=int(migration.revision),
        name=migration.name,
        checksum=migration.checksum,
    )


def _put_permissions(connection: Connection) -> None:
    roles, permitted = zip(*permissions.rows(), strict=True)
    execute(
        connection, "put_permissions", roles=list(roles), permissions=list(permitted)
    )
