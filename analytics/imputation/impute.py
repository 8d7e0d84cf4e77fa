"""Impute hours of channels that should have been counted and were not.

Only hours with an attached sensor are imputed, for channels with at least a week of
known data, in gaps of up to four weeks; longer gaps stay missing. Imputed values are
never mixed with observed ones: they have a separate table and columns.
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

#: Share of volumes in the interval.
INTERVAL_SHARE: Final = 0.9
MAX_GAP_H: Final = 28 * 24
#: Minimum number of known hours of a channel.
MIN_KNOWN: Final = 168

_HOUR_S = 3600


def impute(
    volumes: pl.DataFrame,
    installed: pl.DataFrame,
    place: Place,
    *,
    since: datetime,
    until: datetime,
    share: float = INTERVAL_SHARE,
) -> pl.DataFrame:
    """Compute IMPUTED_HOURS of BIN_VOLUMES of one kind of traffic and one town.

    An hour observed to less than half is missing. The method depends on the length of
    the gap (`choice`). An hour for which the method has no estimate stays missing.
    """
    hours = grid.make(volumes, place, interval_s=_HOUR_S, start=since, end=until)
    wanted = _expected(hours, check(installed, INSTALLED)) & ~np.isfinite(hours.values)
    wanted &= (np.isfinite(hours.values).sum(axis=0) >= MIN_KNOWN)[None, :]
    length = _lengths(wanted)
    wanted &= length <= MAX_GAP_H
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
    """Fill gaps of one length class by the method with the least error there."""
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
    """Return rows of channels with an attached sensor, without its last hour."""
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
    """Return for each row the length of its run of missing rows."""
    before, after = edges(~missing)
    return after - before - 1
