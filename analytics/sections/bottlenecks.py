"""Bottlenecks: where slow traffic becomes free again, and the queue upstream.

Source: Chen, Skabardonis, Varaiya 2004, doi 10.3141/1867-06, made for motorways; here
"slow" is a share of each station's own free speed, so that it holds for streets, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.frames import TIME, Schema, check
from analytics.sections.stations import FREE_SPEEDS, STATION_INTERVALS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Conditions of a bottleneck; the paper: 40 mph, 20 mph, 2 miles, 5 of 7."""

    #: share of the free speed below which traffic is slow
    slow: float = 2 / 3
    #: minimum gain of speed downstream, as a share of the free speed
    gain: float = 1 / 3
    #: within this distance (m)
    reach_m: float = 3200
    #: number of consecutive intervals, and how many of them must be active
    window: int = 7
    active: int = 5


#: `station` is the last slow one; `[began, ended)`; `active` counts its intervals;
#: `extent_m` is the median length of the queue; `delay_h` are vehicle hours, null if a
#: flow is unknown.
BOTTLENECKS: Final[Schema] = {
    "station": pl.Int32(),
    "chainage_m": pl.Float64(),
    "began": TIME,
    "ended": TIME,
    "active": pl.Int32(),
    "slowest_kmh": pl.Float64(),
    "extent_m": pl.Float64(),
    "delay_h": pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class _Road:
    """A corridor as arrays: by time and station; NaN is unknown."""

    times: list[datetime]
    chainage: Floats
    free: Floats
    speed: Floats
    flow: Floats


def bottlenecks(
    intervals: pl.DataFrame,
    free: pl.DataFrame,
    *,
    interval_s: int,
    thresholds: Thresholds = Thresholds(),
) -> pl.DataFrame:
    """Find sustained BOTTLENECKS in STATION_INTERVALS, with FREE_SPEEDS.

    Active at station i, when v_i is slow, speed rises from station to station up to
    one within reach that is faster by the gain. Of a queue of slow stations the last
    counts. Sustained, when five of seven intervals in a row are active, whichever
    seven. The queue are the slow stations directly upstream, each for the stretch up
    to the middle between its neighbours; delay = Σ length · flow · (1/v - 1/v_free).
    A station without speed or free speed is neither slow nor free.
    """
    road = _road(intervals, free, interval_s)
    if road is None:
        return pl.DataFrame(schema=dict(BOTTLENECKS))
    slow = road.speed < thresholds.slow * road.free
    active = _active(road, slow, thresholds)
    rows = [
        _episode(road, slow, station, rows, interval_s)
        for station in range(road.chainage.size)
        for rows in _episodes(active[:, station], thresholds)
    ]
    return check(
        pl.DataFrame(rows, schema=dict(BOTTLENECKS), orient="row").sort(
            "began", "station"
        ),
        BOTTLENECKS,
    )


def _road(intervals: pl.DataFrame, free: pl.DataFrame, interval_s: int) -> _Road | None:
    known = check(intervals, STATION_INTERVALS).join(
        check(free, FREE_SPEEDS).drop("chainage_m"), on="station"
    )
    if known.is_empty():
        return None
    places = known.select("station", "chainage_m", "free_kmh").unique().sort("station")
    first, last = known.select(
        since=pl.col("time").min(), until=pl.col("time").max()
    ).row(0)
    every = timedelta(seconds=interval_s)
    times = pl.datetime_range(first, last, every, eager=True, time_unit="us")
    row = ((known["time"] - first).dt.total_seconds() // interval_s).to_numpy()
    column = np.searchsorted(places["station"], known["station"])
    speed, flow = (np.full((times.len(), places.height), np.nan) for _ in range(2))
    speed[row, column] = known["speed_kmh"].to_numpy()
    flow[row, column] = known["flow"].to_numpy()
    return _Road(
        times.to_list(),
        places["chainage_m"].to_numpy(),
        places["free_kmh"].to_numpy(),
        speed,
        flow,
    )


def _active(road: _Road, slow: Flags, thresholds: Thresholds) -> Flags:
    """Return when each station is the last slow one before free traffic."""
    active = np.zeros_like(slow)
    count = road.chainage.size
    taken = np.zeros_like(slow)  # marks the stations where it is free again
    for i in range(count - 1, -1, -1):
        rising = np.ones(len(road.times), dtype=bool)
        open_ = slow[:, i].copy()
        for j in range(i + 1, count):
            if road.chainage[j] - road.chainage[i] >= thresholds.reach_m:
                break
            rising &= road.speed[:, j] > road.speed[:, j - 1]
            faster = (
                road.speed[:, j] - road.speed[:, i] > thresholds.gain * road.free[i]
            )
            here = open_ & rising & faster
            active[:, i] |= here & ~taken[:, j]
            taken[:, j] |= here
            open_ &= ~here
    return active


def _episodes(active: Flags, thresholds: Thresholds) -> Iterator[Indices]:
    """Return the active intervals of each sustained episode, as indices."""
    if active.size < thresholds.window:
        return
    counts = np.convolve(active, np.ones(thresholds.window, dtype=int), "valid")
    enough = np.convolve(
        counts >= thresholds.active, np.ones(thresholds.window, dtype=int)
    )
    rows = np.flatnonzero(active & (enough > 0))
    longest_gap = thresholds.window - thresholds.active + 1
    yield from (
        part
        for part in np.split(rows, np.flatnonzero(np.diff(rows) > longest_gap) + 1)
        if part.size
    )


def _episode(
    road: _Road, slow: Flags, station: int, rows: Indices, interval_s: int
) -> tuple[object, ...]:
    upstream = slow[rows, : station + 1]
    # the queue: slow without a break up to the station
    queue = np.flip(np.cumprod(np.flip(upstream, axis=1), axis=1), axis=1).astype(bool)
    length = _stretches(road.chainage)[: station + 1]
    speed, flow = road.speed[rows, : station + 1], road.flow[rows, : station + 1]
    lost = length / 1000 * flow * (1 / speed - 1 / road.free[: station + 1])
    delay = float(np.where(queue, lost, 0).sum() * interval_s / 3600)
    every = timedelta(seconds=interval_s)
    return (
        station,
        float(road.chainage[station]),
        road.times[rows[0]],
        road.times[rows[-1]] + every,
        int(rows.size),
        float(speed[:, station].min()),
        float(np.median((queue * length).sum(axis=1))),
        None if np.isnan(delay) else delay,
    )


def _stretches(chainage: Floats) -> Floats:
    """Return the length of road (m) that each station represents."""
    middles = (chainage[1:] + chainage[:-1]) / 2
    ends = np.concatenate([chainage[:1], middles, chainage[-1:]])
    return np.diff(ends)
