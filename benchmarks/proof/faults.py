"""Faults injected into real counts, with their labels, and how well scores find them.

Five kinds, of widely varying size and length, are injected into a panel of series:

==========  ======================================================================
kind        what happens
==========  ======================================================================
spike       one hour counts 1.5 to 8 times as much, and at least 5 more
drop-out    1 to 48 hours count nothing (two of three) or 2 to 30 %
stuck       4 to 48 hours repeat the count of the hour before
shift       1 to 14 days count 30 to 75 % or 130 to 220 %
incident    1 to 4 hours count 15 to 65 % or 140 to 300 %; one of two is seen by up to
            three series of the same site, too, half as strong
==========  ======================================================================

Counts are thinned (binomial) or topped up (Poisson), so that they keep the noise of
counting. Faults of a series do not overlap; a pause of a day lies between them. A fault
may begin at any hour of the day. An injection that changes no count is not a fault.

The panels are hours of Münster's motor-vehicle loops and bicycle counters. Series of an
even number and other seeds and periods were used to tune the score; results are
measured on those of an odd number. What really happened there (closed roads, races,
storms) has no label and counts as false: no score can reach 1.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import nan
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

KINDS: Final = ("spike", "drop-out", "stuck", "shift", "incident")
#: faults per series and week, by kind
PER_WEEK: Final[Mapping[str, float]] = {
    "spike": 0.20,
    "drop-out": 0.16,
    "stuck": 0.12,
    "shift": 0.07,
    "incident": 0.24,
}
#: hours without fault between the faults of a series
PAUSE_H: Final = 24
#: hours at the beginning of a panel without faults, excluded from the results
WARM_UP_H: Final = 6 * 168
WEEKS: Final = 18
SEEDS: Final = (11, 12)
#: starts of panels in local time, and the mean hourly count of their smallest series
LOOPS: Final = ((datetime(2015, 8, 31), 50), (datetime(2016, 1, 11), 15))  # noqa: DTZ001
BICYCLES: Final = datetime(2023, 4, 3)  # noqa: DTZ001 - local
MAX_PANEL_SERIES: Final = 60


class Fault(NamedTuple):
    """One injected fault: rows `[first, last)` of a series."""

    series: int
    kind: str
    first: int
    last: int
    factor: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """Counts (series by hour, NaN where unknown) with faults, and the hours."""

    counts: Floats
    faults: tuple[Fault, ...]

    @property
    def labels(self) -> npt.NDArray[np.bool_]:
        """Return for each row whether it has a fault."""
        found = np.zeros(self.counts.shape, dtype=bool)
        for fault in self.faults:
            found[fault.series, fault.first : fault.last] = True
        return found


def inject(
    counts: Floats,
    sites: list[str],
    *,
    seed: int,
    first: int,
    per_week: Mapping[str, float] = PER_WEEK,
) -> Labelled:
    """Inject faults into counts (series by hour) from the hour `first` on.

    `sites` are the sites of the series: series of one site may share an incident.
    """
    dice = np.random.default_rng(seed)
    out = counts.copy()
    free = np.isfinite(counts)
    free[:, :first] = False
    weeks = (counts.shape[1] - first) / 168
    faults: list[Fault] = []
    # long faults would find no room after the short ones
    for kind in ("shift", "drop-out", "stuck", "incident", "spike"):
        number = dice.poisson(per_week[kind] * weeks * len(counts))
        for series in dice.integers(len(counts), size=number).tolist():
            length, factor = _draw(kind, dice)
            start = int(dice.integers(first, counts.shape[1] - length))
            affected = [(series, factor)]
            if kind == "incident" and dice.random() < 0.5:
                near = [
                    other
                    for other, site in enumerate(sites)
                    if site == sites[series] and other != series
                ]
                dice.shuffle(near)
                affected += [(other, factor**0.5) for other in near[:3]]
            for one, strength in affected:
                fault = Fault(one, kind, start, start + length, strength)
                if _apply(fault, counts, out, free, dice):
                    faults.append(fault)
    return Labelled(out, tuple(faults))


def _draw(kind: str, dice: np.random.Generator) -> tuple[int, float]:
    """Draw the length in hours and the factor on the counts."""

    def between(low: float, high: float) -> float:
        return float(np.exp(dice.uniform(np.log(low), np.log(high))))

    down = dice.random() < 0.6
    match kind:
        case "spike":
            return 1, between(1.5, 8)
        case "drop-out":
            return int(between(1, 49)), 0.0 if dice.random() < 0.67 else between(
                0.02, 0.3
            )
        case "stuck":
            return int(between(4, 49)), 1.0
        case "shift":
            length = int(between(24, 24 * 14))
            return length, between(0.3, 0.75) if down else between(1.3, 2.2)
        case _:
            length = int(dice.integers(1, 5))
            return length, between(0.15, 0.65) if down else between(1.4, 3)


def _apply(
    fault: Fault,
    counts: Floats,
    out: Floats,
    free: npt.NDArray[np.bool_],
    dice: np.random.Generator,
) -> bool:
    """Apply a fault to `out`; return False if there is no room, or no change."""
    rows = slice(fault.first, fault.last)
    room = slice(max(fault.first - PAUSE_H, 0), fault.last + PAUSE_H)
    # an hour that was not counted cannot show a fault, and interrupts a stuck run
    if not free[fault.series, rows].all():
        return False
    before = counts[fault.series, rows]
    after: Floats
    match fault.kind:
        case "stuck":
            after = np.full(
                len(before), counts[fault.series, fault.first - 1], np.float64
            )
        case "spike":
            after = np.asarray(np.maximum(before * fault.factor, before + 5).round())
        case _ if fault.factor < 1:
            after = np.asarray(
                dice.binomial(before.astype(np.int64), fault.factor) * 1.0
            )
        case _:
            after = before + dice.poisson(before * (fault.factor - 1))
    if not np.isfinite(after).all() or (after == before).all():
        return False
    out[fault.series, rows] = after
    free[fault.series, room] = False
    return True


Score = Callable[[pl.DataFrame], Floats]


class Panel(NamedTuple):
    """Counts of series by hour, from a Monday on, on the local clock."""

    name: str
    first: datetime
    counts: Floats
    sites: list[str]

    def rows(self, counts: Floats) -> pl.DataFrame:
        """Return counts of this panel as rows of `key`, `time`, `value`."""
        series, hours = counts.shape
        times = pl.datetime_range(
            self.first,
            self.first + timedelta(hours=hours - 1),
            "1h",
            eager=True,
            time_unit="us",
        )
        return pl.DataFrame(
            {
                "key": np.repeat(np.arange(series), hours),
                "time": pl.concat([times] * series),
                "value": counts.ravel(),
            }
        ).with_columns(pl.col("value").fill_nan(None))


def panels(data: Path, *, odd: bool = True) -> Iterator[Panel]:
    """Read the panels with the series of odd (held out) or even numbers."""
    loops = (
        pl.scan_parquet(data / "muenster_kfz" / "kfz_hourly_2015_2016.parquet")
        .select(
            key=pl.col("detector").cast(pl.String),
            time=pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours="hour"),
            value="count",
        )
        .filter(pl.col("key").str.starts_with("MQ_"), pl.col("value") >= 0)
    )
    keys = loops.select("key").unique().collect()["key"].sort()
    loops = loops.filter(pl.col("key").is_in(keys.gather_every(2, int(odd)).implode()))
    for first, least in LOOPS:
        yield _panel(f"loops {first:%Y-%m}", loops, first, least=least, steady=2)
    bicycles = (
        pl.scan_parquet(data / "muenster_bike" / "stations_15min_2019_2026.parquet")
        .group_by(
            key=pl.col("channel_id").cast(pl.String),
            time=pl.col("ts").dt.truncate("1h").cast(pl.Datetime("us")),
        )
        .agg(pl.col("count").cast(pl.Int64).sum().alias("value"), pl.len())
        .filter(pl.col("len") == 4)
    )
    # few counters: all of them, from another year than those used for tuning
    yield _panel("bicycles", bicycles, BICYCLES, least=0, steady=5)


def _panel(
    name: str,
    rows: pl.LazyFrame,
    first: datetime,
    *,
    least: int,
    steady: float,
) -> Panel:
    """Choose the series that are counted throughout without faults of their own.

    Left out: more than 7 % unknown, more than 5 days without a count, an hour above
    twelve times the 90th percentile, or, on more than 5 % of its days, a count above
    `steady` times the median of the weekday or below its reciprocal.
    """
    hours = pl.DataFrame(
        {
            "time": pl.datetime_range(
                first,
                first + timedelta(weeks=WEEKS),
                "1h",
                closed="left",
                eager=True,
                time_unit="us",
            )
        }
    )
    wide = hours.join(
        rows.join(hours.lazy(), on="time", how="semi")
        .collect()
        .sort("key", "time")
        .pivot("key", index="time", values="value", aggregate_function="first"),
        on="time",
        how="left",
    )
    names = [name for name in wide.columns if name != "time"]
    counts = wide.select(names).to_numpy().T.astype(np.float64)
    good = np.flatnonzero(_sound(counts, least, steady))
    dice = np.random.default_rng(0)
    good = np.sort(dice.permutation(good)[:MAX_PANEL_SERIES])
    # MQ_<site>_<lane>; a bicycle counter is a site of its own
    sites = [names[one].removeprefix("MQ_").split("_")[0] for one in good]
    return Panel(name, first, counts[good], sites)


def _sound(counts: Floats, least: int, steady: float) -> npt.NDArray[np.bool_]:
    """Return which series pass the rules of `_panel`, with a mean of `least`."""
    zeroed = np.nan_to_num(counts)
    days = zeroed.reshape(len(counts), -1, 24).sum(axis=2)
    weekday = np.median(days.reshape(len(counts), -1, 7), axis=1)
    off = days.reshape(len(counts), -1, 7) / np.maximum(weekday[:, None], 1)
    known = np.isfinite(counts).mean(axis=1)
    return np.asarray(
        (known > 0.93)
        & (zeroed.mean(axis=1) >= least * known)
        & ((days == 0).sum(axis=1) <= 5)
        & (zeroed.max(axis=1) < 12 * np.quantile(zeroed, 0.9, axis=1) + 20)
        & (((off < 1 / steady) | (off > steady)).mean(axis=(1, 2)) <= 0.05)
    )


def compare(data: Path, scores: Mapping[str, Score]) -> dict[str, Any]:
    """Measure scores (functions of rows of `key`, `time`, `value`).

    For each score, means over panels and seeds, and the result of each panel.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for panel in panels(data):
        for seed in SEEDS:
            labelled = inject(panel.counts, panel.sites, seed=seed, first=WARM_UP_H)
            rows = panel.rows(labelled.counts)
            for name, score in scores.items():
                measured = measure(
                    score(rows).reshape(panel.counts.shape), labelled, first=WARM_UP_H
                )
                found.setdefault(name, {}).setdefault(panel.name, []).append(measured)
    return {
        name: {
            **_mean([one for seeds in parts.values() for one in seeds]),
            "panels": {panel: _mean(seeds) for panel, seeds in parts.items()},
        }
        for name, parts in found.items()
    }


def _mean(measured: list[dict[str, Any]]) -> dict[str, Any]:
    plain = ("average_precision", "event_recall", "delay_h", "threshold")
    return {
        **{key: round(float(np.mean([m[key] for m in measured])), 3) for key in plain},
        "by_kind": {
            kind: round(float(np.nanmean([m["by_kind"][kind] for m in measured])), 3)
            for kind in KINDS
        },
        "events": sum(m["events"] for m in measured),
    }


def measure(score: Floats, labelled: Labelled, *, first: int) -> dict[str, Any]:
    """Measure how well a score (series by hour) finds the faults from `first` on.

    - average precision over rows: mean of the precision at each row of a fault, rows
      in falling order of score
    - event recall: share of faults with a row above the lowest threshold at which at
      most one hour for each series and week is above it without a fault
    - delay_h: median hours from the beginning of a fault found to its first such row

    Rows whose count is unknown are left out; a score that is NaN is the lowest.
    """
    known = np.isfinite(labelled.counts)
    known[:, :first] = False
    rows = np.where(np.isnan(score), -np.inf, score)
    labels = labelled.labels
    allowed = int(known.sum() / 168)
    false = np.sort(rows[known & ~labels])[::-1]
    threshold = false[allowed] if allowed < len(false) else -np.inf
    above = rows > threshold
    delays: dict[str, list[int | None]] = {kind: [] for kind in KINDS}
    for fault in labelled.faults:
        hit = np.flatnonzero(above[fault.series, fault.first : fault.last])
        delays[fault.kind].append(int(hit[0]) if len(hit) else None)
    found = [delay for kind in KINDS for delay in delays[kind]]
    return {
        "average_precision": average_precision(rows[known], labels[known]),
        "event_recall": _recall(found),
        "delay_h": _median([delay for delay in found if delay is not None]),
        "by_kind": {kind: _recall(delays[kind]) for kind in KINDS},
        "events": len(found),
        "fault_share": float(labels[known].mean()),
        "threshold": float(threshold),
    }


def _recall(delays: list[int | None]) -> float:
    number = sum(delay is not None for delay in delays)
    return number / len(delays) if delays else nan


def _median(delays: list[int]) -> float:
    return float(np.median(delays)) if delays else nan


def average_precision(score: Floats, labels: npt.NDArray[np.bool_]) -> float:
    """Sum precision over the gains in recall; rows of equal score count together."""
    order = np.argsort(-score, kind="stable")
    score, hits = score[order], np.cumsum(labels[order])
    last = np.append(score[1:] != score[:-1], True)
    hits, rows = hits[last], np.flatnonzero(last) + 1
    gains = np.diff(hits, prepend=0)
    return float((gains * hits / rows).sum() / hits[-1])
