"""Channel health from readings in the database to table, API, command and metrics."""

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from analytics.commands.analytics import app as commands
from analytics.jobs import health_store
from api.app import create_app
from tests.frames import utc
from tests.health import BEGAN, DAY, ordinary
from tests.integration.test_analytics import Bench
from tests.parts import logins
from verkehrspuls.settings import Health, load
from verkehrspuls.storage import known

LIMITS = Health()
HOUR = timedelta(hours=1)
#: the day after
NOW = BEGAN + 30 * HOUR


def report(bench: Bench, counts: list[int | None], *, key: str = "in") -> None:
    """Let a channel report counts of 5 minutes from the begin of the day on."""
    start = 0
    for n, count in enumerate([*counts, None]):
        if count is None:
            known = [c for c in counts[start:n] if c is not None]
            bench.count(
                known,
                start=BEGAN + start * HOUR / 12,
                channel=bench.channel(key),
                interval_s=300,
            )
            start = n + 1


def judge(bench: Bench, *, now: datetime = NOW) -> None:
    bench.compute(now=now)
    while health_store.judge(bench.store, LIMITS, now=now):
        pass


def test_the_day_is_that_of_the_town(plain_bench: Bench) -> None:
    connection, night = plain_bench.connection, utc("2026-11-18 23:30")
    for town, day in (("kusel", 19), (None, 19), ("nowhere", 18)):
        assert known.today(connection, town, now=night) == date(2026, 11, day)


def found(bench: Bench, day: date = DAY) -> dict[str, tuple[Any, ...]]:
    rows = bench.rows(
        "select c.key, h.verdict, h.level, h.complete from channel_health h "
        "join channel c using (channel_id) where h.day = %s",
        day,
    )
    return {key: tuple(rest) for key, *rest in rows}


def test_a_day_is_judged_when_its_hours_are_computed(bench: Bench) -> None:
    report(bench, ordinary())
    judge(bench)
    # the other direction was never heard of
    assert found(bench) == {"in": ("good", None, True)}
    assert bench.rows("select count(*) from stale_day") == [(0,)]


def test_late_readings_reach_the_verdict(bench: Bench) -> None:
    counts = ordinary()
    report(bench, [*counts[:100], *[None] * 60, *counts[160:]])
    judge(bench)
    assert found(bench) == {"in": ("gap", "site", True)}
    late = [None] * 100 + counts[100:160]
    report(bench, late)
    judge(bench)
    assert found(bench) == {"in": ("good", None, True)}


def test_a_silent_day_is_judged_though_nothing_came(plain_bench: Bench) -> None:
    report(plain_bench, ordinary())
    report(plain_bench, ordinary(seed=2), key="out")
    judge(plain_bench)
    later = BEGAN + 60 * HOUR
    health_store.mark_running(plain_bench.store, now=later)
    judge(plain_bench, now=later)
    silent = ("no-data", "site", True)
    assert found(plain_bench, date(2026, 11, 19)) == {"in": silent, "out": silent}
    running = ("no-data", "site", False)
    assert found(plain_bench, date(2026, 11, 20)) == {"in": running, "out": running}
    assert plain_bench.rows("select bool_or(is_fault) from channel_health") == [
        (False,)
    ]


def test_a_failed_judgement_leaves_its_marks(
    plain_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(plain_bench, ordinary())
    plain_bench.compute(now=NOW)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(health_store, "judge_evidence", fail)
        with pytest.raises(ZeroDivisionError):
            health_store.judge(plain_bench.store, LIMITS, now=NOW)
    assert plain_bench.rows("select count(*) > 0 from stale_day") == [(True,)]
    judge(plain_bench)
    assert found(plain_bench) == {"in": ("good", None, True)}


def test_weeks_are_judged_one_at_a_time(plain_bench: Bench) -> None:
    report(plain_bench, ordinary())
    plain_bench.count([5] * 24, start=utc("2026-10-01 00:00"), interval_s=3600)
    plain_bench.compute(now=NOW)
    assert health_store.judge(plain_bench.store, LIMITS, now=NOW)
    assert found(plain_bench) == {}
    assert not health_store.judge(plain_bench.store, LIMITS, now=NOW)
    assert found(plain_bench) == {"in": ("good", None, True)}


def test_api_command_and_metrics_tell_it(
    plain_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = ordinary()
    counts[120:130] = [27] * 10
    report(plain_bench, counts)
    judge(plain_bench)
    assert plain_bench.rows("select is_fault from channel_health") == [(True,)]
    with TestClient(create_app(load(env := _environment(plain_bench)))) as client:
        period = "from=2026-11-18&to=2026-11-19"
        address = "/api/v1/sites/kusel/b420/health"
        days = client.get(f"{address}?{period}").json()
        hours = client.get(f"{address}?{period}&bin=PT1H").json()
        metrics = client.get("/metrics").text
        assert client.get(f"{address}?from=2020-01-01").status_code == 422
        assert client.get("/api/v1/sites/kusel/nowhere/health").status_code == 404
    (one,) = days["verdicts"]
    assert (one["channel"], one["verdict"], one["level"]) == ("in", "frozen", "site")
    assert one["text"] == {
        "de": "Derselbe Zählwert wiederholt sich immer wieder.",
        "en": "The same count is repeated again and again.",
    }
    assert (days["first"], days["last"]) == ("2026-11-18", "2026-11-18")
    assert len(hours["verdicts"]) == 24
    bad = [row["hour"] for row in hours["verdicts"] if row["verdict"] == "frozen"]
    assert bad == ["2026-11-18T09:00:00Z"]
    sample = 'verkehrspuls_channels{municipality="kusel",verdict="frozen"} 1.0'
    assert sample in metrics

    for name, value in env.items():
        monkeypatch.setenv(name, value)
    asked = ["health", "--site", "b420", "--from", "2026-11-18", "--to", "2026-11-19"]
    shown = CliRunner().invoke(commands, [*asked, "--json"])
    assert [row["verdict"] for row in json.loads(shown.stdout)] == ["frozen"]
    listed = CliRunner().invoke(commands, [*asked, "--bad"]).stdout
    assert "2026-11-18\tkusel\tb420\tin\tfrozen" in listed


def _environment(bench: Bench) -> dict[str, str]:
    return {
        **logins(bench.url),
    }
