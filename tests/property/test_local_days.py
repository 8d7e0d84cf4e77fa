"""Local days of every zone: no reading is in none of them, and none in two."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics import frames
from analytics.jobs import refresh
from analytics.local_time import day_bounds
from analytics.volumes import daily
from analytics.volumes.volume import volumes
from verkehrspuls import calendar

QUARTER = timedelta(minutes=15)
SENSOR = {"channel_id": 1, "class_scheme": None, "interval_s": 900}


@cache
def zones() -> list[str]:
    """Those that both libraries know."""
    moment = pl.Series([datetime(2026, 1, 1, tzinfo=UTC)])
    known = []
    for name in sorted(available_timezones()):
        try:
            moment.dt.convert_time_zone(name)
        except pl.exceptions.ComputeError:
            continue
        known.append(name)
    assert len(known) > 400
    return known


def channels(zone: str) -> pl.DataFrame:
    row = {
        "channel_id": 1,
        "site_id": 1,
        "quantity": "motor",
        "direction": "in",
        "state": "RP",
        "time_zone": zone,
    }
    return pl.DataFrame([row], schema=dict(frames.CHANNELS))


def counted(start: datetime, days: int) -> pl.DataFrame:
    """One vehicle each quarter-hour."""
    times = [start + n * QUARTER for n in range(days * 96)]
    given = pl.DataFrame(
        {"channel_id": 1, "quantity": "motor", "time": times, "interval_s": 900}
    ).with_columns(car=1)
    return frames.check(
        given.select(
            (pl.col(name) if name in given.columns else pl.lit(None))
            .cast(dtype)
            .alias(name)
            for name, dtype in frames.COUNT_READINGS.items()
        ),
        frames.COUNT_READINGS,
    )


def figures(start: datetime, days: int, zone: str) -> dict[date, tuple[int, float]]:
    """What a worker finds of the days that all these hours change."""
    places = channels(zone)
    hours = pl.DataFrame(
        {"channel_id": 1, "hour": [start + n * 4 * QUARTER for n in range(days * 24)]},
        schema=dict(frames.CHANNEL_HOURS),
    )
    targets = refresh.plan(hours, places, weeks=2).days
    found = volumes(counted(start, days)).with_columns(
        usual=pl.lit(None, pl.Float32),
        usual_spread=pl.lit(None, pl.Float32),
        valid=pl.lit(value=True),
    )
    installed = pl.DataFrame(
        [{**SENSOR, "since": start, "until": start + timedelta(days)}],
        schema=dict(frames.INSTALLATIONS),
    )
    rows = daily.days(
        frames.check(found, frames.VALID_VOLUMES),
        targets,
        channels=places,
        installed=installed,
        excluded=frames.empty(frames.SPANS),
    ).filter(pl.col("direction") == "in")
    return {
        row["day"]: (row["volume"], row["observed"])
        for row in rows.iter_rows(named=True)
    }


@settings(max_examples=60)
@given(
    zone=st.sampled_from(zones()),
    first=st.dates(date(2012, 1, 1), date(2029, 12, 1)),
)
@example("Australia/Lord_Howe", date(2026, 4, 2))
@example("Australia/Lord_Howe", date(2026, 10, 1))
@example("Antarctica/Troll", date(2026, 3, 27))
@example("Africa/Casablanca", date(2026, 2, 13))
@example("Pacific/Apia", date(2011, 12, 28))
@example("Asia/Kathmandu", date(2026, 5, 1))
@example("America/Sao_Paulo", date(2017, 10, 13))
@example("Africa/Cairo", date(2026, 4, 22))
@example("Pacific/Chatham", date(2026, 4, 3))
@example("America/Havana", date(2026, 10, 30))
def test_the_days_add_up_to_the_readings(zone: str, first: date) -> None:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    days = 5
    local = Counter(
        (start + n * QUARTER).astimezone(ZoneInfo(zone)).date()
        for n in range(days * 96)
    )
    found = figures(start, days, zone)
    assert {day: volume for day, (volume, _) in found.items()} == dict(local)
    for day in sorted(found)[1:-1]:
        assert found[day][1] == pytest.approx(1), day


@settings(max_examples=200)
@given(zone=st.sampled_from(zones()), day=st.dates(date(2012, 1, 1), date(2029, 12, 1)))
def test_a_day_ends_where_the_next_one_begins(zone: str, day: date) -> None:
    given = pl.DataFrame({"time_zone": [zone], "day": [day]})
    began, ended = day_bounds(given).row(0)[2:]
    assert (began, ended) == (
        calendar.day_start(day, zone),
        calendar.day_start(day + timedelta(1), zone),
    )
    if began < ended:
        assert calendar.local_day(began, zone) == day
        assert calendar.local_day(ended - timedelta(seconds=1), zone) == day
