"""Baseline: the usual volume of a channel in an hour, from data before its day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import pi
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.calendar import with_calendar
from analytics.forecast.profile import median
from analytics.frames import (
    CHANNELS,
    EVENTS,
    SCHOOL_HOLIDAYS,
    TIME,
    USUAL,
    VOLUMES,
    check,
    empty,
)

#: Minimum observed share for an hour to count as a sample, and to be judged (DOMAIN.md
#: 6: an hour is valid from 75 % on).
MIN_OBSERVED: Final = 0.75
#: Samples required for the median of a weekday or day type.
MIN_SAMPLES: Final = 2
#: Scales the median absolute deviation to a standard deviation of normal noise.
MAD_TO_SIGMA: Final = 1.4826

#: Typical relative spread of a quantity [I]: weather affects walking and cycling; and
#: the weight of this prior in samples.
ROUGHNESS: Final = {"motor": 0.1, "bicycle": 0.3, "pedestrian": 0.25}
PRIOR_SAMPLES: Final = 4

#: Conditions for samples of two kinds: samples of each kind, ratio between the least of
#: the greater and the greatest of the lesser samples, their difference in vehicles, and
#: changes between the kinds: one or two changes mean a new level, or a closure.
MIN_KIND_SAMPLES: Final = 3
MIN_KIND_RATIO: Final = 1.5
MIN_KIND_DIFFERENCE: Final = 20
MIN_KIND_CHANGES: Final = 3

#: Day types that replace each other if one has too few days.
WORKDAYS: Final = ("workday", "school_holiday_workday")

_HOUR_S = 3600
_HOUR_US = 3_600_000_000
_HOURS_OF_DAY = 24
_EPOCH = date(1970, 1, 1).toordinal()

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]


def whole_hour_volume() -> pl.Expr:
    """Volume of an hour, scaled from its observed part; null if that is too small.

    Vehicles per hour: volume · 3600 / observed_s, for at least 75 % observed.
    """
    enough = pl.col("observed_s") >= MIN_OBSERVED * _HOUR_S
    scaled = pl.col("volume").cast(pl.Float64) * _HOUR_S / pl.col("observed_s")
    return pl.when(enough).then(scaled)


def usual(
    hours: pl.DataFrame,
    targets: pl.DataFrame,
    *,
    channels: pl.DataFrame,
    weeks: int,
    school_holidays: pl.DataFrame | None = None,
    events: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Compute USUAL for the channel hours of `targets` from `hours` before their day.

    usual (vehicles/h) = median of the whole-hour volumes at the same local hour over
    the preceding `weeks`, from the first group of similar days with two samples.
    Without such a group the hour has no row. The groups are:

    - for a Saturday: Saturdays; for a Sunday or public holiday: Sundays and holidays
    - for another day: first the same weekday, then all workdays, of days in school
      holidays if and only if the day is; then both again, of days at any time
    - a day without SCHOOL_HOLIDAYS counts as outside of them

    spread² = (n·max(s², P) + k·(P + (r·usual)²)) / (n + k) · (1 + π/(2n)), with n
    samples and s = 1.4826 · median |sample - usual|. s² is at least the counting noise
    P = usual + 1 (Poisson). It is drawn towards the typical spread of the quantity
    (r = ROUGHNESS) with the weight of k = PRIOR_SAMPLES samples, so that a few samples
    of a new sensor that agree by chance do not yield a small spread. The last factor is
    the variance of a median.

    If the samples of the most similar days alternate between two kinds (match days and
    others), a median would be usual for neither: usual is null, and the spread is half
    the difference between the kinds. If EVENTS of the site distinguish the kinds, only
    days with the same events as the hour's day are used.
    """
    samples = _hourly(hours).select("channel_id", "time", sample=whole_hour_volume())
    samples = samples.drop_nulls("sample")
    counting = pl.col("quantity").is_in(list(ROUGHNESS))
    places = check(channels, CHANNELS).filter(counting).sort("channel_id")
    found = [
        _of_place(
            samples.join(of_place, on="channel_id", how="semi"),
            targets.join(of_place, on="channel_id", how="semi"),
            channels=of_place,
            weeks=weeks,
            school_holidays=empty(SCHOOL_HOLIDAYS)
            if school_holidays is None
            else school_holidays,
            events=empty(EVENTS) if events is None else events,
        )
        for of_place in places.partition_by("state", "time_zone")
    ]
    return check(pl.concat([empty(USUAL), *found]), USUAL)


def _of_place(
    samples: pl.DataFrame,
    targets: pl.DataFrame,
    *,
    channels: pl.DataFrame,
    weeks: int,
    school_holidays: pl.DataFrame,
    events: pl.DataFrame,
) -> pl.DataFrame:
    """Return USUAL of channels with the same clock and calendar."""
    if targets.is_empty():
        return empty(USUAL)
    zone = channels["time_zone"][0]
    known = _Samples.of(samples, channels["channel_id"], zone)
    days, hours = _local(targets["time"], zone)
    channel = _numbers(targets["channel_id"], channels["channel_id"])
    columns = channel * _HOURS_OF_DAY + hours
    found = np.zeros((3, targets.height))
    order = np.argsort(days, kind="stable")
    first = np.flatnonzero(np.diff(days[order], prepend=-1))
    types = _day_types(
        _date(days.min()) - timedelta(weeks=weeks),
        _date(days.max()),
        channels["state"][0],
        school_holidays,
    )
    for rows in np.split(order, first[1:]):
        alike = _like_days(_date(days[rows[0]]), types, weeks=weeks)
        found[:, rows] = known.robust(columns[rows], alike)
        mixed = rows[np.isnan(found[0, rows])]
        if mixed.size and events.height:
            sites = channels["site_id"].to_numpy()[channel[mixed]]
            for site in np.unique(sites):
                of_site = mixed[sites == site]
                same = _same_events(
                    _date(days[rows[0]]), alike[0], events, site=int(site)
                )
                again = known.robust(columns[of_site], [same])
                usable = np.isfinite(again[0]) & (again[2] > 0)
                found[:, of_site[usable]] = again[:, usable]
    usual, deviation, number = found
    rough = channels["quantity"].replace_strict(ROUGHNESS, return_dtype=pl.Float64)
    spread = _spread(usual, deviation, number, rough.to_numpy()[channel])
    spread = np.where(np.isnan(usual), deviation, spread)
    return targets.select(
        "channel_id",
        "time",
        usual=pl.Series(usual, dtype=pl.Float32, nan_to_null=True),
        usual_spread=pl.Series(spread, dtype=pl.Float32),
    ).filter(pl.Series(number > 0))


def _hourly(hours: pl.DataFrame) -> pl.DataFrame:
    return check(hours, VOLUMES).filter(pl.col("interval_s") == _HOUR_S)


def _like_days(day: date, types: Mapping[date, str], *, weeks: int) -> list[list[date]]:
    """Return groups of earlier days that resemble a day, the most similar first."""
    before = [day - timedelta(days=n) for n in range(1, 7 * weeks + 1)]
    alike = [other for other in before if types[other] == types[day]]
    if types[day] not in WORKDAYS:
        return [alike]
    both = [other for other in before if types[other] in WORKDAYS]
    return [
        chosen
        for days in (alike, both)
        for chosen in (
            [other for other in days if other.weekday() == day.weekday()],
            days,
        )
    ]


def _same_events(
    day: date, alike: Sequence[date], events: pl.DataFrame, *, site: int
) -> list[date]:
    """Return the similar days that have the same EVENTS at a site as a day."""
    here = list(
        events.filter(pl.col("site_id") == site)
        .select("name", "first", "last")
        .iter_rows()
    )

    def names(one: date) -> set[str]:
        return {name for name, first, last in here if first <= one <= last}

    return [other for other in alike if names(other) == names(day)]


def _day_types(
    first: date, last: date, state: str, school_holidays: pl.DataFrame
) -> dict[date, str]:
    """Return the types of days, see `analytics.calendar`."""
    days = pl.DataFrame({"day": pl.date_range(first, last, eager=True)})
    found = with_calendar(
        days.with_columns(state=pl.lit(state)), school_holidays=school_holidays
    )
    return dict(found.select("day", "day_type").iter_rows())


@dataclass(frozen=True, slots=True)
class _Samples:
    """Volumes of whole hours: a row per local day, NaN if unknown.

    A column is an hour of the local clock of a channel. A day with a repeated hour has
    a second row.
    """

    rows: dict[date, list[int]]
    values: Floats

    @classmethod
    def of(cls, samples: pl.DataFrame, channels: pl.Series, zone: str) -> "_Samples":
        """Lay out rows of `channel_id`, `time`, `sample`."""
        day, hour = _local(samples["time"], zone)
        days, row = np.unique(day, return_inverse=True)
        column = _numbers(samples["channel_id"], channels) * _HOURS_OF_DAY + hour
        number = np.arange(samples.height)
        last = np.empty((days.size, channels.len() * _HOURS_OF_DAY), np.int64)
        last[row, column] = number
        again = last[row, column] != number
        doubled = np.unique(row[again])
        row[again] = days.size + np.searchsorted(doubled, row[again])
        values = np.full((days.size + doubled.size, last.shape[1]), np.nan)
        values[row, column] = samples["sample"].to_numpy()
        rows: dict[date, list[int]] = {}
        for at, of_day in enumerate([*days, *days[doubled]]):
            rows.setdefault(_date(of_day), []).append(at)
        return cls(rows, values)

    def robust(self, columns: Ints, choices: Sequence[Sequence[date]]) -> Floats:
        """Return median, deviation and number of the samples of columns.

        Uses the first choice of days with enough samples; without any, the number is
        zero. If the samples of the first choice are of two kinds, the median is NaN and
        the deviation half of the difference between them.
        """
        found = np.zeros((3, columns.size))
        left = np.arange(columns.size)
        for choice, days in enumerate(choices):
            rows = [row for day in days for row in self.rows.get(day, ())]
            samples = self.values[rows].take(columns[left], axis=1)
            known = np.isfinite(samples).sum(axis=0)
            enough = known >= MIN_SAMPLES
            if not enough.all():
                samples = samples[:, enough]
            usual = median(samples)
            deviation = median(np.abs(samples - usual))
            if not choice and len(rows) >= 2 * MIN_KIND_SAMPLES:
                _mark_kinds(samples, usual, deviation)
            found[:, left[enough]] = usual, deviation, known[enough]
            left = left[~enough]
            if not left.size:
                break
        return found


def _mark_kinds(samples: Floats, usual: Floats, deviation: Floats) -> None:
    """Mark, in place, the columns whose samples (newest first) are of two kinds."""
    least, greatest = np.fmin.reduce(samples), np.fmax.reduce(samples)
    apart = (greatest >= MIN_KIND_RATIO * least) & (
        greatest - least >= MIN_KIND_DIFFERENCE
    )
    wide = np.flatnonzero(apart)  # few columns, mostly at night
    if not wide.size:
        return
    ordered = np.sort(samples[:, wide], axis=0)  # unknown samples come last
    known = np.isfinite(ordered).sum(axis=0)
    # the greatest gap with enough samples on either side
    steps = np.diff(ordered, axis=0)
    place = np.arange(1, len(ordered))[:, None]
    steps[(place < MIN_KIND_SAMPLES) | (place > known - MIN_KIND_SAMPLES)] = -1
    at = steps.argmax(axis=0)
    every = np.arange(wide.size)
    gap, below, above = steps[at, every], ordered[at, every], ordered[at + 1, every]
    top = ordered[np.maximum(known - 1, 0), every]
    within = np.maximum(below - ordered[0], top - above)
    two = (
        (gap >= MIN_KIND_DIFFERENCE)
        & (gap >= within)
        & (above >= MIN_KIND_RATIO * below)
    )
    if not two.any():
        return
    wide, middle = wide[two], ((below + above) / 2)[two]
    upper = samples[:, wide] > middle
    turns = np.zeros(wide.size, int)
    last = np.full(wide.size, -1)
    for row, is_known in zip(upper, np.isfinite(samples[:, wide]), strict=True):
        turns += is_known & (last >= 0) & (row != (last == 1))
        last = np.where(is_known, row, last)
    wide, half = (
        wide[turns >= MIN_KIND_CHANGES],
        (gap[two] / 2)[turns >= MIN_KIND_CHANGES],
    )
    usual[wide], deviation[wide] = np.nan, half


def _local(times: pl.Series, zone: str) -> tuple[Ints, Ints]:
    """Return local day (days since 1970) and hour of the local clock of whole hours."""
    if times.is_empty():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    number = times.to_physical().to_numpy() // _HOUR_US
    first = number.min()
    # each hour between them once: channels share them
    hours = pl.Series(np.arange(first, number.max() + 1) * _HOUR_US).cast(TIME)
    local = hours.dt.convert_time_zone(zone)
    day, hour = local.dt.date().to_physical(), local.dt.hour()
    at = number - first
    return day.to_numpy()[at], hour.to_numpy()[at]


def _date(day: int) -> date:
    return date.fromordinal(_EPOCH + int(day))


def _numbers(ids: pl.Series, channels: pl.Series) -> Ints:
    """Return the positions of channels among the sorted ones."""
    return channels.search_sorted(ids).to_numpy().astype(np.int64)


def _spread(usual: Floats, deviation: Floats, samples: Floats, rough: Floats) -> Floats:
    """Return the spread of the median of samples; see `usual`."""
    own = np.maximum((deviation * MAD_TO_SIGMA) ** 2, usual + 1)
    common = usual + 1 + (rough * usual) ** 2
    variance = (samples * own + PRIOR_SAMPLES * common) / (samples + PRIOR_SAMPLES)
    return np.sqrt(variance * (1 + pi / 2 / np.maximum(samples, 1)))
