"""Random numbers that depend only on seed, name and time.

Counter-based (Philox): any day of any channel can be drawn at any time, in any order
and by any process, and is the same each time. So history and live data agree, however
history is split.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
"""

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_BLOCK = 256


def generator(seed: int, name: str, index: int) -> np.random.Generator:
    """Create the generator of a named thing for a day or block, at its beginning."""
    counter = np.array([0, 0, index, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=_key(seed, name), counter=counter))


def smooth(seed: int, name: str, seconds: Floats, *, period_s: float) -> Floats:
    """Return a smooth process at times (s since 1970): standard normal at each of them.

    Normal values at knots `period_s` apart are blended so that the variance stays 1.
    """
    position = seconds / period_s
    knot = np.floor(position).astype(np.int64)
    first = int(knot.min())
    values = _knots(seed, name, first, int(knot.max()) + 2)
    share = position - knot
    share = share * share * (3 - 2 * share)
    before, after = values[knot - first], values[knot - first + 1]
    blend = (1 - share) * before + share * after
    return np.asarray(blend / np.sqrt((1 - share) ** 2 + share**2))


def _knots(seed: int, name: str, first: int, last: int) -> Floats:
    blocks = range(first // _BLOCK, (last - 1) // _BLOCK + 1)
    values = np.concatenate([_block(seed, name, block) for block in blocks])
    return values[first - blocks[0] * _BLOCK : last - blocks[0] * _BLOCK]


@lru_cache(maxsize=2048)
def _block(seed: int, name: str, block: int) -> Floats:
    return generator(seed, f"{name}/knots", block).standard_normal(_BLOCK)


@lru_cache(maxsize=2048)
def _key(seed: int, name: str) -> npt.NDArray[np.uint64]:
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype=np.uint64)
