"""Small frames for tests of analytics, from what matters in the test."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from analytics import frames
from analytics.flow.inputs import calendar, on_calendar
from analytics.quality.passport import SHARES
from analytics.quality.validity import DEFAULT

HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    """Read `2026-03-29 01:00` as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


#: days of Berlin on which clocks change: when they begin, and their length in hours
CLOCK_CHANGES = (
    (date(2026, 3, 29), utc("2026-03-28 23:00"), 23),
    (date(2026, 10, 25), utc("2026-10-24 22:00"), 25),
)


def make(
    schema: Mapping[str, pl.DataType], rows: Sequence[Mapping[str, Any]], **same: Any
) -> pl.DataFrame:
    """A frame of a schema; what a row does not name is `same`, else null."""
    unknown = {name for row in rows for name in row} - set(schema)
    assert not unknown, unknown
    full = [{name: row.get(name, same.get(name)) for name in schema} for row in rows]
    return pl.DataFrame(full, schema=dict(schema), orient="row")


def counts(*rows: Mapping[str, Any], **same: Any) -> pl.DataFrame:
    return make(
        frames.COUNT_READINGS,
        rows,
        **{"channel_id": 1, "interval_s": 300, "quantity": "motor", **same},
    )


def values(*rows: Mapping[str, Any], **same: Any) -> pl.DataFrame:
    return make(
        frames.ENVIRONMENT_READINGS,
        rows,
        **{"channel_id": 1, "interval_s": 600, **same},
    )


def volumes(*rows: Mapping[str, Any], **same: Any) -> pl.DataFrame:
    return make(
        frames.VOLUMES,
        rows,
        **{"channel_id": 1, "interval_s": 3600, "observed_s": 3600, **same},
    )


def stored(volumes: pl.DataFrame, **same: Any) -> pl.DataFrame:
    """VOLUMES as they are stored: what is usual is not known, unless it is said."""
    return frames.check(
        volumes.with_columns(
            pl.lit(same.get(name)).cast(pl.Float32).alias(name)
            for name in ("usual", "usual_spread")
        ).with_columns(valid=DEFAULT.of_bin()),
        frames.VALID_VOLUMES,
    )


def hours(start: datetime, series: Sequence[int | None], **same: Any) -> pl.DataFrame:
    """Hourly volumes from `start` on; None leaves an hour out."""
    return volumes(
        *(
            {"time": start + n * HOUR, "volume": volume}
            for n, volume in enumerate(series)
            if volume is not None
        ),
        **same,
    )


def flow_days(
    days: pl.DataFrame,
    *,
    first: date,
    last: date,
    state: str = "RP",
    school_holidays: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """FLOW_DAYS of a calendar; days without a `valid` are whole and observed."""
    whole: dict[str, Any] = {
        "volume": "volume_normalised",
        "heavy": None,
        "valid": True,
        **{name: float(name == "observed") for name in SHARES},
    }
    missing = {name: of for name, of in whole.items() if name not in days.columns}
    if school_holidays is None:
        school_holidays = frames.empty(frames.SCHOOL_HOLIDAYS)
    return on_calendar(
        days.with_columns(**missing), calendar(first, last, state, school_holidays)
    )


def channels(*rows: Mapping[str, Any]) -> pl.DataFrame:
    return make(
        frames.CHANNELS,
        rows or [{}],
        channel_id=1,
        site_id=1,
        quantity="motor",
        direction="in",
        state="RP",
        time_zone="Europe/Berlin",
    )


def installed(*rows: Mapping[str, Any], **same: Any) -> pl.DataFrame:
    return make(
        frames.INSTALLATIONS,
        rows or [{}],
        **{
            "channel_id": 1,
            "since": utc("2000-01-01"),
            "until": utc("2200-01-01"),
            "interval_s": 300,
            **same,
        },
    )


def one(frame: pl.DataFrame) -> dict[str, Any]:
    """The only row of a frame."""
    assert frame.height == 1, frame
    return frame.row(0, named=True)
