"""Which method imputes gaps of a length: the one that misses least, measured.

Gaps are made in what is known, one in about twelve hours of each channel, filled by
every method and compared with what had been counted there. The measured misses also
give the interval of what is imputed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.forecast.grid import Flags, Floats, Grid, Ints
from analytics.forecast.ratio import Bands, bands
from analytics.imputation.methods import METHODS, town

#: Lengths in hours that gaps are made with; a gap is one of the first that is as long.
LENGTHS_H: Final = (1, 4, 24, 168)
#: Share of the hours that lie in made gaps.
HIDDEN: Final = 0.08
#: Fewer hidden hours measure nothing; then the method that did best in Münster is
#: taken (docs/reference/imputation.md).
FEWEST: Final = 200
DEFAULT: Final = "bridged"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was measured for gaps of a length."""

    length_h: int
    method: str
    #: WAPE = sum of |estimate - counted| / sum of counted, by method
    errors: Mapping[str, float]
    bands: Bands


def length_class(hours: Ints) -> Ints:
    """The length of made gaps that stands for gaps of so many hours each."""
    known: Ints = np.array(LENGTHS_H)
    at = np.searchsorted(known, hours).clip(max=known.size - 1)
    return np.take(known, at)


def choose(grid: Grid, length_h: int, *, share: float) -> Choice:
    """Measure all methods on made gaps; bands hold `share` of what was counted."""
    gaps = hide(grid, length_h)
    seen = town(grid.without(gaps))
    came = grid.values[gaps]
    filled = {name: method(seen)[gaps] for name, method in METHODS.items()}
    errors = {name: wape(estimate, came) for name, estimate in filled.items()}
    measured = {name: error for name, error in errors.items() if error == error}
    method = DEFAULT
    if came.size >= FEWEST and measured:
        method = min(measured, key=lambda name: measured[name])
    return Choice(length_h, method, errors, bands(filled[method], came, share=share))


def hide(grid: Grid, length_h: int, *, seed: int = 0) -> Flags:
    """Choose known hours to hide, in gaps of a length; the same ones for a seed."""
    length = length_h * grid.per_hour
    rows, channels = grid.values.shape
    number = int(rows * HIDDEN / length)
    hidden = np.zeros((rows, channels), dtype=bool)
    if rows <= length:
        return hidden
    for column, channel in enumerate(grid.channels):
        dice = np.random.default_rng([seed, length, channel])
        first = dice.integers(0, rows - length, max(number, 1))
        hidden[(first[:, None] + np.arange(length)).ravel(), column] = True
    return hidden & np.isfinite(grid.values)


def wape(estimate: Floats, came: Floats) -> float:
    """Weighted absolute percentage error; NaN where nothing can be compared."""
    known = np.isfinite(estimate) & np.isfinite(came)
    total = came[known].sum()
    if total <= 0:
        return float("nan")
    return float(np.abs(estimate - came)[known].sum() / total)
