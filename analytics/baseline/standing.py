"""Compare an hour with its usual volume: more, less, or as usual."""

from math import log
from typing import Final, Literal

Standing = Literal["more", "usual", "less"]

#: Smaller volumes are raised to this before comparing: 3 for 1 is not unusual.
MIN_COMPARED_VOLUME: Final = 10
#: Minimum observed share of an hour that is scaled to a whole one.
MIN_OBSERVED: Final = 0.75


def whole_volume(volume: float, observed: float) -> float:
    """Return an hour's volume, scaled to the whole hour if enough of it is observed."""
    return volume / (observed if observed >= MIN_OBSERVED else 1)


def relative(volume: float, usual: float | None, observed: float) -> float | None:
    """Return a volume as a multiple of the usual one; None if either is unknown."""
    if usual is None or observed < MIN_OBSERVED:
        return None
    return max(whole_volume(volume, observed), MIN_COMPARED_VOLUME) / max(
        usual, MIN_COMPARED_VOLUME
    )


def unlikely(counted: float, expected: float) -> float:
    """Return -lg of the Poisson probability of a count n at an expected count u.

    (u - n + n·ln(n/u)) / ln 10, as in the detector drop-out.
    """
    expected = max(expected, 1.0)
    share = counted * log(counted / expected) if counted > 0 else 0.0
    return (expected - counted + share) / log(10)


#: Ratios to the usual volume below which there is less, and above which there is more.
LESS_RATIO: Final = 0.75
MORE_RATIO: Final = 1.25
#: Minimum -lg of the Poisson probability for a count that is not attributed to chance:
#: fewer than 2 in 100 usual hours reach it.
MIN_UNLIKELINESS: Final = 1.5


def standing(volume: float, usual: float | None, observed: float) -> Standing | None:
    """Compare an hour with its usual volume; None if it cannot be compared.

    More and less mean a deviation by over a quarter that is also unlikely to be chance:
    with 18 usual vehicles, 13 are as usual.
    """
    ratio = relative(volume, usual, observed)
    if ratio is None or usual is None:
        return None
    if (
        LESS_RATIO <= ratio <= MORE_RATIO
        or unlikely(volume, usual * observed) < MIN_UNLIKELINESS
    ):
        return "usual"
    return "more" if ratio > MORE_RATIO else "less"
