"""Impute hours of channels that should have been counted and were not.

Only hours at which a sensor was attached are imputed, in channels that are known for a
week at least, and in gaps up to four weeks; longer ones stay missing. What is imputed
is never observed: it has a table and columns of its own.
"""

from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from analytics.forecast import grid
from analytics.forecast.grid import Flags, Grid, Ints, Place
from analytics.frames import IMPUTED_HOURS, INSTALLED, check, empty
from analytics.imputation.choice import choose, length_class
from analytics.imputation.methods import METHODS, Town, edges, town

#: Share of volumes that the interval is to hold.
SHARE: Final = 0.9
LONGEST_H: Final = 28 * 24
#: Fewer known hours tell too little of a channel.
FEWEST_KNOWN: Final = 168

_HOUR_S = 3600


def impute(
    volumes: pl.DataFrame,
    installed: pl.DataFrame,
    place: Place,
    *,
    since: datetime,
    until: datetime,
    share: float = SHARE,
) -> pl.DataFrame:
    """Compute IMPUTED_HOURS of BIN_VOLUMES of one kind of traffic and one town.

    An hour observed to less than half is missing. The method is chosen by the length
    of the gap (`choice`). An hour of which the method knows nothing
    there stays missing.
    """
    hours = grid.make(volumes, place, interval_s=_HOUR_S, start=since, end=until)
    wanted = _expected(hours, check(installed, INSTALLED)) & ~np.isfinite(hours.values)
    wanted &= (np.isfinite(hours.values).sum(axis=0) >= FEWEST_KNOWN)[None, :]
    length = _lengths(wanted)
    wanted &= length <= LONGEST_H
    if not wanted.any():
        return empty(IMPUTED_HOURS)
    seen = town(hours)
    of_length = length_class(length)
    found = [
        _filled(hours, seen, wanted & (of_length == length_h), length, share)
        for length_h in np.unique(of_length[wanted]).tolist()
    ]
    return check(pl.concat(found).sort("channel_id", "time"), IMPUTED_HOURS)


def _filled(
    hours: Grid, seen: Town, gaps: Flags, length: Ints, share: float
) -> pl.DataFrame:
    """Fill gaps of one class of lengths by the method that misses least there."""
    length_h = int(length_class(length[gaps]).max())
    chosen = choose(hours, length_h, share=share)
    estimate = METHODS[chosen.method](seen)[gaps]
    low, high = chosen.bands.around(estimate)
    rows, columns = np.nonzero(gaps)
    return pl.DataFrame(
        {
            "channel_id": pl.Series(np.array(hours.channels)[columns], dtype=pl.Int32),
            "time": hours.times(rows),
            "interval_s": pl.repeat(_HOUR_S, rows.size, dtype=pl.Int32, eager=True),
            "volume": pl.Series(estimate, dtype=pl.Float32),
            "low": pl.Series(low, dtype=pl.Float32),
            "high": pl.Series(high, dtype=pl.Float32),
            "method": pl.repeat(chosen.method, rows.size, eager=True),
            "gap_h": pl.Series(length[gaps], dtype=pl.Int32),
        }
    ).drop_nans("volume")


def _expected(hours: Grid, installed: pl.DataFrame) -> Flags:
    """Rows of channels at which a sensor was attached; its last hour not."""
    found = np.zeros(hours.values.shape, dtype=bool)
    columns = {channel: number for number, channel in enumerate(hours.channels)}
    for channel, since, until in installed.select(
        "channel_id", "since", "until"
    ).iter_rows():
        if channel in columns:
            first, end = (max(hours.row(moment), 0) for moment in (since, until))
            found[first:end, columns[channel]] = True
    return found


def _lengths(missing: Flags) -> Ints:
    """Length in rows of the run of missing rows that each row is in."""
    before, after = edges(~missing)
    return after - before - 1
