"""Levels: a fault is attributed to the highest level at which all channels have it."""

from typing import Final

import polars as pl

#: From the highest to the lowest, with the columns of PERIODS that identify their
#: members.
BROKER: Final = ("broker", ())
MUNICIPALITY: Final = ("municipality", ("municipality_id",))
SITE: Final = ("site", ("site_id",))
#: Feed, site, device, channel, as PeMS does.
OF_DEVICES: Final = (BROKER, MUNICIPALITY, SITE, ("sensor", ("site_id", "sensor_id")))
#: Site, site and mode, site, mode and direction, as Toronto does.
OF_COUNTS: Final = (
    SITE,
    ("quantity", ("site_id", "quantity")),
    ("direction", ("site_id", "quantity", "direction")),
)
Levels = tuple[tuple[str, tuple[str, ...]], ...]

#: A level above the site is meaningful only with several members below.
_REQUIRES_SEVERAL: Final = {"municipality": "site_id", "broker": "municipality_id"}
_KEY: Final = ("channel_id", "began")


def attribute(
    failed: pl.DataFrame, siblings: pl.DataFrame, levels: Levels
) -> pl.DataFrame:
    """Add `level` to FAILURES: the highest at which all siblings (PERIODS) fail.

    `channel` if there is none. Siblings have the same day or hour. A municipality is
    named only if it has several sites, the broker only if there are several
    municipalities.
    """
    rows = siblings.with_columns(
        fails=pl.struct(_KEY).is_in(
            failed.select(pl.struct(_KEY)).to_series().implode()
        )
    )
    level = pl.lit("channel")
    for name, columns in reversed(levels):
        group = [*columns, "day", "began"]
        whole = pl.col("fails").all().over(group)
        if name in _REQUIRES_SEVERAL:
            whole &= pl.col(_REQUIRES_SEVERAL[name]).n_unique().over(group) > 1
        level = pl.when(whole).then(pl.lit(name)).otherwise(level)
    return failed.join(rows.select(*_KEY, level.alias("level")), on=_KEY)
