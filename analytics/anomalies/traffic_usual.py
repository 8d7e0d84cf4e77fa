"""What is usual for counted series: eight weeks of days, and how much each is trusted.

usual = Σ w·y / Σ w over the same clock time of the past 56 days, where y is the count
without what the network did at that time and w is the product of

- recency: half after 28 days
- likeness: 1 for days of the same kind, less for other workdays, next to nothing else
- trust: the probability that the hour was without fault (`traffic_states`)

A day's kind is its weekday; a holiday's is Sunday. The sum of the weights says how many
like days are behind it: a young series has a usual value from two workdays on, with the
uncertainty that goes with it.

spread² (variance beyond counting noise, relative to usual²) is the trusted mean of
((y - usual)² - usual) / usual² at this and the two neighbouring clock times, drawn
towards the series' own mean of it, and that towards 0.15².
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DAYS: Final = 56
HALF_LIFE_D: Final = 28.0
SUNDAY: Final = 6
#: Days of trouble after which a changed level is taken for the new usual.
ACCEPTED_D: Final = 14
#: Weight of hours in trouble: not zero, so that what lasts is learned in the end.
LEAST_TRUST: Final = 0.02
#: Relative spread before any is known, and how much evidence (in usual counts) it is.
SPREAD: Final = 0.15
SPREAD_COUNTS: Final = 6.0
LEAST_SPREAD: Final = 0.03
#: A surprise counts for the spread up to this many times its expected square.
LARGEST_SQUARE: Final = 9.0


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
    """What is usual on a day, series by clock time."""

    volume: Floats
    #: number of like days behind it
    days: Floats


class Memory:
    """The past days of a changing set of series; a ring by day."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        shape = (DAYS, 0, slots)
        self._volume = np.zeros(shape, np.float32)
        self._trust = np.zeros(shape, np.float32)
        #: excess squares and their weights, ready to add up
        self._excess = np.zeros(shape, np.float32)
        self._weight = np.zeros(shape, np.float32)
        self._kind = np.zeros(DAYS, np.int64)
        self._day = np.full(DAYS, -(10**9), np.int64)

    def grow(self, series: int) -> None:
        """Make room for series that have no past."""
        for name in ("_volume", "_trust", "_excess", "_weight"):
            old = getattr(self, name)
            new = np.zeros((DAYS, series, self.slots), np.float32)
            new[:, : old.shape[1]] = old
            setattr(self, name, new)

    def usual(self, day: int, kind: int) -> Usual:
        """Give what is usual on a day of a kind, seen from before it."""
        weight = self._recency(day) * _LIKENESS[kind, self._kind]
        trust = np.einsum("d,dns->ns", weight, self._trust)
        total = np.einsum("d,dns,dns->ns", weight, self._trust, self._volume)
        volume = np.divide(total, trust, out=np.zeros_like(total), where=trust > 1e-6)
        return Usual(volume.astype(np.float64), trust.astype(np.float64))

    def spread(self, day: int, usual: Floats) -> Floats:
        """Give spread², series by clock time."""
        recency = self._recency(day)
        excess = np.einsum("d,dns->ns", recency, self._excess).astype(np.float64)
        weight = np.einsum("d,dns->ns", recency, self._weight).astype(np.float64)
        prior = SPREAD_COUNTS * 50
        own = (excess.sum(1) + SPREAD**2 * prior) / (weight.sum(1) + prior)
        draw = SPREAD_COUNTS * np.maximum(usual, 0.5)
        near = (_near(excess) + own[:, None] * draw) / (_near(weight) + draw)
        return np.asarray(np.maximum(near, LEAST_SPREAD**2))

    def begin(self, day: int) -> None:
        """Forget what is too old and make room for a day."""
        place = day % DAYS
        if self._day[place] != day:
            self._day[place] = day
            for array in (self._volume, self._trust, self._excess, self._weight):
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
        """Remember counts (NaN: unknown), how far they are trusted and how they fit."""
        place = day % DAYS
        known = np.isfinite(volume)
        square = ((volume - usual) ** 2 - usual) / usual**2
        square = np.minimum(square, LARGEST_SQUARE * (spread + 1 / usual))
        trust = np.where(known, np.maximum(trust, LEAST_TRUST), 0.0)
        weight = trust * np.minimum(usual, 200)
        self._volume[place, :, slot] = np.where(known, volume / network, 0.0)
        self._trust[place, :, slot] = trust
        self._excess[place, :, slot] = np.where(known, square * weight, 0.0)
        self._weight[place, :, slot] = weight

    def end(self, day: int, kind: int) -> None:
        """Say of what kind a day was."""
        self._kind[day % DAYS] = kind

    def accept(self, series: npt.NDArray[np.bool_], day: int) -> None:
        """Take the recent days of series for usual, those before for out of date."""
        recent = (day - self._day) <= ACCEPTED_D
        trust = self._trust
        trust[np.ix_(recent, series)] = (self._volume[np.ix_(recent, series)] > 0) * 1.0
        trust[np.ix_(~recent, series)] *= LEAST_TRUST

    def _recency(self, day: int) -> npt.NDArray[np.float32]:
        age = day - self._day
        fading = 0.5 ** (np.minimum(age, 10 * DAYS) / HALF_LIFE_D)
        return np.where((age > 0) & (age <= DAYS), fading, 0.0).astype(np.float32)


def _near(values: Floats) -> Floats:
    return np.roll(values, 1, axis=1) + values + np.roll(values, -1, axis=1)
