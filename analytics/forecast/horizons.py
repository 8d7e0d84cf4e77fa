"""Forecasts of channels: the coming hour by quarter-hours, the coming day by hours.

Each forecast has an interval that contains nine of ten volumes; its width is measured
on the weeks before. A channel without a profile (too few similar days) has no forecast.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from analytics.forecast import grid, model
from analytics.forecast.grid import Place
from analytics.frames import FORECASTS, TIME, check, empty

METHOD: Final = "ratio-1"
#: Share of volumes in the interval.
INTERVAL_SHARE: Final = 0.9
#: Intervals ahead, by length of the interval.
STEPS: Final = {900: range(1, 5), 3600: range(1, 25)}


def origin(now: datetime, interval_s: int) -> datetime:
    """Return the end of the newest whole interval at `now`."""
    return datetime.fromtimestamp(now.timestamp() // interval_s * interval_s, UTC)


def forecast(
    volumes: pl.DataFrame,
    place: Place,
    *,
    interval_s: int,
    now: datetime,
    weeks: int,
    share: float = INTERVAL_SHARE,
) -> pl.DataFrame:
    """Compute FORECASTS from BIN_VOLUMES of one kind of traffic in one town.

    Known volumes are those within `weeks` before the newest whole interval. `lead_s` is
    from there to the end of the interval that is forecast; volumes are per interval. An
    interval without readings, or observed to less than half, is unknown, not zero.
    """
    made_at = origin(now, interval_s)
    steps = STEPS[interval_s]
    length = timedelta(seconds=interval_s)
    known = model.past(
        grid.make(
            volumes.filter(pl.col("time") + length <= made_at),
            place,
            interval_s=interval_s,
            start=made_at - timedelta(weeks=weeks),
            end=made_at + len(steps) * length,
        )
    )
    first = known.grid.row(made_at)
    if not (np.isfinite(known.ratios) & (known.profile > 0))[max(steps) :].any():
        return empty(FORECASTS)
    found = [
        _rows(
            known,
            model.fit(known, ahead, until=first, share=share),
            first + ahead - 1,
        )
        for ahead in steps
    ]
    return check(
        pl.concat(found)
        .with_columns(
            interval_s=pl.lit(interval_s, pl.Int32),
            made_at=pl.lit(made_at, TIME),
            method=pl.lit(METHOD),
        )
        .with_columns(
            lead_s=(pl.col("time") + length - pl.col("made_at"))
            .dt.total_seconds()
            .cast(pl.Int32)
        )
        .drop_nans("volume")
        .sort("channel_id", "time"),
        FORECASTS,
    )


def _rows(known: model.Past, weights: model.Weights, row: int) -> pl.DataFrame:
    """Return the forecasts of all channels for one row."""
    estimate = model.predict(known, weights, slice(row, row + 1))[0]
    low, high = weights.bands.around(estimate)
    channels = known.grid.channels
    when = known.grid.times(np.full(len(channels), row))
    return pl.DataFrame(
        {
            "channel_id": pl.Series(channels, dtype=pl.Int32),
            "time": when,
            "volume": pl.Series(estimate, dtype=pl.Float32),
            "low": pl.Series(low, dtype=pl.Float32),
            "high": pl.Series(high, dtype=pl.Float32),
        }
    )
