"""What the network does: by how much all other series are off at the same time.

For each series, the ratio exp(Σ w·d / (Σ w + w₀)) over the *other* series, where d is
the logarithm of count over usual, taken no further than 0.4 from the weighted median
(so that no fault carries it), and w the precision of d: 1 / (spread² + 1 / usual). w₀
draws the ratio of a small network, or of a night with few vehicles, towards 1; it is
clipped to e^±0.9.

Commotion: on a day on which many series are off at once, each its own way (a race, a
storm, the first day of school), the spread² of all grows with the squared median of
their surprises, so that only what stands out even then is told.

Holidays are seen, not only known: the day is judged as the weekday it is, and as a
Saturday and a Sunday. The kind of day under which the series agree better takes over as
evidence adds up in the course of the day; this needs eight series at least.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from analytics.scores.traffic_usual import Usual

Floats = npt.NDArray[np.float64]

CLIP: Final = 0.9
FURTHEST: Final = 0.4
DRAW: Final = 30.0
#: Like days a series must have to speak for the network or to be judged.
FEWEST_DAYS: Final = 0.15
#: Series that can tell the kind of a day, and logarithm of its odds beforehand.
FEWEST_SERIES: Final = 5
UNLIKELY: Final = -4.0
EVIDENCE: Final = 30.0
#: Median of |z| of a normal z, and how many calm series a commotion must outweigh.
MEDIAN_OF_NORMAL: Final = 0.6745
CALM: Final = 40.0
#: The median surprise counts up to this many times the usual one.
UPROAR: Final = 4.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A usual volume held against counts; series by time."""

    #: what is expected: usual times what the other series do
    expected: Floats
    network: Floats
    #: by how much the series disagree at each time; NaN with too few
    disagreement: Floats
    #: spread² of all series at each time against their usual one, at least 1
    commotion: Floats


def ratio(counts: Floats, usual: Usual, spread: Floats, trust: Floats) -> Seen:
    """Hold counts (series by time, NaN unknown) against what is usual for them."""
    base = np.maximum(usual.volume, 0.2)
    speaks = np.isfinite(counts) & (usual.days > FEWEST_DAYS)
    off = np.log((np.nan_to_num(counts) + 0.5) / (base + 0.5))
    weight = np.where(speaks, trust[:, None] / (spread + 1 / (base + 0.5)), 0.0)
    number = speaks.sum(axis=0)
    median = np.where(number > 4, _weighted_median(off, weight), 0.0)
    part = weight * np.clip(off - median, -FURTHEST, FURTHEST)
    others = weight.sum(axis=0) - weight
    own = median + (part.sum(axis=0) - part) / (others + 1e-9)
    network = np.exp(np.clip(own * others / (others + DRAW), -CLIP, CLIP))
    total = weight.sum(axis=0)
    surprise = np.abs(off - own) / np.sqrt(spread + 1 / (base + 0.5))
    middle = _median(np.where(speaks, surprise, np.inf), number) / MEDIAN_OF_NORMAL
    square = np.minimum(middle, UPROAR) ** 2
    commotion = (square * number + CALM) / (number + CALM)
    apart = (weight * np.minimum(np.abs(off - median), 1)).sum(axis=0)
    return Seen(
        base * network,
        network,
        np.where(number >= FEWEST_SERIES, apart / np.maximum(total, 1e-9), np.nan),
        np.maximum(commotion, 1.0),
    )


def _median(values: Floats, number: npt.NDArray[np.int64]) -> Floats:
    """Upper median of the `number` smallest values of each column; 0 of none."""
    row = np.minimum(number // 2, len(values) - 1)[None]
    middle = np.take_along_axis(np.sort(values, axis=0), row, axis=0)[0]
    return np.where(number > 0, middle, 0.0)


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """Median of each column; 0 where nothing has weight."""
    order = np.argsort(values, axis=0)
    below = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0)
    place = (below < below[-1] / 2).sum(axis=0)
    row = np.take_along_axis(order, np.minimum(place, len(values) - 1)[None], axis=0)
    return np.asarray(np.take_along_axis(values, row, axis=0)[0])


def evidence(kinds: list[Seen]) -> Floats:
    """Give how much each time speaks for each kind of day; kind by time, zero if none.

    Logarithms, relative to each other; to be added up over the day.
    """
    apart = np.stack([kind.disagreement for kind in kinds])
    return np.asarray(np.where(np.isnan(apart).any(axis=0), 0.0, -EVIDENCE * apart))


def chances(evidence: Floats) -> Floats:
    """Turn evidence that has added up into probabilities; kind by time."""
    prior = np.full(len(evidence), UNLIKELY)
    prior[0] = 0.0
    weight = evidence + prior[:, None]
    weight = np.exp(weight - weight.max(axis=0))
    return np.asarray(weight / weight.sum(axis=0))
