"""Frames in the database's binary form, there and back."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics import frames
from analytics.jobs.store import Store, open_store
from tests.parts import as_analytics

T = datetime(2026, 9, 16, 8, tzinfo=UTC)
HOURS = 6
PARTLY = [1, None, None, 4, None, 6]


def volumes(channel: int, **columns: object) -> pl.DataFrame:
    rows = {
        **dict.fromkeys(frames.VALID_VOLUMES),
        "channel_id": channel,
        "interval_s": 3600,
        "time": [T + timedelta(hours=n) for n in range(HOURS)],
        "observed_s": 3600,
        "gap_s": 0,
        "volume": 7,
        **columns,
    }
    return pl.DataFrame(
        {
            name: value if isinstance(value, list) else [value] * HOURS
            for name, value in rows.items()
        },
        schema=dict(frames.VALID_VOLUMES),
    )


def stored(store: Store, *channels: int) -> pl.DataFrame:
    found = store.read_columns(
        "volume_columns",
        channels=list(channels),
        intervals=[3600] * len(channels),
        since=[T] * len(channels),
        until=[T + timedelta(days=1)] * len(channels),
    )
    return found.with_columns(pl.col("valid").cast(pl.Boolean))


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({}, id="nothing known"),
        pytest.param({"car": [0, 1, 2, 3, 4, 2**31 - 1], "valid": True}, id="known"),
        pytest.param(
            {
                "car": PARTLY,
                "bus": PARTLY[::-1],
                "speed_kmh": [None, 0.5, -1.0, None, float("nan"), 50.0],
                "usual": [*PARTLY[:-1], None],
                "valid": [True, False, None, True, None, False],
            },
            id="partly known",
        ),
        # -1 is also how a null begins
        pytest.param({"car": [-1, None, -1, -1, None, -1]}, id="below zero"),
        pytest.param({"car": [4, -1, 4, None, 4, None]}, id="sizes as values"),
    ],
)
def test_volumes_come_back_as_they_were_written(
    database: str, columns: dict[str, object]
) -> None:
    one, two = volumes(1, **columns), volumes(2, total=PARTLY)
    with open_store(as_analytics(database), application="test") as store:
        store.execute("ensure_figures", earliest=T, latest=T)
        store.copy_columns("copy_volumes", pl.concat([one, two]))
        # a channel without any in between
        assert_frame_equal(stored(store, 1, 3, 2), pl.concat([one, two]))
        assert stored(store, 3).is_empty()
        assert stored(store, 3).schema == one.schema
