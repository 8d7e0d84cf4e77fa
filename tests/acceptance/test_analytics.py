"""The analytics commands as processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from tests.parts import PATIENCE_S, bound_s, logins, wait_for
from tests.towns import TOWN
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import connect

T = datetime(2026, 9, 16, 8, tzinfo=UTC)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "verkehrspuls", "analytics", *arguments]


def environment(url: str) -> dict[str, str]:
    return {**os.environ, **logins(url)}


def put_reading(url: str) -> None:
    with connect(url) as connection:
        register(connection, TOWN)
        connection.execute("select ensure_range('count_reading', %s, %s)", (T, T))
        connection.execute(
            "insert into count_reading (channel_id, time, interval_s, sensor_id, "
            "received_at, car) "
            "select channel_id, %s, 3600, 1, now(), 42 from channel where key = 'in'",
            (T,),
        )


def volumes(url: str) -> list[tuple[int]]:
    with psycopg.connect(url) as connection:
        return connection.execute("select volume from vp.volume").fetchall()


def test_recompute_computes_what_is_chosen(plain_database: str) -> None:
    put_reading(plain_database)
    run = subprocess.run(
        command("recompute", "--municipality", "kusel"),
        env=environment(plain_database),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "hours computed: 1" in run.stderr
    assert volumes(plain_database) == [(42,)]


@pytest.mark.parametrize("verb", ["recompute", "health"])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--site", "nowhere"), "no site nowhere"),
        (("--municipality", "nowhere"), "no municipality nowhere"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "ends before it begins"),
    ],
)
def test_what_is_not_there_is_refused(
    plain_database: str, verb: str, arguments: tuple[str, ...], text: str
) -> None:
    run = subprocess.run(
        command(verb, *arguments),
        env=environment(plain_database),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert text in run.stderr


@contextmanager
def stopped(url: str) -> Iterator[subprocess.Popen[str]]:
    """Run the worker; check that it stops soon when it is asked to, after the block."""
    with subprocess.Popen(
        command("run"),
        env=environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
            assert time.monotonic() - began < bound_s(5)
        finally:
            process.kill()


def test_run_says_ready_and_stops_when_told(plain_database: str) -> None:
    with stopped(plain_database) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"


def test_a_claim_that_takes_long_is_given_up(plain_database: str) -> None:
    put_reading(plain_database)
    with psycopg.connect(plain_database) as other, stopped(plain_database):
        # the worker waits for this lock, and would for ever
        other.execute("lock table vp.volume in access exclusive mode")
        with psycopg.connect(plain_database, autocommit=True) as third:
            third.execute(
                "insert into vp.stale_bucket "
                "select channel_id, date_trunc('hour', time) from vp.count_reading"
            )
            wait_for(
                lambda: (
                    third.execute(
                        "select from pg_stat_activity "
                        "where wait_event_type = 'Lock' "
                        "and datname = current_database()"
                    ).fetchone()
                    is not None
                ),
                20,
            )
    with psycopg.connect(plain_database) as connection:
        marks = connection.execute("select count(*) from vp.stale_bucket").fetchone()
    assert marks == (1,)
