"""Injected faults of the simulated towns are named by the right test, days are good."""

from datetime import UTC, date, datetime, timedelta
from functools import cache

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.health.verdicts import judge
from simulators.world import standard
from tests.health import LIMITS, Simulated, collected, simulate

#: stuck, dropout, drift and swapped sensors are in these two
TOWNS = ("kaiserslautern", "landkreis-st-wendel")
FIRST, DAYS = date(2026, 9, 14), 49
WEEKS = [date(2026, 10, 12) + timedelta(weeks=n) for n in range(3)]


@cache
def world() -> Simulated:
    return simulate(standard(1), TOWNS, FIRST, DAYS)


def judged(days: list[date]) -> pl.DataFrame:
    town = world()
    return judge(
        collected(town.channels, town.readings, days, hours=town.hours), LIMITS
    )


@cache
def found() -> pl.DataFrame:
    """Three weeks of verdicts with the kinds of what was injected, or `none`."""
    weeks = [[week + timedelta(days=n) for n in range(7)] for week in WEEKS]
    verdicts = pl.concat([judged(days) for days in weeks]).join(
        world().channels.select("channel_id", "name"), on="channel_id"
    )
    since = datetime(2026, 10, 11, tzinfo=UTC).timestamp()
    truth = pl.DataFrame(
        [
            (
                f"{event['municipality']}/{channel}",
                *(event[k] for k in ("kind", "start", "end")),
            )
            for event in standard(1).truth(since, since + 30 * 86_400)
            for channel in event["channels"] + event["also"]
        ],
        schema=["name", "kind", "start", "end"],
        orient="row",
    )
    ended = pl.col("began") + pl.duration(days=1)
    touched = (
        verdicts.join(truth, on="name")
        .filter((pl.col("start") < ended) & (pl.col("end") > pl.col("began")))
        .group_by("name", "day")
        .agg(
            pl.col("kind").unique().sort().str.join("+"),
            # how much of the day it lasts
            pl.min_horizontal("end", ended).max().alias("until"),
            pl.max_horizontal("start", "began").min().alias("since"),
        )
    )
    return verdicts.join(touched, on=["name", "day"], how="left").with_columns(
        pl.col("kind").fill_null("none"),
        hours=(pl.col("until") - pl.col("since")).dt.total_minutes() / 60,
    )


def verdicts_of(kind: str, *, hours: float = 0) -> set[str]:
    rows = found().filter((pl.col("kind") == kind) & (pl.col("hours") >= hours))
    assert not rows.is_empty()
    return set(rows["verdict"])


def test_healthy_channels_are_good() -> None:
    healthy = found().filter(pl.col("kind") == "none")
    assert healthy.height > 500
    assert (
        healthy.filter(pl.col("verdict") != "good").select("name", "day").rows() == []
    )


def test_nothing_is_swapped_while_sensors_have_no_past() -> None:
    """Mainzer Straße lies behind the centre: its east is the others' way out."""
    first = judged([FIRST + timedelta(days=n) for n in range(7)])
    assert "swapped-direction" not in first["verdict"]


def test_an_incident_or_a_match_is_no_fault() -> None:
    for kind in ("incident", "event"):
        assert verdicts_of(kind) == {"good"}


def test_a_stuck_sensor_is_frozen() -> None:
    assert verdicts_of("stuck") == {"frozen"}


def test_a_dropout_is_missing_data() -> None:
    assert verdicts_of("dropout", hours=5) <= {"no-data", "insufficient-data", "gap"}


def test_swapped_outputs_are_a_swapped_direction() -> None:
    assert verdicts_of("swapped", hours=24) == {"swapped-direction"}


def test_a_sensor_that_loses_vehicles_drifts() -> None:
    drifting = found().filter(
        pl.col("kind") == "drift", pl.col("name").str.contains("theley")
    )
    by_day = drifting.group_by("day").agg(pl.col("verdict").unique()).sort("day")
    last = by_day.tail(4)["verdict"].to_list()
    assert last == [["drift"]] * 4
    assert set(drifting["verdict"]) == {"good", "drift"}


@pytest.mark.parametrize("week", WEEKS[1:2])
def test_days_judged_alone_are_judged_the_same(week: date) -> None:
    days = [week + timedelta(days=n) for n in range(4)]
    alone = pl.concat([judged([day]) for day in days]).sort("channel_id", "began")
    assert_frame_equal(alone, judged(days))
