from datetime import timedelta

import polars as pl

from analytics import frames
from analytics.jobs import refresh
from tests.frames import channels, utc

T = utc("2026-11-18 10:00")


def test_readings_are_asked_for_in_the_order_of_channels() -> None:
    numbers = list(range(200, 0, -1))
    stale = pl.DataFrame(
        {"channel_id": numbers * 2, "hour": [T] * 200 + [T + timedelta(hours=1)] * 200},
        schema=dict(frames.CHANNEL_HOURS),
    )
    places = channels(*({"channel_id": number} for number in numbers))
    readings = refresh.plan(stale, places, weeks=8).readings
    assert readings["channel_id"].to_list() == sorted(numbers)
    assert readings.row(0)[1:] == (T, T + timedelta(hours=2))
