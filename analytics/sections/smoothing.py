"""The speed field of a corridor in space and time, by adaptive smoothing.

Source: Treiber and Helbing 2002, arXiv cond-mat/0210050. In free traffic information
travels with the vehicles, in congested traffic against them. The method holds where
stations are at most 3 km apart, and not across junctions with signals.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.frames import TIME, Schema, check
from analytics.sections.stations import STATION_INTERVALS

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Parameters of the method; defaults as in the paper."""

    #: widths of the kernel; None: half the mean distance of stations, and of intervals
    sigma_m: float | None = None
    tau_s: float | None = None
    #: speeds at which changes travel in free and in congested traffic
    free_kmh: float = 80.0
    congested_kmh: float = -15.0
    #: speed at which traffic turns from free to congested, and the width of the
    #: transition
    critical_kmh: float = 60.0
    width_kmh: float = 20.0


#: The field on a grid; null if the data is too far away.
FIELD: Final[Schema] = {
    "time": TIME,
    "chainage_m": pl.Float64(),
    "speed_kmh": pl.Float64(),
}
#: Data further away than this many widths is ignored.
_MAX_WIDTHS: Final = 8.0


def speed_field(
    intervals: pl.DataFrame,
    *,
    interval_s: int,
    step_m: float,
    parameters: Parameters = Parameters(),
) -> pl.DataFrame:
    """Smooth the speeds of STATION_INTERVALS to a FIELD on a grid.

    Weights φ = exp(-|Δx|/σ - |Δt|/τ), with Δt shifted by Δx / c along the direction in
    which changes travel: V_free with c_free, V_cong with c_cong. V* is the lesser of
    both, w = ½·(1 + tanh((V_c - V*) / ΔV)) and V = w·V_cong + (1 - w)·V_free. Times are
    the middles of intervals; the grid has their steps, and `step_m` in space.
    """
    known = check(intervals, STATION_INTERVALS).drop_nulls("speed_kmh")
    if known.is_empty():
        return pl.DataFrame(schema=dict(FIELD))
    first = known.select(pl.col("time").min()).item()
    t = (known["time"] - first).dt.total_seconds().to_numpy().astype(float)
    x, v = known["chainage_m"].to_numpy(), known["speed_kmh"].to_numpy()
    places = np.unique(x)
    gaps = np.diff(places)
    sigma = parameters.sigma_m or (gaps.mean() / 2 if gaps.size else step_m)
    tau = parameters.tau_s or interval_s / 2
    grid_t = np.arange(0, t.max() + interval_s, interval_s)
    grid_x = np.arange(places[0], places[-1] + step_m / 2, step_m)
    field = np.column_stack(
        [_column(x, t, v, at, grid_t, sigma, tau, parameters) for at in grid_x]
    )
    return check(
        pl.DataFrame(
            {
                "second": np.repeat(grid_t, grid_x.size),
                "chainage_m": np.tile(grid_x, grid_t.size),
                "speed_kmh": field.ravel(),
            }
        ).with_columns(
            (pl.lit(first, TIME) + pl.duration(seconds="second")).alias("time"),
            pl.col("speed_kmh").fill_nan(None),
        ),
        FIELD,
    )


def _column(
    x: Floats,
    t: Floats,
    v: Floats,
    at: float,
    grid_t: Floats,
    sigma: float,
    tau: float,
    parameters: Parameters,
) -> Floats:
    """Return speeds over time at one place."""

    def along(c_kmh: float) -> Floats:
        shift = (x - at) / (c_kmh / 3.6)
        exponent = np.abs(x - at)[:, None] / sigma
        exponent = exponent + np.abs((t - shift)[:, None] - grid_t[None, :]) / tau
        weight = np.where(exponent < _MAX_WIDTHS, np.exp(-exponent), 0)
        with np.errstate(invalid="ignore"):
            mean: Floats = (weight * v[:, None]).sum(axis=0) / weight.sum(axis=0)
        return mean

    free, congested = along(parameters.free_kmh), along(parameters.congested_kmh)
    lesser = np.fmin(free, congested)
    share = 0.5 * (
        1 + np.tanh((parameters.critical_kmh - lesser) / parameters.width_kmh)
    )
    both: Floats = share * congested + (1 - share) * free
    # if only one of them is known, that one
    return np.where(np.isnan(both), np.fmin(free, congested), both)
