"""The course of a channel around a case: what was observed, and what is usual.

Each detector judges quarter-hours, hours or days of volumes, speeds or measured values;
its evidence is shown the same way, with some time before and after it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import polars as pl

from analytics.baseline.quarter_hours import QUARTER_S, add_usual
from analytics.detectors import detectors, reasons
from analytics.detectors.days import MIN_HOURS
from analytics.flow.series import usual_band
from analytics.frames import TIME, Schema, check
from verkehrspuls import calendar
from verkehrspuls.cases import Case
from verkehrspuls.quantities import COUNTED

Step = Literal["PT15M", "PT1H", "P1D"]

#: A course: every interval has a row, `time` is its start. What is not known is null.
#: `low` and `high` bound what is usual, `found` marks where the case found something.
COURSE: Final[Schema] = {
    "time": TIME,
    "observed": pl.Float64(),
    "usual": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "found": pl.Boolean(),
}
#: Seconds of the intervals that are read.
SECONDS: Final[dict[Step, Literal[900, 3600]]] = {
    "PT15M": 900,
    "PT1H": 3600,
    "P1D": 3600,
}
_LENGTH: Final[Mapping[Step, timedelta]] = {
    "PT15M": timedelta(minutes=15),
    "PT1H": timedelta(hours=1),
    "P1D": timedelta(days=1),
}
_MIDNIGHT: Final = time()
#: Share of an interval from which on its volume is scaled to the whole.
_MIN_OBSERVED: Final = 0.75
#: Findings that last longer are shown in longer steps.
_MAX_LENGTH: Final[Mapping[Step, timedelta]] = {
    "PT15M": timedelta(hours=36),
    "PT1H": timedelta(days=6),
}
_TIME_AROUND: Final[Mapping[Step, timedelta]] = {
    "PT15M": timedelta(hours=6),
    "PT1H": timedelta(hours=24),
    "P1D": timedelta(days=21),
}
#: Days after a finding: what became of it, without what is quite another matter.
_DAYS_AFTER: Final = timedelta(days=7)
#: What lasts for years is shown in part: its beginning.
MAX_INTERVALS: Final = 200


@dataclass(frozen=True, slots=True)
class View:
    """What of a channel is shown around a case."""

    measure: Literal["volume", "speed", "mean", "minimum"]
    step: Step
    start: datetime
    end: datetime


def view(case: Case, *, now: datetime) -> View:
    """Choose what shows most of a case, a row of `case_lists.list_cases`."""
    counts = case.quantity in COUNTED
    began, ended = case.found_began, case.found_ended
    zone = case.time_zone
    of_days = is_of_days(case.detector, began, ended, zone)
    judge, reason = detectors().get(case.detector), reasons().get(case.reason)
    step: Step = "PT1H"
    if of_days:
        step = "P1D"
    elif judge and judge.quarters and counts:
        step = "PT15M"
    if reason and reason.is_speed:
        # speeds have no sum over longer steps
        return _around(View("speed", "PT15M", began, ended), case, now=now)
    if step == "PT15M" and ended - began > _MAX_LENGTH[step]:
        step = "PT1H"
    if step == "PT1H" and ended - began > _MAX_LENGTH[step]:
        step = "P1D"
    if counts:
        return _around(View("volume", step, began, ended), case, now=now)
    # detectors of days judge their lowest hours
    measure: Literal["mean", "minimum"] = "minimum" if of_days else "mean"
    return _around(View(measure, step, began, ended), case, now=now)


def is_of_days(detector: str, began: datetime, ended: datetime, zone: str) -> bool:
    """Return whether a finding is of whole local days, as of detectors of days."""
    judge = detectors().get(detector)
    if judge is None or judge.days is None:
        return False
    clock = ZoneInfo(zone)
    return all(end.astimezone(clock).time() == _MIDNIGHT for end in (began, ended))


def _around(chosen: View, case: Case, *, now: datetime) -> View:
    """Widen a view to some time before and after, in whole intervals until now."""
    before = _TIME_AROUND[chosen.step]
    start = chosen.start - before
    most = MAX_INTERVALS * _LENGTH[chosen.step]
    end = min(chosen.end + min(before, _DAYS_AFTER), start + most)
    end = max(min(end, now), start)
    if chosen.step == "P1D":
        zone = case.time_zone
        first = calendar.local_day(start, zone)
        last = calendar.local_day(end - timedelta(microseconds=1), zone)
        start, end = calendar.day_start(first, zone), calendar.day_end(last, zone)
    else:
        length = SECONDS[chosen.step]
        start = _floor(start, length)
        # the interval in which it ends, too
        end = _floor(end + timedelta(seconds=length, microseconds=-1), length)
    return replace(chosen, start=start, end=end)


def _floor(moment: datetime, seconds: int) -> datetime:
    return moment - timedelta(seconds=moment.timestamp() % seconds)


def of_volumes(
    volumes: pl.DataFrame,
    chosen: View,
    case: Case,
    spans: Iterable[tuple[datetime, datetime]],
) -> pl.DataFrame:
    """Return the COURSE of volumes or speeds; `spans` are those of the findings.

    `volumes` are hours, and quarter-hours where these are shown.

    Days are sums of hours of which both the volume and what is usual are known, as
    detectors judge them; they have no band.
    """
    length = SECONDS[chosen.step]
    enough = pl.col("observed_s") >= _MIN_OBSERVED * length
    scaled = pl.col("volume").cast(pl.Float64) * length / pl.col("observed_s")
    usual = pl.col("usual").cast(pl.Float64)
    hours = volumes.filter(pl.col("interval_s") == 3600)
    if length == QUARTER_S:
        quarters = volumes.filter(pl.col("interval_s") == QUARTER_S)
        volumes = add_usual(quarters.drop("usual", "usual_spread"), hours)
    else:
        volumes = hours
    if chosen.measure == "speed":
        known = volumes.select("time", observed=pl.col("speed_kmh").cast(pl.Float64))
        return _filled(_unbounded(known), chosen, case, spans)
    known = volumes.with_columns(observed=pl.when(enough).then(scaled), usual=usual)
    if chosen.step != "P1D":
        bounded = known.select("time", "observed", "usual", **usual_band())
        return _filled(bounded, chosen, case, spans)
    judged = known.drop_nulls(["observed", "usual"])
    days = _days(judged, case).agg(pl.col("observed", "usual").sum(), hours=pl.len())
    whole = days.filter(pl.col("hours") >= MIN_HOURS).select("day", "observed", "usual")
    return _filled(_unbounded(whole), chosen, case, spans)


def of_values(
    hours: pl.DataFrame,
    chosen: View,
    case: Case,
    spans: Iterable[tuple[datetime, datetime]],
) -> pl.DataFrame:
    """Return the COURSE of measured values; usual is that of the finding."""
    known = hours.filter(pl.col("observed_s") >= _MIN_OBSERVED * 3600)
    if chosen.step != "P1D":
        means = known.select("time", observed="mean")
        return _filled(_unbounded(means), chosen, case, spans)
    lowest = chosen.measure == "minimum"
    of_day = pl.col("mean").min() if lowest else pl.col("mean").mean()
    days = (
        _days(known, case)
        .agg(of_day.alias("observed"), hours=pl.len())
        .filter(pl.col("hours") >= MIN_HOURS)
        .select("day", "observed")
    )
    return _filled(_unbounded(days), chosen, case, spans)


def _unbounded(frame: pl.DataFrame) -> pl.DataFrame:
    nothing = pl.lit(None, pl.Float64)
    return frame.with_columns(low=nothing, high=nothing)


def _days(hours: pl.DataFrame, case: Case) -> Any:
    local = pl.col("time").dt.convert_time_zone(case.time_zone)
    return hours.group_by(day=local.dt.date(), maintain_order=True)


def _filled(
    known: pl.DataFrame,
    chosen: View,
    case: Case,
    spans: Iterable[tuple[datetime, datetime]],
) -> pl.DataFrame:
    """Add a row for every interval, and mark those in which something was found."""
    zone = case.time_zone
    if chosen.step == "P1D":
        first = calendar.local_day(chosen.start, zone)
        last = calendar.local_day(chosen.end - timedelta(microseconds=1), zone)
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        grid = pl.DataFrame(
            {
                "day": days,
                "time": [calendar.day_start(day, zone) for day in days],
                "until": [calendar.day_end(day, zone) for day in days],
            },
            schema={"day": pl.Date, "time": TIME, "until": TIME},
        )
        on = "day"
    else:
        step = _LENGTH[chosen.step]
        times = pl.datetime_range(
            chosen.start,
            chosen.end,
            step,
            closed="left",
            time_unit="us",
            eager=True,
        ).alias("time")
        grid = times.cast(TIME).to_frame().with_columns(until=pl.col("time") + step)
        on = "time"
    found = pl.lit(value=False)
    for began, ended in spans:
        here = (pl.col("time") < ended) & (pl.col("until") > began)
        found = found | here
    # of speeds and values a single figure, also where nothing was measured; what creeps
    # is compared with no level, and its findings add up
    figure = None if chosen.measure == "minimum" else case.usual
    single = pl.lit(figure, pl.Float64).alias("usual")
    usual = pl.col("usual") if chosen.measure == "volume" else single
    return check(
        grid.join(known, on=on, how="left", maintain_order="left").select(
            "time", "observed", usual, "low", "high", found=found
        ),
        COURSE,
    )
