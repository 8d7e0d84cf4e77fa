"""When a battery ends: a straight line through what the device said day by day.

The line has the median of the slopes between all pairs of days (Theil and Sen), which
a few wrong values do not change, since the battery was last changed or charged: a rise
by `CHANGED_PCT` or more. It holds where what the device tells falls evenly; a battery
that seems full for years and is empty within weeks (lithium thionyl chloride) is known
late.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import numpy as np

#: Days that are looked at.
DAYS: Final = 90
#: Least days from the first to the last value, and least fall in them, in %: a device
#: tells whole percents, or steps of several.
MIN_DAYS: Final = 7
MIN_FALL_PCT: Final = 2.0
#: A rise that is no noise: a new battery, or sun.
CHANGED_PCT: Final = 10.0
#: What ends later is not told.
MAX_DAYS: Final = 3650


def end(days: Sequence[date], levels: Sequence[float]) -> date | None:
    """Return the day on which a battery is empty, from how full it was day by day.

    None: it cannot be told, because the days are too few, or it does not fall.
    """
    number = np.array([day.toordinal() for day in days], dtype=float)
    level = np.array(levels, dtype=float)
    rises = np.flatnonzero(np.diff(level) >= CHANGED_PCT)
    if rises.size:
        number, level = number[rises[-1] + 1 :], level[rises[-1] + 1 :]
    if number[-1] - number[0] < MIN_DAYS:
        return None
    one, other = np.triu_indices(number.size, k=1)
    fall, passed = level[other] - level[one], number[other] - number[one]
    slope = float(np.median(fall / passed))
    # the line goes through the middle of what remains of it
    start = float(np.median(level - slope * number))
    if slope * (number[0] - number[-1]) < MIN_FALL_PCT:
        return None
    left = -start / slope - number[-1]
    if left > MAX_DAYS:
        return None
    return days[-1] + timedelta(days=max(0, round(left)))
