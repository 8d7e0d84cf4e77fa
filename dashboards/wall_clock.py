"""Local wall-clock times for charts and tables.

A chart's time axis draws the wall time that it is given. In autumn an hour comes
twice: on the axis its two passes share the hour's width, and their labels carry A and
B. In spring an hour is absent.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import numpy as np
import polars as pl

from verkehrspuls.language import Language, Style

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_Frame = TypeVar("_Frame", pl.DataFrame, pl.LazyFrame)


def add_wall_clock(frame: _Frame, zone: str) -> _Frame:
    """Add columns for a UTC column `time`.

    `local`: naive wall time; `fold`: "", "A" or "B"; `x`: where it stands on an axis,
    strictly rising with `time`.
    """
    aware = pl.col("time").dt.convert_time_zone("UTC").dt.convert_time_zone(zone)
    local = aware.dt.replace_time_zone(None)
    unique = local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    summer = aware.dt.dst_offset() > pl.duration()
    hour = local.dt.truncate("1h")
    passed = (local - hour).dt.total_microseconds()
    half = hour + pl.duration(microseconds=passed // 2)
    return frame.with_columns(
        local=local,
        fold=pl.when(unique.is_not_null())
        .then(pl.lit(""))
        .when(summer)
        .then(pl.lit("A"))
        .otherwise(pl.lit("B")),
        x=pl.when(unique.is_not_null())
        .then(local)
        .when(summer)
        .then(half)
        .otherwise(half + timedelta(minutes=30)),
    )


def every(start: datetime, end: datetime, interval: timedelta) -> pl.DataFrame:
    """Return all intervals of `[start, end)` by their start, so that gaps have rows."""
    first, stop = (since // _MICROSECOND for since in (start - _EPOCH, end - _EPOCH))
    times = pl.Series(np.arange(first, stop, interval // _MICROSECOND))
    return pl.DataFrame({"time": times.cast(pl.Datetime("us", "UTC"))})


def written(
    frame: pl.DataFrame, language: Language, style: Style = "moment"
) -> list[str]:
    """Write wall times, with A or B where an hour comes twice."""
    local, days = frame["local"], frame["local"].dt.date()
    dates = {day: language.dated(day, style) for day in days.unique()}
    if not style.endswith("moment"):
        return [dates[day] for day in days]
    return [
        f"{dates[day]} {time} {fold}".rstrip()
        for day, time, fold in zip(
            days, local.dt.strftime("%H:%M"), frame["fold"], strict=True
        )
    ]


def axis_text(times: pl.Series) -> list[str]:
    """Write wall times as a chart takes them."""
    return times.dt.strftime("%Y-%m-%d %H:%M").to_list()
