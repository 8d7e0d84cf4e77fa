"""Errors of forecasts and imputation on a year of Münster's counters.

WAPE = sum of |estimate - counted| / sum of counted, over all counters together. Held
out are the last twelve months of the bicycle counters (the totals of the 23 stations,
as published) and the year 2016 of the motor-vehicle loops (`MQ_`, uncontrolled,
negative counts unknown). Nothing was tuned on them.

Forecasts: from each interval of the year, a number of intervals ahead; weights are
fitted anew every four weeks to the twelve weeks before. Imputation: in each piece of
sixteen weeks gaps are created, the method is chosen on other gaps of what is left, as
in the product. Simple methods for comparison: the median of the same time in the four
weeks before, and that times the ratio of the last hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from analytics.forecast import grid, model
from analytics.forecast.grid import Floats, Grid, Place
from analytics.forecast.profile import median
from analytics.forecast.ratio import ratio, volume
from analytics.imputation.choice import choose, hide
from analytics.imputation.methods import METHODS, town

#: Nordrhein-Westfalen has holidays that other states lack.
MUENSTER: Final = Place("Europe/Berlin", "NW")
WEEKS: Final = 12
PIECE: Final = timedelta(weeks=4)
SHARE: Final = 0.9
BICYCLES: Final = "muenster_bike/stations_15min_2019_2026.parquet"
LOOPS: Final = "muenster_kfz/kfz_hourly_2015_2016.parquet"
BICYCLES_HELD_OUT: Final = (
    datetime(2025, 8, 22, tzinfo=UTC),
    datetime(2026, 8, 21, tzinfo=UTC),
)
LOOPS_HELD_OUT: Final = (
    datetime(2016, 1, 1, tzinfo=UTC),
    datetime(2016, 12, 31, tzinfo=UTC),
)


@dataclass
class _Sum:
    """Sums of errors."""

    missed: float = 0.0
    counted: float = 0.0
    inside: int = 0
    number: int = 0

    def add(self, estimate: Floats, counted: Floats) -> None:
        known = np.isfinite(estimate) & np.isfinite(counted)
        self.missed += float(np.abs(estimate - counted)[known].sum())
        self.counted += float(counted[known].sum())

    def add_interval(self, low: Floats, high: Floats, counted: Floats) -> None:
        known = np.isfinite(low) & np.isfinite(counted)
        self.inside += int(((counted >= low) & (counted <= high))[known].sum())
        self.number += int(known.sum())

    @property
    def wape(self) -> float | None:
        return round(self.missed / self.counted, 4) if self.counted else None

    @property
    def coverage(self) -> float | None:
        return round(self.inside / self.number, 4) if self.number else None


@dataclass
class _Task:
    """A method and its simple alternatives, on the same values."""

    ours: _Sum = field(default_factory=_Sum)
    others: dict[str, _Sum] = field(default_factory=dict)

    def beside(self, name: str) -> _Sum:
        return self.others.setdefault(name, _Sum())


def measure(data: Path) -> dict[str, Any]:
    """Measure all tasks on the folder of data."""
    quarters = bicycles(data)
    hours = to_hours(quarters)
    loops = motor(data)
    tasks = {
        **_forecasts(quarters, BICYCLES_HELD_OUT, {"bike_15min": 1, "bike_1h_q": 4}),
        **_forecasts(hours, BICYCLES_HELD_OUT, {"bike_1h": 1, "bike_1d": 24}),
        **_forecasts(loops, LOOPS_HELD_OUT, {"kfz_1h": 1, "kfz_1d": 24}),
        **{
            f"impute_{name}": _imputation(hours, BICYCLES_HELD_OUT, length_h)
            for name, length_h in (("4h", 4), ("24h", 24), ("7d", 168))
        },
    }
    return {
        "wape": {name: task.ours.wape for name, task in tasks.items()},
        "beside": {
            name: {other: found.wape for other, found in task.others.items()}
            for name, task in tasks.items()
        },
        "coverage": {name: task.ours.coverage for name, task in tasks.items()},
        "coverage_meant": SHARE,
    }


def bicycles(data: Path) -> Grid:
    """Return quarter-hourly station totals, starting half a year earlier."""
    counts = pl.read_parquet(data / BICYCLES).select(
        series="channel_id", local=pl.col("ts").cast(pl.Datetime("us")), count="count"
    )
    return _grid(counts, interval_s=900, held_out=BICYCLES_HELD_OUT)


def motor(data: Path) -> Grid:
    """Return hourly loop counts, starting half a year before the held-out part."""
    counts = pl.read_parquet(data / LOOPS).with_columns(
        pl.col("detector").cast(pl.String)
    )
    names = counts["detector"].unique().sort()
    chosen = names.filter(names.str.starts_with("MQ_"))
    number = pl.DataFrame({"detector": chosen}).with_row_index("series")
    counts = counts.join(number, on="detector").select(
        pl.col("series").cast(pl.Int32),
        local=pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours="hour"),
        count=pl.when(pl.col("count") >= 0).then("count"),
    )
    return _grid(counts, interval_s=3600, held_out=LOOPS_HELD_OUT)


def to_hours(quarters: Grid) -> Grid:
    """Sum up quarter-hours; an hour with a missing one is unknown."""
    rows, channels = quarters.values.shape
    return grid.from_values(
        quarters.values.reshape(rows // 4, 4, channels).sum(axis=1),
        quarters.place,
        channels=quarters.channels,
        interval_s=3600,
        start=quarters.start,
    )


def _grid(
    counts: pl.DataFrame, *, interval_s: int, held_out: tuple[datetime, datetime]
) -> Grid:
    start, end = held_out[0] - timedelta(weeks=26), held_out[1]
    utc = pl.col("local").dt.replace_time_zone(
        MUENSTER.time_zone, ambiguous="earliest", non_existent="null"
    )
    cells = (
        counts.with_columns(time=utc.dt.convert_time_zone("UTC"))
        .filter((pl.col("time") >= start) & (pl.col("time") < end))
        .select(
            channel_id="series",
            row=(pl.col("time") - start).dt.total_seconds() // interval_s,
            volume=pl.col("count").cast(pl.Float64),
        )
    )
    series = cells["channel_id"].unique().sort().to_numpy()
    rows = (end - start) // timedelta(seconds=interval_s)
    return grid.from_values(
        grid.matrix(cells, series, rows=rows),
        MUENSTER,
        channels=tuple(series.tolist()),
        interval_s=interval_s,
        start=start,
    )


def _forecasts(
    whole: Grid, held_out: tuple[datetime, datetime], steps: dict[str, int]
) -> dict[str, _Task]:
    """Forecast the held-out part, piece by piece."""
    tasks = {name: _Task() for name in steps}
    usual = _median_of_weeks(whole)
    last_hour = _mean_of_last_hour(ratio(whole.values, usual), whole.per_hour)
    for window, first in _windows(whole, held_out, timedelta(weeks=WEEKS)):
        known = model.past(window)
        rows = slice(first, len(window.values))
        counted = window.values[rows]
        at = whole.row(window.start) + np.arange(len(window.values))[rows]
        for name, ahead in steps.items():
            task = tasks[name]
            weights = model.fit(known, ahead, until=first, share=SHARE)
            estimate = model.predict(known, weights, rows)
            task.ours.add(estimate, counted)
            task.ours.add_interval(*weights.bands.around(estimate), counted)
            task.beside("median_of_4_weeks").add(usual[at], counted)
            task.beside("profile_x_ratio").add(
                volume(usual[at], last_hour[at - ahead]), counted
            )
    return tasks


def _imputation(
    whole: Grid, held_out: tuple[datetime, datetime], length_h: int
) -> _Task:
    """Impute gaps of a length in the held-out part."""
    task = _Task()
    for window, _ in _windows(whole, held_out, timedelta(), timedelta(weeks=16)):
        gaps = hide(window, length_h, seed=1)
        holed = window.without(gaps)
        chosen = choose(holed, length_h, share=SHARE)
        seen, counted = town(holed), window.values[gaps]
        for name, method in METHODS.items():
            estimate = method(seen)[gaps]
            task.beside(name).add(estimate, counted)
            if name == chosen.method:
                task.ours.add(estimate, counted)
                task.ours.add_interval(*chosen.bands.around(estimate), counted)
    return task


def _windows(
    whole: Grid,
    held_out: tuple[datetime, datetime],
    before: timedelta,
    piece: timedelta = PIECE,
) -> Iterator[tuple[Grid, int]]:
    """Yield pieces of the held-out part with the time before them, and their start."""
    began, end = held_out
    while began < end:
        rows = slice(whole.row(began - before), whole.row(min(began + piece, end)))
        window = grid.from_values(
            whole.values[rows],
            whole.place,
            channels=whole.channels,
            interval_s=whole.interval_s,
            start=began - before,
        )
        yield window, window.row(began)
        began += piece


def _median_of_weeks(whole: Grid) -> Floats:
    """Return the median of the same local time one to four weeks before."""
    bins = 86_400 // whole.interval_s
    by_day = np.full((len(whole.days) + 28, bins, len(whole.channels)), np.nan)
    by_day[whole.day + 28, whole.bin] = whole.values
    weeks = [by_day[whole.day + 28 - 7 * back, whole.bin] for back in range(1, 5)]
    return median(np.stack(weeks))


def _mean_of_last_hour(ratios: Floats, rows: int) -> Floats:
    """Return the mean of the last rows, unknown ones as zero."""
    filled = np.nan_to_num(ratios)
    padded = np.vstack([np.zeros((rows, filled.shape[1])), filled]).cumsum(axis=0)
    found: Floats = (padded[rows:] - padded[:-rows]) / rows
    return found
