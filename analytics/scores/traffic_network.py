"""Network ratio: the deviation of all other series at the same time.

For each series, the ratio exp(Σ w·d / (Σ w + w₀)) over the *other* series, where d is
the logarithm of count over usual, limited to 0.4 around the weighted median (so that no
fault dominates it), and w the precision of d: 1 / (spread² + 1 / usual). w₀ draws the
ratio of a small network, or of a night with few vehicles, towards 1; it is clipped to
e^±0.9.

Commotion: on a day on which many series deviate in different ways (a race, a storm, the
first day of school), the spread² of all grows with the squared median of their
surprises, so that only exceptional deviations are reported.

Unlisted holidays are detected: the day is judged as its weekday, as a Saturday and as a
Sunday. The kind of day under which the series agree best prevails as evidence
accumulates in the course of the day; this needs eight series at least.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from analytics.scores.traffic_usual import Usual

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """Usual volumes compared with counts; series by time."""

    #: expected volume: usual times the network ratio
    expected: Floats
    network: Floats
    #: disagreement of the series at each time; NaN with too few
    disagreement: Floats
    #: spread² of all series at each time against their usual one, at least 1
    commotion: Floats


#: Maximum of the logarithm of the ratio, and of that of a series beyond the median.
MAX_LOG_RATIO: Final = 0.9
MAX_FROM_MEDIAN: Final = 0.4
#: Precision w₀ that draws the ratio towards 1.
SHRINKAGE_PRECISION: Final = 30.0
#: Similar days required of a series to contribute to the network or to be judged.
MIN_DAYS: Final = 0.15


def ratio(counts: Floats, usual: Usual, spread: Floats, trust: Floats) -> Seen:
    """Compare counts (series by time, NaN unknown) with their usual volumes."""
    base = np.maximum(usual.volume, 0.2)
    used = np.isfinite(counts) & (usual.days > MIN_DAYS)
    off = np.log((np.nan_to_num(counts) + 0.5) / (base + 0.5))
    weight = np.where(used, trust[:, None] / (spread + 1 / (base + 0.5)), 0.0)
    number = used.sum(axis=0)
    median = np.where(number > 4, _weighted_median(off, weight), 0.0)
    part = weight * np.clip(off - median, -MAX_FROM_MEDIAN, MAX_FROM_MEDIAN)
    others = weight.sum(axis=0) - weight
    own = median + (part.sum(axis=0) - part) / (others + 1e-9)
    network = np.exp(
        np.clip(
            own * others / (others + SHRINKAGE_PRECISION), -MAX_LOG_RATIO, MAX_LOG_RATIO
        )
    )
    total = weight.sum(axis=0)
    surprise = np.abs(off - own) / np.sqrt(spread + 1 / (base + 0.5))
    apart = (weight * np.minimum(np.abs(off - median), 1)).sum(axis=0)
    return Seen(
        base * network,
        network,
        np.where(number >= MIN_SERIES, apart / np.maximum(total, 1e-9), np.nan),
        _commotion(np.where(used, surprise, np.inf), number),
    )


#: Median of |z| of a normal z, and the weight of the prior "no commotion" in series.
MEDIAN_OF_NORMAL: Final = 0.6745
COMMOTION_PRIOR_SERIES: Final = 40.0
#: Maximum of the median surprise, as a multiple of the usual one.
MAX_COMMOTION: Final = 4.0


def _commotion(surprise: Floats, number: npt.NDArray[np.int64]) -> Floats:
    """Return the commotion of each time from the surprises of its `number` series."""
    middle = _median(surprise, number) / MEDIAN_OF_NORMAL
    square = np.minimum(middle, MAX_COMMOTION) ** 2
    prior = COMMOTION_PRIOR_SERIES
    return np.maximum((square * number + prior) / (number + prior), 1.0)


def _median(values: Floats, number: npt.NDArray[np.int64]) -> Floats:
    """Return the upper median of the `number` smallest values per column, else 0."""
    row = np.minimum(number // 2, len(values) - 1)[None]
    middle = np.take_along_axis(np.sort(values, axis=0), row, axis=0)[0]
    return np.where(number > 0, middle, 0.0)


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """Return the weighted median of each column; 0 without weight."""
    order = np.argsort(values, axis=0)
    below = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0)
    place = (below < below[-1] / 2).sum(axis=0)
    row = np.take_along_axis(order, np.minimum(place, len(values) - 1)[None], axis=0)
    return np.asarray(np.take_along_axis(values, row, axis=0)[0])


#: Series required to detect the kind of a day.
MIN_SERIES: Final = 5
#: Maximum evidence of one time, and prior log-odds of an unlisted kind of day.
MAX_EVIDENCE: Final = 30.0
PRIOR_LOG_ODDS: Final = -4.0


def evidence(kinds: list[Seen]) -> Floats:
    """Return the evidence of each time for each kind of day; kind by time.

    Relative logarithms, to be added up over the day; zero without evidence.
    """
    apart = np.stack([kind.disagreement for kind in kinds])
    return np.asarray(np.where(np.isnan(apart).any(axis=0), 0.0, -MAX_EVIDENCE * apart))


def chances(evidence: Floats) -> Floats:
    """Turn accumulated evidence into probabilities; kind by time."""
    prior = np.full(len(evidence), PRIOR_LOG_ODDS)
    prior[0] = 0.0
    weight = evidence + prior[:, None]
    weight = np.exp(weight - weight.max(axis=0))
    return np.asarray(weight / weight.sum(axis=0))
