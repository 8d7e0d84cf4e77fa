"""Migrations are applied once, whole, in order, and by one program at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from typer.testing import CliRunner

from tests.parts import Databases
from verkehrspuls.commands import db
from verkehrspuls.errors import DatabaseTooNew, NotMigrated
from verkehrspuls.settings import load
from verkehrspuls.stack.checks import Finding, examine
from verkehrspuls.storage import migrate
from verkehrspuls.storage.database import connect

NEWEST = migrate.migrations()[-1].revision


@pytest.fixture
def empty(_plain: Databases) -> Iterator[str]:
    """URL of a database in which nothing is."""
    with _plain.fresh(migrated=False) as url:
        yield url


def by_alembic(url: str, revision: str) -> None:
    """Leave a database as Alembic left it at a revision."""
    with connect(url, autocommit=True) as connection:
        connection.execute("create schema vp")
        for migration in migrate.migrations():
            if migration.revision <= revision:
                connection.execute(migration.statements)
        connection.execute(
            "create table vp.alembic_version (version_num varchar(32) primary key)"
        )
        if revision:
            connection.execute("insert into vp.alembic_version values (%s)", [revision])


def rows(url: str) -> list[tuple[object, ...]]:
    with connect(url) as connection:
        return connection.execute(
            "select number, name, checksum, applied_at is not null"
            " from vp.migration order by number"
        ).fetchall()


def expected() -> list[tuple[object, ...]]:
    return [(int(m.revision), m.name, m.checksum, True) for m in migrate.migrations()]


def printed_status(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `verkehrspuls db status` prints of a database with a fault."""
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", url)
    done = CliRunner().invoke(db.app, ["status"])
    assert done.exit_code == 4
    return done.output


def migrations_finding(url: str) -> Finding:
    found = examine(load({"VERKEHRSPULS_DATABASE__URL": url}))
    return next(finding for finding in found if finding.part == "migrations")


@pytest.mark.parametrize(
    "revision", ["", "0001", "0005", "0013", "0030", "0031", NEWEST]
)
def test_what_alembic_migrated_is_taken_over(empty: str, revision: str) -> None:
    by_alembic(empty, revision)
    assert migrate.status(empty).current == (revision or None)
    assert migrate.migrate(empty) == (revision or None, NEWEST)
    assert rows(empty) == expected()
    assert migrate.status(empty) == (NEWEST, NEWEST, None, ())
    with connect(empty) as connection:
        left = connection.execute(
            "select version_num from vp.alembic_version"
        ).fetchall()
    # a program with Alembic reads that the database is newer than itself
    assert left == ([(NEWEST,)] if revision else [])
    assert migrate.migrate(empty) == (NEWEST, NEWEST)


def test_tables_are_the_same_with_and_without_alembic(
    empty: str, plain_database: str
) -> None:
    by_alembic(empty, "0013")
    migrate.migrate(empty)
    described = []
    for url in (empty, plain_database):
        with connect(url) as connection:
            described.append(
                connection.execute(
                    "select table_name, column_name, data_type, is_nullable,"
                    " column_default from information_schema.columns"
                    " where table_schema = 'vp' and table_name <> 'alembic_version'"
                    " order by 1, 2"
                ).fetchall()
            )
    assert described[0] == described[1]


@pytest.mark.parametrize("revision", ["9999", "0031b"])
def test_database_of_a_newer_alembic_is_refused(empty: str, revision: str) -> None:
    by_alembic(empty, "0001")
    with connect(empty, autocommit=True) as connection:
        connection.execute("update vp.alembic_version set version_num = %s", [revision])
    with pytest.raises(DatabaseTooNew, match=revision):
        migrate.migrate(empty)
    assert isinstance(migrate.status(empty).fault, DatabaseTooNew)


def test_newer_database_is_refused_and_nothing_done(
    plain_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(plain_database, autocommit=True) as connection:
        connection.execute("insert into vp.migration values (9999, 'later', 'x')")
        connection.execute("delete from vp.migration where number = 31")
    before = rows(plain_database)
    with pytest.raises(DatabaseTooNew) as refused:
        migrate.migrate(plain_database)
    assert "9999" in str(refused.value)
    assert NEWEST in str(refused.value)
    assert "Install the version" in str(refused.value)
    assert rows(plain_database) == before

    finding = migrations_finding(plain_database)
    assert (finding.state, finding.detail) == ("problem", str(refused.value))
    assert "Install the version" in printed_status(plain_database, monkeypatch)


def test_database_that_is_behind_says_what_to_do(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = migrate.status(empty).fault
    assert isinstance(fault, NotMigrated)
    finding = migrations_finding(empty)
    assert (finding.state, finding.detail) == ("problem", str(fault))
    assert "verkehrspuls db migrate" in printed_status(empty, monkeypatch)


def test_changed_file_is_told_and_stops_nothing(
    plain_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(plain_database, autocommit=True) as connection:
        connection.execute("update vp.migration set checksum = 'x' where number = 13")
    assert migrate.status(plain_database) == (
        NEWEST,
        NEWEST,
        None,
        ("0013_ingest.sql",),
    )
    finding = migrations_finding(plain_database)
    assert finding.state == "problem"
    assert "0013_ingest.sql" in finding.detail
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", plain_database)
    for command, code in (("migrate", 0), ("status", 4)):
        done = CliRunner().invoke(db.app, [command])
        assert done.exit_code == code
        assert "0013_ingest.sql" in done.output


def test_migration_that_fails_leaves_those_before_it(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = migrate.migrations()
    broken = b"create table vp.half (a integer); select 1 / 0;"
    made = (first, second, migrate.Migration("0003", "broken", broken, "x"))
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "migrations", lambda: made)
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate.migrate(empty)
        assert migrate.status(empty).current == "0002"
    with connect(empty) as connection:
        half = connection.execute("select to_regclass('vp.half')").fetchall()
    assert half == [(None,)]
    assert migrate.migrate(empty) == ("0002", NEWEST)
    assert rows(empty) == expected()


def test_lower_number_that_came_later_is_applied(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tuple(
        migrate.Migration(f"000{n}", "t", b"create table vp.t%d ()" % n, "x")
        for n in (1, 2, 3)
    )
    monkeypatch.setattr(migrate, "migrations", lambda: made[::2])
    assert migrate.migrate(empty) == (None, "0003")
    monkeypatch.setattr(migrate, "migrations", lambda: made)
    assert isinstance(migrate.status(empty).fault, NotMigrated)
    migrate.migrate(empty)
    assert migrate.status(empty).fault is None
    assert [row[0] for row in rows(empty)] == [1, 2, 3]


def test_programs_that_migrate_at_once_do_not_disturb_each_other(empty: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(migrate.migrate, [empty] * 3))
    assert sorted(done, key=str) == [(NEWEST, NEWEST)] * 2 + [(None, NEWEST)]
    assert rows(empty) == expected()


def test_findings_of_before_get_what_their_records_say(empty: str) -> None:
    by_alembic(empty, "0032")
    reasons = ["above-usual", "silent", "zeros", "no-traffic"]
    with connect(empty, autocommit=True) as connection:
        connection.execute(
            "with m as (insert into vp.municipality (key, name, state, time_zone)"
            " values ('kusel', 'Kusel', 'RP', 'Europe/Berlin') returning *),"
            " s as (insert into vp.site (municipality_id, key, name)"
            " select municipality_id, 'b420', 'B 420' from m returning *)"
            " insert into vp.channel (site_id, key, name, quantity, direction)"
            " select site_id, 'in', 'in', 'motor', 'in' from s"
        )
        connection.execute(
            "insert into vp.case_member (channel_id, detector, began, ended, score,"
            " reason) select channel_id, reason, now() - interval '1 hour', now(), 1,"
            " reason from vp.channel, unnest(%s::text[]) as reason",
            [reasons],
        )
        connection.execute(
            "insert into vp.channel_health select channel_id, '2026-03-01'::date + n,"
            " (array['drift', 'frozen'])[n], null, null, null, true, 'health-2', now()"
            " from vp.channel, generate_series(1, 2) as n"
        )
    migrate.migrate(empty)
    with connect(empty) as connection:
        members = connection.execute(
            "select reason, rank, is_fault from vp.case_member"
            " order by array_position(%s, reason)",
            [reasons],
        ).fetchall()
        days = connection.execute(
            "select verdict, is_fault from vp.channel_health order by day"
        ).fetchall()
    assert members == [
        ("above-usual", None, False),
        ("silent", 10, False),
        ("zeros", 30, True),
        ("no-traffic", 1040, True),
    ]
    assert days == [("drift", False), ("frozen", True)]
