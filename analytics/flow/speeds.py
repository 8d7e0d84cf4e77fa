"""Speeds: means, V85 and distribution from merged histograms, share above the limit."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.flow.figure import Figure, Reason, Result
from analytics.flow.histograms import BINS, WIDTH_KMH, as_matrix
from analytics.flow.inputs import passport_of_bins
from analytics.frames import FLOW_BINS, SPEED_HISTOGRAMS, Schema, check
from analytics.quality.passport import Passport

METHOD: Final = "speeds-1"
QUANTILES: Final = {"v15": 0.15, "v50": 0.5, "v85": 0.85}

DISTRIBUTION: Final[Schema] = {
    "from_kmh": pl.Float64(),
    "to_kmh": pl.Float64(),
    "vehicles": pl.Int64(),
    "share": pl.Float64(),
}

Floats = npt.NDArray[np.float64]
_EDGES: Final = WIDTH_KMH * np.arange(BINS, dtype=float)
#: The middle of each bin; the open one is treated as closed.
_CENTRES: Final = _EDGES + WIDTH_KMH / 2


def speeds(
    histograms: pl.DataFrame,
    hours: pl.DataFrame,
    *,
    limit_kmh: float | None,
    expected: int,
    lanes: int,
    excluded_s: int = 0,
) -> Result:
    """Compute speeds from SPEED_HISTOGRAMS of all lanes; means also from FLOW_BINS.

    The period has `expected` hours, and `excluded_s` seconds of histograms of all lanes
    were excluded because of a case.

    v15, v50, v85: quantiles of the merged histogram in km/h, linear inside the bin. If
        a quantile lies in the open last bin of a device, its value is the start of that
        bin and `above` is true: the speed is greater.
    mean_space: Σ n / Σ (n / v) over the bins with v in their middle, the harmonic mean,
        as density and travel time require.
    mean_time: Σ n v / Σ n, the arithmetic mean, never smaller; from the sensors' hourly
        means if there is no histogram; its passport is then that of the hours with a
        speed.
    above_limit: share of vehicles faster than `limit_kmh`, linear inside the bin; null
        if the limit lies in the open last bin.

    Histograms are added, quantiles never averaged. The table is the distribution; bins
    from the open one on are one row without an end. The passport contains the share of
    the time of all lanes that histograms cover; `normalised` is the share of it whose
    bins were converted to another width. Source: DOMAIN.md 4.3.
    """
    histograms, hours = check(histograms, SPEED_HISTOGRAMS), check(hours, FLOW_BINS)
    counts = as_matrix(histograms["counts"]).sum(axis=0)
    open_kmh: float | None = histograms.select(pl.min("open_kmh")).item()
    if counts[-1]:
        # the last bin of the grid is open as well
        end = float(_EDGES[-1])
        open_kmh = end if open_kmh is None else min(end, open_kmh)
    total = int(counts.sum())
    expected_s = max(expected * lanes * 3600, 1)
    passport = _passport(histograms, total, expected_s, excluded_s=excluded_s)
    nothing = None if total else Reason("no-histograms")
    figures = [
        Figure(name=name, unit="km/h", passport=passport, reason=nothing)
        if nothing
        else _quantile(name, counts, share, open_kmh=open_kmh, passport=passport)
        for name, share in QUANTILES.items()
    ]
    space = space_mean(counts[None, :])[0]
    figures += [
        Figure(
            name="mean_space",
            unit="km/h",
            passport=passport,
            value=None if nothing else float(space),
            above=open_kmh is not None,
            reason=nothing,
        ),
        _time_mean(counts, passport=passport, above=open_kmh is not None)
        if total
        else _mean_of_hours(hours, expected=expected),
        _above_limit(counts, limit_kmh, open_kmh=open_kmh, passport=passport),
    ]
    return Result(tuple(figures), _distribution(counts, open_kmh), passport)


def space_mean(counts: npt.NDArray[np.int64]) -> Floats:
    """Return the harmonic mean speed of each row of counts; NaN without counts."""
    slow = (counts / _CENTRES).sum(axis=1)
    found = np.full(len(counts), np.nan)
    np.divide(counts.sum(axis=1), slow, out=found, where=slow > 0)
    return found


def _passport(
    histograms: pl.DataFrame, total: int, expected_s: int, *, excluded_s: int
) -> Passport:
    observed = float(histograms["observed_s"].sum()) / expected_s
    rebinned = float(histograms["rebinned"].sum()) / max(total, 1)
    observed = min(1.0, observed)
    return Passport(
        observed=observed * (1 - rebinned),
        normalised=observed * rebinned,
        imputed=0.0,
        excluded=min(1.0, excluded_s / expected_s),
        method=METHOD,
    )


def _quantile(
    name: str,
    counts: npt.NDArray[np.int64],
    share: float,
    *,
    open_kmh: float | None,
    passport: Passport,
) -> Figure:
    wanted = share * counts.sum()
    below = np.concatenate([[0], counts.cumsum()])
    # the first bin that reaches this number
    n = int(np.searchsorted(below[1:], wanted))
    value = float(_EDGES[n] + WIDTH_KMH * (wanted - below[n]) / counts[n])
    above = open_kmh is not None and value > open_kmh
    return Figure(
        name=name,
        unit="km/h",
        passport=passport,
        value=open_kmh if above else value,
        above=above,
    )


def _time_mean(
    counts: npt.NDArray[np.int64], *, passport: Passport, above: bool
) -> Figure:
    return Figure(
        name="mean_time",
        unit="km/h",
        passport=passport,
        value=float((counts * _CENTRES).sum() / counts.sum()),
        above=above,
    )


def _mean_of_hours(hours: pl.DataFrame, *, expected: int) -> Figure:
    """Return the sensors' hourly mean speeds, weighted by volume."""
    both = hours.drop_nulls(["speed_kmh", "volume"])
    weights = both["volume"].to_numpy()
    value: float | None = None
    if weights.any():
        value = float(np.average(both["speed_kmh"].to_numpy(), weights=weights))
    # an hour without a speed is missing here, unless it is excluded
    known = pl.col("speed_kmh").is_not_null()
    with_speed = hours.with_columns(
        pl.when(known).then(pl.col("observed", "normalised", "imputed")).otherwise(0)
    )
    return Figure(
        name="mean_time",
        unit="km/h",
        passport=passport_of_bins(with_speed, method=METHOD, expected=expected),
        value=value,
        reason=Reason("no-speeds") if value is None else None,
    )


def _above_limit(
    counts: npt.NDArray[np.int64],
    limit_kmh: float | None,
    *,
    open_kmh: float | None,
    passport: Passport,
) -> Figure:
    total = int(counts.sum())
    reason = None
    if not total:
        reason = Reason("no-histograms")
    elif limit_kmh is None:
        reason = Reason("no-limit")
    elif open_kmh is not None and limit_kmh > open_kmh:
        reason = Reason("open-bin", open_kmh)
    below = np.concatenate([[0], counts.cumsum()])
    slower = np.interp(limit_kmh or 0, [*_EDGES, _EDGES[-1] + WIDTH_KMH], below)
    return Figure(
        name="above_limit",
        unit="1",
        passport=passport,
        value=None if reason else float(1 - slower / total),
        reason=reason,
    )


def _distribution(
    counts: npt.NDArray[np.int64], open_kmh: float | None
) -> pl.DataFrame:
    """Return the bins from the first to the last with vehicles; open ones as one."""
    end = BINS - 1
    if open_kmh is not None:
        end = min(end, int(open_kmh // WIDTH_KMH))
    closed = pl.DataFrame(
        {
            "from_kmh": _EDGES[:end],
            "to_kmh": _EDGES[:end] + WIDTH_KMH,
            "vehicles": counts[:end],
        }
    )
    above = pl.DataFrame(
        {"from_kmh": [_EDGES[end]], "to_kmh": [None], "vehicles": [counts[end:].sum()]},
        schema=closed.schema,
    )
    both = pl.concat([closed, above])
    seen = pl.int_range(pl.len()).filter(pl.col("vehicles") > 0)
    total = pl.col("vehicles").sum()
    return check(
        both.filter(
            pl.int_range(pl.len()).is_between(seen.min(), seen.max())
        ).with_columns(share=pl.when(total > 0).then(pl.col("vehicles") / total)),
        DISTRIBUTION,
    )
