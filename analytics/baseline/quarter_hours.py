"""Usual volume of a quarter-hour, from the usual hours around it.

So a quarter-hour can be judged seconds after it ended, without reading weeks of stored
quarter-hours.
"""

from typing import Final

import polars as pl

from analytics.frames import STORED_VOLUMES, USUAL, VOLUMES, check

QUARTER_S: Final = 900
#: Typical deviation of a quarter-hour from a smooth course, as a share of its usual
#: volume [K].
ROUGHNESS: Final = 0.12


def around(quarters: pl.DataFrame) -> pl.DataFrame:
    """Return the channel hours whose usual volumes are needed."""
    hours = quarters.select("channel_id", pl.col("time").dt.truncate("1h")).unique()
    return pl.concat(
        [hours.with_columns(pl.col("time") + pl.duration(hours=n)) for n in (-1, 0, 1)]
    ).unique()


def with_usual(quarters: pl.DataFrame, usual: pl.DataFrame) -> pl.DataFrame:
    """Add `usual` and `usual_spread` to the quarter-hours of VOLUMES.

    Within an hour the usual volume (vehicles) follows a straight line with the slope
    between the neighbouring hours; its quarters add up to the usual hour, and none is
    below zero. With a usual hour H and quarter u:
    spread = √(u + 1 + max(spread_H² - H, 0)/16 + (r·u)²), r = ROUGHNESS. Both are null
    if the hour has no usual volume.
    """
    frame = add_usual(check(quarters, VOLUMES), check(usual, USUAL))
    return check(frame, STORED_VOLUMES)


def add_usual(quarters: pl.DataFrame, of_hour: pl.DataFrame) -> pl.DataFrame:
    """Add `usual` and `usual_spread` to any rows with `channel_id` and `time`."""
    hour = pl.col("time").dt.truncate("1h")
    frame = quarters.with_columns(hour=hour)
    for name, hours in (("before", -1), ("here", 0), ("after", 1)):
        frame = frame.join(
            of_hour.select(
                "channel_id",
                (pl.col("time") - pl.duration(hours=hours)).alias("hour"),
                pl.col("usual").cast(pl.Float64).alias(name),
                pl.col("usual_spread").cast(pl.Float64).alias(f"spread_{name}"),
            ),
            on=["channel_id", "hour"],
            how="left",
        )
    here = pl.col("here")
    before, after = (pl.col(name).fill_null(here) for name in ("before", "after"))
    # keep the ends of the line above zero
    slope = ((after - before) / 2).clip(-2 * here, 2 * here)
    place = ((pl.col("time") - pl.col("hour")).dt.total_seconds() / QUARTER_S - 1.5) / 4
    part = (here + slope * place) / 4
    more = (pl.col("spread_here") ** 2 - here).clip(lower_bound=0) / 16
    spread = (part + 1 + more + (ROUGHNESS * part) ** 2).sqrt()
    return frame.select(
        *quarters.columns,
        part.cast(pl.Float32).alias("usual"),
        spread.cast(pl.Float32).alias("usual_spread"),
    )


def observed() -> pl.Expr:
    """Return the volume scaled to a whole quarter-hour; null if observed below 75 %."""
    enough = pl.col("observed_s") >= 0.75 * QUARTER_S
    scaled = pl.col("volume").cast(pl.Float64) * QUARTER_S / pl.col("observed_s")
    return pl.when(enough).then(scaled)
