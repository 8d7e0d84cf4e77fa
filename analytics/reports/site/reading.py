"""Reads what the figures of a site need, with and without suspected data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal

import polars as pl

from analytics.flow import peaks
from analytics.frames import CLASS_SUMS, SPEED_HISTOGRAMS, check, empty
from analytics.quality.validity import Rules
from analytics.reports.extracts import ALL
from analytics.reports.site.asked import Asked
from analytics.reports.sources import HOUR_S
from analytics.reports.suspected import trusted_days
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.storage.database import FrameSource
from verkehrspuls.storage.days import read_daily_figures
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.speeds import read_speed_histograms
from verkehrspuls.storage.volumes import read_class_sums, read_flows

#: V85 is of this many days at the end of a longer period: a page must not take seconds.
SPEED_DAYS: Final = 31
QUARTER_S: Final = 900
_HOUR: Final = timedelta(hours=1)
#: older than any reading
_EARLIEST: Final = date(1990, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What was read of the period: all rows, or those that are not suspected."""

    #: day figures of each direction, and of all of them
    days: pl.DataFrame
    #: volumes of hours of each direction, and of all of them
    hours: pl.DataFrame
    #: CLASS_SUMS of the cross-section's hours, up to the last day that has ended
    classes: pl.DataFrame
    #: the busiest day, and volumes of its quarter-hours of all directions
    busiest: date
    quarters: pl.DataFrame
    #: speed histograms of the newest days, with what a person excluded
    histograms: pl.DataFrame


def together(found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of all directions together."""
    return found.filter(pl.col("direction") == ALL)


def read_days(asked: Asked, reader: Reader) -> pl.DataFrame:
    """Read the local days of the period, of each direction and of all of them."""
    with reader.frames() as source:
        return read_daily_figures(
            source, **asked.counted, first=asked.first, last=asked.last
        )


def read_span(asked: Asked, reader: Reader) -> tuple[date, date] | None:
    """Read the first and the last day that have figures at all, if any have."""
    with reader.frames() as source:
        known = read_daily_figures(
            source,
            **asked.counted,
            first=_EARLIEST,
            last=asked.today + timedelta(days=1),
            direction=ALL,
        )["day"]
    return (known[0], known[-1]) if len(known) else None


def volumes(
    asked: Asked,
    source: FrameSource,
    interval_s: Literal[900, 3600],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    trusted: bool = False,
) -> pl.DataFrame:
    """Read volumes of each direction, and of all of them (`all`).

    Of the period, or of its part from `start` to `end`.
    """
    directions = {channel.direction for channel in asked.channels}
    found = read_flows(
        source,
        **asked.counted,
        start=start or asked.start,
        end=end or asked.end,
        interval_s=interval_s,
        together=len(directions) > 1,
        # of days the series does not show it
        usual=asked.bin != "P1D",
        trusted=trusted,
    )
    if len(directions) > 1:
        return found
    # of one direction the cross-section is the same
    return pl.concat([found, found.with_columns(direction=pl.lit(ALL))])


def _class_sums(
    asked: Asked, source: FrameSource, *, trusted: bool = False
) -> pl.DataFrame:
    """Read CLASS_SUMS of the hours that are charted."""
    found = read_class_sums(
        source, **asked.counted, start=asked.start, end=asked.until, trusted=trusted
    )
    return check(found, CLASS_SUMS)


def speeds_since(asked: Asked) -> date:
    """Return the first of the newest days, of which speeds are."""
    return max(asked.first, asked.ended - timedelta(days=SPEED_DAYS - 1))


def read(
    asked: Asked,
    source: FrameSource,
    *,
    days: pl.DataFrame,
    hours: pl.DataFrame,
    quarters: pl.DataFrame | None = None,
) -> Frames:
    """Read classes, quarter-hours of the busiest day, and speed histograms.

    `quarters` are those of the period, where they are read already.
    """
    found = Frames(
        days=days,
        hours=hours,
        classes=empty(CLASS_SUMS) if hours.is_empty() else _class_sums(asked, source),
        busiest=asked.first,
        quarters=hours.clear(),
        histograms=_no_histograms(),
    )
    if asked.ended < asked.first:
        return found
    day = busiest(days, asked.ended)
    if quarters is None:
        of_day = _quarters(asked, source, day)
    else:
        ends = day_start(day, asked.zone), day_end(day, asked.zone)
        inside = pl.col("time").is_between(*ends, closed="left")
        of_day = together(quarters.filter(inside))
    found = replace(found, busiest=day, quarters=of_day)
    if asked.quantity != "motor":
        return found
    return replace(found, histograms=_histograms(asked, source, *_speed_ends(asked)))


def read_trusted(
    asked: Asked,
    source: FrameSource,
    found: Frames,
    suspects: pl.DataFrame,
    *,
    rules: Rules,
) -> Frames:
    """Read the same without SUSPECTED data; only what that touches is read again."""
    days = trusted_days(
        source,
        asked.site,
        asked.quantity or "",
        found.days,
        suspects,
        first=asked.first,
        last=asked.last,
        rules=rules,
    )
    hours = _replaced(
        found.hours,
        suspects,
        (asked.start, asked.end),
        lambda start, end: volumes(
            asked, source, HOUR_S, start=start, end=end, trusted=True
        ),
    )
    classes = _class_sums(asked, source, trusted=True)
    known = replace(found, days=days, hours=hours, classes=classes)
    if asked.ended < asked.first:
        return known
    day = busiest(days, asked.ended)
    ends = day_start(day, asked.zone), day_end(day, asked.zone)
    if day != found.busiest or _touched(suspects, ends):
        quarters = _quarters(asked, source, day, trusted=True)
        known = replace(known, busiest=day, quarters=quarters)
    if asked.quantity != "motor":
        return known
    histograms = _replaced(
        found.histograms,
        suspects,
        _speed_ends(asked),
        lambda start, end: _histograms(asked, source, start, end, trusted=True),
    )
    return replace(known, histograms=histograms)


def _replaced(
    found: pl.DataFrame,
    suspects: pl.DataFrame,
    ends: tuple[datetime, datetime],
    read: Callable[[datetime, datetime], pl.DataFrame],
) -> pl.DataFrame:
    """Read rows of hours anew from the first to the last that is suspected."""
    since, until = suspects.select(pl.col("since").min(), pl.col("until").max()).row(0)
    # an hour that begins before may reach into it
    start, end = max(ends[0], since - _HOUR), min(ends[1], until)
    if start >= end:
        return found
    inside = pl.col("time").is_between(start, end, closed="left")
    return pl.concat([found.filter(~inside), read(start, end)])


def _touched(suspects: pl.DataFrame, ends: tuple[datetime, datetime]) -> bool:
    """Return whether a part of a period is suspected."""
    start, end = ends
    inside = (pl.col("since") < end) & (pl.col("until") > start)
    return bool(suspects.select(inside.any()).item())


def busiest(days: pl.DataFrame, ended: date) -> date:
    """Return the day with the greatest peak; else the last one with figures.

    The sliding peak of each day is stored: only the quarter-hours of that day are read.
    A day without the share of quarter-hours that a peak hour needs comes after others.
    """
    known = (
        days.lazy()
        .filter(pl.col("direction") == ALL, pl.col("day") <= ended)
        .filter(pl.col("volume").is_not_null() | pl.col("peak_volume").is_not_null())
        .sort(
            *(pl.col("observed") >= peaks.MIN_KNOWN, "peak_volume", "day"),
            descending=[True, True, False],
            nulls_last=True,
        )
        .select("day", "peak_volume", last=pl.col("day").max())
        .head(1)
        .collect()
    )
    if known.is_empty():
        return ended
    day, peak, last = known.row(0)
    found: date = last if peak is None else day
    return found


def _quarters(
    asked: Asked, source: FrameSource, day: date, *, trusted: bool = False
) -> pl.DataFrame:
    return read_flows(
        source,
        **asked.counted,
        start=day_start(day, asked.zone),
        end=day_end(day, asked.zone),
        interval_s=QUARTER_S,
        direction=ALL,
        trusted=trusted,
    )


def _speed_ends(asked: Asked) -> tuple[datetime, datetime]:
    zone = asked.zone
    return day_start(speeds_since(asked), zone), day_end(asked.ended, zone)


def _histograms(
    asked: Asked,
    source: FrameSource,
    start: datetime,
    end: datetime,
    *,
    trusted: bool = False,
) -> pl.DataFrame:
    return read_speed_histograms(
        source,
        **asked.counted,
        start=start,
        end=end,
        direction=ALL,
        trusted=trusted,
    )


def _no_histograms() -> pl.DataFrame:
    return empty(SPEED_HISTOGRAMS).with_columns(excluded_s=pl.lit(0))
