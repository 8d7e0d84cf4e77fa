"""A database of the first release is brought up to date with its data in it."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ingest.reasons import Detail
from tests.integration.test_migrations import by_alembic
from verkehrspuls.registry.faults import registered_faults
from verkehrspuls.storage import ledger, migrate
from verkehrspuls.storage.database import connect, execute
from verkehrspuls.storage.sites import list_municipalities, list_sites

#: the revision of the first release
RELEASED = "0005"
OLD_DETAIL = "t = '{}', with a decimal comma"
T = datetime(2026, 9, 16, 8, tzinfo=UTC)


@pytest.fixture
def released(database: str) -> str:
    """URL of a database of the first release, with a volume and a day."""
    with connect(database, autocommit=True) as connection:
        connection.execute("drop schema if exists vp, shown cascade")
        by_alembic(database, RELEASED)
    with connect(database, autocommit=True) as connection:
        connection.execute(
            "with m as (insert into municipality (key, name, state, time_zone)"
            " values ('kusel', 'Kusel', 'RP', 'Europe/Berlin') returning *)"
            " insert into site (municipality_id, key, name)"
            " select municipality_id, 'b420', 'B 420' from m"
        )
        connection.execute("select ensure_range('volume', %s, %s)", [T, T])
        connection.execute(
            "insert into volume (channel_id, interval_s, time, observed_s, volume, car)"
            " values (1, 3600, %s, 3600, 7, 7)",
            [T],
        )
        connection.execute(
            "insert into daily_figure (site_id, quantity, direction, day, volume,"
            " volume_normalised, observed, normalised, imputed, excluded, valid,"
            " method)"
            " values (1, 'motor', 'all', %s, 7, 7, 0.04, 0, 0, 0, false, 'daily-1')",
            [T.date()],
        )
        for hour in range(2):
            connection.execute(
                "insert into ledger values"
                " (0, null, %s, %s, 3, 0, 0, 0, 3, 0, 0, 0, 0, 0)",
                [T + timedelta(hours=hour), T],
            )
            connection.execute(
                "insert into ledger_reject values"
                " (0, null, %s, 'unknown-topic', 3, 2, 0)",
                [T + timedelta(hours=hour)],
            )
        connection.execute("select ensure_range('rejected_message', %s, %s)", [T, T])
        connection.execute(
            "insert into rejected_message (received_at, slot, topic, payload,"
            " payload_bytes, reason, detail, readings_rejected)"
            " values (%s, 0, 'a', 'b', 1, 'not-a-number', %s, 1)",
            [T, OLD_DETAIL],
        )
        connection.execute(
            "select compress_before('volume', %s)", [T + timedelta(days=60)]
        )
    return database


def test_figures_of_the_first_release_are_kept(released: str) -> None:
    before, after = migrate.migrate(released)
    assert before == RELEASED
    assert after != RELEASED
    with connect(released) as connection:
        volumes = connection.execute(
            "select volume, car, gap_s, valid from volume"
        ).fetchall()
        days = connection.execute(
            "select volume, expected, volume_estimated from daily_figure"
        ).fetchall()
    # what was not computed then is unknown
    assert volumes == [(7, 7, None, None)]
    assert days == [(7, None, None)]


def test_running_sums_begin_with_what_was_counted(released: str) -> None:
    migrate.migrate(released)
    with connect(released, autocommit=True) as connection:
        summed = execute(connection, "sum_ledger").fetchall()
        rejects = execute(connection, "count_rejected").fetchall()
        assert ledger.prove(connection).differences["running"] == []
    assert [(row["municipality"], row["messages_received"]) for row in summed] == [
        (None, 6)
    ]
    assert [tuple(row.values()) for row in rejects] == [("unknown-topic", 6, 2)]


def test_what_no_page_could_show_is_mended_and_told(released: str) -> None:
    with connect(released) as connection:
        connection.execute(
            "update municipality set time_zone = 'right/Europe/Berlin', name = %s",
            ["a\x1b[2J" + "x" * 300],
        )
    migrate.migrate(released)
    with connect(released) as connection:
        row = connection.execute(
            "select name, time_zone, notice from municipality"
        ).fetchone()
        (text,) = registered_faults(connection).values()
    assert row is not None
    name, zone, notice = row
    assert name.startswith("a\ufffd[2Jx")
    assert len(name) == 200
    assert zone == "Europe/Berlin"
    assert "right/Europe/Berlin" in notice
    assert notice in text


@pytest.mark.parametrize("name", ["", " \u00a0", "\u200b\u2060", "\u3164", "\u00ad"])
def test_name_that_shows_nothing_becomes_the_key_and_is_not_taken_again(
    released: str, name: str
) -> None:
    with connect(released, autocommit=True) as connection:
        connection.execute("update municipality set name = %s", [name])
        connection.execute("update site set name = %s", [name])
    migrate.migrate(released)
    with connect(released, autocommit=True) as connection:
        towns = list_municipalities(connection)
        sites = list_sites(connection)
        assert [town.name for town in towns] == ["kusel"]
        assert [site.name for site in sites] == ["b420"]
        for table in ("municipality", "site"):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(f"update vp.{table} set name = %s", [name])


def test_simulated_towns_of_before_are_known_as_such(released: str) -> None:
    with connect(released, autocommit=True) as connection:
        connection.execute(
            "update municipality set licence = 'dl-de/by-2-0; simulierte Werte'"
        )
    migrate.migrate(released)
    with connect(released) as connection:
        assert list_municipalities(connection)[0].simulated is True
        assert list_sites(connection)[0].simulated is True


def test_rejects_of_the_first_release_are_told(released: str) -> None:
    migrate.migrate(released)
    everything = dict.fromkeys(
        ("municipality", "sensor", "topic", "reason", "start", "end")
    )
    with connect(released) as connection:
        (row,) = ledger.rejects(connection, limit=9, open=True, **everything)
    assert row.detail_values is None
    assert Detail(row.detail, row.detail_values or ()).in_language("de") == OLD_DETAIL
