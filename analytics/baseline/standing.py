"""How an hour stands beside what is usual for it: more, less, or as usual."""

from math import log
from typing import Final, Literal

Standing = Literal["more", "usual", "less"]

#: More or less than usual, as share of it.
LESS_RATIO: Final = 0.75
MORE_RATIO: Final = 1.25
#: Less traffic than this is compared as if it were as much: 3 for 1 is not news.
MIN_COMPARED_VOLUME: Final = 10
#: The share of an hour that must be observed to be scaled.
MIN_OBSERVED: Final = 0.75
#: From this -lg of the Poisson probability on, a count is not taken for chance: of
#: hours that are as usual, fewer than 2 in 100 are so far away from it.
MIN_UNLIKELINESS: Final = 1.5


def whole_volume(volume: float, observed: float) -> float:
    """Return an hour's volume, scaled to the whole hour where that may be done."""
    return volume / (observed if observed >= MIN_OBSERVED else 1)


def relative(volume: float, usual: float | None, observed: float) -> float | None:
    """Return a volume relative to what is usual; None where that is unknown."""
    if usual is None or observed < MIN_OBSERVED:
        return None
    return max(whole_volume(volume, observed), MIN_COMPARED_VOLUME) / max(
        usual, MIN_COMPARED_VOLUME
    )


def unlikely(counted: float, expected: float) -> float:
    """Return -lg of the Poisson probability of a count so far from what is expected.

    (u - n + n·ln(n/u)) / ln 10, as the detector drop-out has it.
    """
    expected = max(expected, 1.0)
    share = counted * log(counted / expected) if counted > 0 else 0.0
    return (expected - counted + share) / log(10)


def standing(volume: float, usual: float | None, observed: float) -> Standing | None:
    """Compare an hour with its usual volume; None if it cannot be compared.

    More or less is what is beyond a quarter of the usual and beyond what chance does:
    where 18 are usual, 13 are as usual.
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
