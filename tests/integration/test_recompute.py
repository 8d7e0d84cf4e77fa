"""Recomputing with several processes, of which any may be killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from analytics.jobs import claims
from analytics.jobs.recompute import recompute
from analytics.jobs.store import Store, open_store
from tests.parts import PATIENCE_S, wait_for
from tests.towns import TOWN
from verkehrspuls.model import Site
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Settings, load
from verkehrspuls.storage.database import connect

T = datetime(2026, 6, 15, tzinfo=UTC)
HOURS = 72
SITES = tuple(
    Site(key=f"s{n}", name=f"S{n}", channels=TOWN.sites[0].channels) for n in range(6)
)
#: two channels of each site count
MARKS = len(SITES) * 2 * HOURS
ALL = claims.Choice()


@pytest.fixture
def store(plain_database: str) -> Iterator[Store]:
    with open_store(plain_database, application="test") as store:
        register(
            store.connection,
            msgspec.structs.replace(TOWN, sites=(*TOWN.sites, *SITES)),
        )
        until = T + timedelta(hours=HOURS)
        store.connection.execute(
            "select ensure_range('count_reading', %s, %s)", (T, until)
        )
        store.connection.execute(
            "insert into count_reading (channel_id, time, interval_s, sensor_id, "
            "received_at, car, speed_kmh) "
            "select channel_id, t.time, 900, 1, t.time, (channel_id * 7 + n) %% 40, 50 "
            "from channel c join site s using (site_id), "
            "generate_series(%s, %s - interval '1 s', interval '15 minutes') "
            "with ordinality t (time, n) "
            "where s.key like 's%%' and quantity = 'motor'",
            (T, until),
        )
        yield store


@pytest.fixture
def settings(plain_database: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", plain_database)
    # some claims of each site
    monkeypatch.setenv("VERKEHRSPULS_ANALYTICS__CLAIM_HOURS", "100")
    return load()


@pytest.fixture
def alone(store: Store, settings: Settings) -> list[list[Any]]:
    """What one process computes; it is removed again."""
    assert recompute(settings, ALL, progress=False) == MARKS
    found = figures(store)
    assert len(found[0]) == 5 * MARKS
    store.connection.execute("truncate volume, daily_figure")
    return found


def figures(store: Store) -> list[list[Any]]:
    return [
        store.connection.execute(query).fetchall()
        for query in (
            "select * from volume order by 1, 2, 3",
            "select * from daily_figure order by 1, 2, 3, 4",
            "select channel_id, detector, began, ended, observed, usual, score, reason "
            "from case_member where withdrawn_at is null order by 1, 2, 3",
        )
    ]


@contextmanager
def writing_held(settings: Settings) -> Iterator[Callable[[], bool]]:
    """Let nobody write; tells whether two processes, with marks taken, wait for it."""
    url = settings.database.url.get_secret_value()
    with connect(url) as holding, connect(url, autocommit=True) as looking:
        holding.execute("lock table daily_figure in share mode")

        def both_wait() -> bool:
            found = looking.execute(
                "select from pg_stat_activity where wait_event_type = 'Lock' "
                "and datname = current_database() "
                "and application_name = 'verkehrspuls recompute'"
            )
            return found.rowcount == 2

        yield both_wait


def run_ended_by(sent: signal.Signals, settings: Settings) -> tuple[int, str]:
    """Send a signal to a run whose processes wait; return its exit code and stderr."""
    command = (sys.executable, "-m", "verkehrspuls", "analytics", "recompute")
    with (
        writing_held(settings) as both_wait,
        subprocess.Popen(
            command, stderr=subprocess.PIPE, start_new_session=True, text=True
        ) as run,
    ):
        wait_for(both_wait)
        os.killpg(run.pid, sent)
        _, printed = run.communicate(timeout=PATIENCE_S)
    return run.returncode, printed


def test_two_processes_give_the_same_as_one(
    store: Store, settings: Settings, alone: list[list[Any]]
) -> None:
    assert recompute(settings, ALL, progress=False, processes=2) == MARKS
    assert figures(store) == alone


def test_what_a_killed_process_leaves_the_other_does(
    store: Store, settings: Settings, alone: list[list[Any]]
) -> None:
    run = threading.Thread(
        target=recompute,
        args=(settings, ALL),
        kwargs={"progress": False, "processes": 2},
    )
    with writing_held(settings) as both_wait:
        run.start()
        wait_for(both_wait)
        (helper,) = multiprocessing.active_children()
        helper.kill()
        wait_for(lambda: not helper.is_alive())
    run.join(PATIENCE_S)
    assert not run.is_alive()
    assert figures(store) == alone


def test_a_run_that_was_killed_loses_no_mark(
    store: Store, settings: Settings, alone: list[list[Any]]
) -> None:
    ended, _ = run_ended_by(signal.SIGKILL, settings)
    assert ended == -signal.SIGKILL
    assert claims.count_stale(store, ALL) == MARKS
    assert recompute(settings, ALL, progress=False, processes=2) == MARKS
    assert figures(store) == alone


@pytest.mark.usefixtures("alone")
def test_a_run_that_is_interrupted_says_so_in_a_line(
    store: Store, settings: Settings
) -> None:
    ended, printed = run_ended_by(signal.SIGINT, settings)
    assert ended == 130
    assert "Traceback" not in printed
    assert "Process" not in printed
    assert claims.count_stale(store, ALL) == MARKS
