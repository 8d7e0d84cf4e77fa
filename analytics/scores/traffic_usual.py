"""Usual volumes of counted series: eight weeks of days, weighted by trust.

usual = Σ w·y / Σ w over the same clock time of the past 56 days, where y is the count
divided by the network ratio of that time and w is the product of

- recency: half after 21 days
- likeness: 1 for days of the same kind, less for other workdays, next to nothing else
- trust: the probability that the hour was without fault (`traffic_states`)

A day's kind is its weekday; a holiday's is Sunday. The sum of the weights is the number
of similar days: a young series has a usual value from two workdays on, with the
uncertainty that goes with it.

spread² (variance beyond counting noise, relative to usual²) is the trusted mean of ((y
- usual)² - usual) / usual² at this and the two neighbouring clock times, drawn towards
the series' own mean of it, and that towards 0.15².
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Days that are remembered, and the half-life of their weight in days.
MEMORY_DAYS: Final = 56
HALF_LIFE_D: Final = 21.0
#: Number of the weekday, from Monday = 0.
SUNDAY: Final = 6
#: Days of trouble after which a changed level becomes the new usual.
ACCEPT_AFTER_D: Final = 14
#: Weight of hours in trouble: not zero, so that a lasting change is learned in the end.
MIN_TRUST: Final = 0.02
#: Prior relative spread, and its weight in usual counts.
PRIOR_SPREAD: Final = 0.15
PRIOR_SPREAD_COUNTS: Final = 6.0
MIN_SPREAD: Final = 0.03
#: Maximum of a squared surprise, as a multiple of its expectation.
MAX_SQUARE: Final = 16.0


def _likeness() -> Floats:
    like = np.full((7, 7), 0.002)
    like[:5, :5] = 0.12
    like[0, 1:3] = like[1:3, 0] = 0.2
    like[1:4, 1:4] = 0.35
    like[5, 6] = like[6, 5] = 0.01
    np.fill_diagonal(like, 1.0)
    return like


_LIKENESS: Final = _likeness()


@dataclass(frozen=True, slots=True)
class Usual:
    """Usual volumes of a day, series by clock time."""

    volume: Floats
    #: number of similar days in it
    days: Floats


class Memory:
    """The past days of a changing set of series; a ring by day."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        shape = (MEMORY_DAYS, 0, slots)
        self._trust = np.zeros(shape, np.float32)
        #: trust times count divided by the network ratio
        self._volume = np.zeros(shape, np.float32)
        #: weights of squares, and weight times square
        self._weight = np.zeros(shape, np.float32)
        self._excess = np.zeros(shape, np.float32)
        self._kind = np.zeros(MEMORY_DAYS, np.int64)
        self._day = np.full(MEMORY_DAYS, -(10**9), np.int64)

    def grow(self, series: int) -> None:
        """Add series without a past."""
        more = ((0, 0), (0, series - self._trust.shape[1]), (0, 0))
        self._trust = np.pad(self._trust, more)
        self._volume = np.pad(self._volume, more)
        self._weight = np.pad(self._weight, more)
        self._excess = np.pad(self._excess, more)

    def usual(self, day: int, kinds: list[int]) -> list[Usual]:
        """Return the usual volumes of a day of a kind, from days before it."""
        weight = self._recency(day) * _LIKENESS[kinds][:, self._kind]
        trust = self._sums(weight, self._trust)
        total = self._sums(weight, self._volume)
        volume = np.divide(total, trust, out=np.zeros_like(total), where=trust > 1e-6)
        return [Usual(*one) for one in zip(volume, trust, strict=True)]

    def spread(self, day: int, usual: Floats) -> Floats:
        """Return spread², series by clock time."""
        recency = self._recency(day)[None]
        excess = self._sums(recency, self._excess)[0]
        weight = self._sums(recency, self._weight)[0]
        prior = PRIOR_SPREAD_COUNTS * 50
        own = (excess.sum(1) + PRIOR_SPREAD**2 * prior) / (weight.sum(1) + prior)
        draw = PRIOR_SPREAD_COUNTS * np.maximum(usual, 0.5)
        near = (_near(excess) + own[:, None] * draw) / (_near(weight) + draw)
        return np.asarray(np.maximum(near, MIN_SPREAD**2))

    def begin(self, day: int) -> None:
        """Drop the oldest day and add a new one."""
        place = day % MEMORY_DAYS
        if self._day[place] != day:
            self._day[place] = day
            for array in (self._trust, self._volume, self._weight, self._excess):
                array[place] = 0

    def keep(
        self,
        day: int,
        slot: int,
        *,
        volume: Floats,
        trust: Floats,
        usual: Floats,
        network: Floats,
        spread: Floats,
    ) -> None:
        """Store counts (NaN: unknown), their trust and their deviation."""
        place = day % MEMORY_DAYS
        trust = np.where(np.isfinite(volume), np.maximum(trust, MIN_TRUST), 0.0)
        volume = np.nan_to_num(volume)
        square = ((volume - usual) ** 2 - usual) / usual**2
        square = np.minimum(square, MAX_SQUARE * (spread + 1 / usual))
        weight = trust * np.minimum(usual, 200)
        self._trust[place, :, slot] = trust
        self._volume[place, :, slot] = trust * volume / network
        self._weight[place, :, slot] = weight
        self._excess[place, :, slot] = weight * square

    def end(self, day: int, kind: int) -> None:
        """Store the kind of a day."""
        self._kind[day % MEMORY_DAYS] = kind

    def accept(self, series: npt.NDArray[np.bool_], day: int) -> None:
        """Make the recent level of series the usual one, as of a day.

        Recent days get full trust, and earlier days hardly any.
        """
        recent = day - self._day <= ACCEPT_AFTER_D
        for days, least, most in ((recent, 1.0, 1.0), (~recent, 0.0, MIN_TRUST)):
            here = np.ix_(days, series)
            old = self._trust[here]
            new = np.where(old > 0, np.clip(old, least, most), 0)
            self._trust[here] = new
            self._volume[here] *= np.divide(new, old, out=new.copy(), where=old > 0)

    def _recency(self, day: int) -> Floats:
        age = np.minimum(day - self._day, 10 * MEMORY_DAYS)
        return np.where(
            (age > 0) & (age <= MEMORY_DAYS), 0.5 ** (age / HALF_LIFE_D), 0.0
        )

    def _sums(self, weights: Floats, ring: npt.NDArray[np.float32]) -> Floats:
        """Add up days; weights are a row each."""
        sums = np.einsum("kd,dns->kns", weights.astype(np.float32), ring)
        return np.asarray(sums, np.float64)


def _near(values: Floats) -> Floats:
    return np.roll(values, 1, axis=1) + values + np.roll(values, -1, axis=1)
