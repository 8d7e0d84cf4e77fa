"""Network ratio: how the other sites of a town differ from what is usual for them.

Weather, a holiday nobody entered, a strike move all sites at once; a fault, a closed
road or a market moves one. So what a channel is expected to count in an hour is what is
usual for it, times the network ratio of that hour.
"""

from math import log
from typing import Final

import polars as pl

from analytics.baseline import whole_hour_volume
from analytics.frames import USUAL_HOURS, check

#: Other sites below which there is no ratio, and how many draw it towards one [I].
FEWEST_SITES: Final = 4
DRAWN: Final = 4
#: What all sites do is taken off up to this change. Beyond it the town itself is
#: unusual, and its sites are told as one case.
MOST: Final = 0.3

_TOWN: Final = ("quantity", "time")


def with_expected(hours: pl.DataFrame) -> pl.DataFrame:
    """Add `observed` and `expected`, of whole hours, to the USUAL_HOURS of a town.

    expected = usual · exp(r), with the median x of the n other sites of the town that
    count the same in that hour, drawn towards zero where they are few:
    r = x · n / (n + DRAWN), within ± ln(1 + MOST), and 0 with fewer than FEWEST_SITES.
    x = ln((observed + 1) / (usual + 1)) is that of a site's channels together: they
    have one road, and one fault. Hours observed below 75 % or without a usual volume
    are left out.
    """
    known = (
        check(hours, USUAL_HOURS)
        .with_columns(whole_hour_volume().alias("observed"))
        .drop_nulls(["observed", "usual"])
    )
    ratio = pl.col("others").fill_null(0.0).clip(-log(1 + MOST), log(1 + MOST))
    return known.join(
        _of_others(known), on=["site_id", *_TOWN], how="left"
    ).with_columns(expected=pl.col("usual").cast(pl.Float64) * ratio.exp())


def _of_others(known: pl.DataFrame) -> pl.DataFrame:
    """Drawn median of the other sites (`others`) by site and hour, where they do."""
    others = pl.len().over(_TOWN).cast(pl.Int64) - 1
    sites = (
        known.group_by("site_id", *_TOWN)
        .agg(pl.col("observed", "usual").sum())
        .with_columns(x=((pl.col("observed") + 1) / (pl.col("usual") + 1)).log())
        .filter(others >= FEWEST_SITES)
        .sort(*_TOWN, "x", "site_id")
        .with_row_index("row")
    )
    first = pl.col("row").min().over(_TOWN)

    def ranked(rank: pl.Expr) -> pl.Expr:
        """The x of a rank among the sorted sites of the hour but for one's own."""
        at = first + rank
        return pl.col("x").gather(at + (at >= pl.col("row")))

    median = (ranked((others - 1) // 2) + ranked(others // 2)) / 2
    return sites.select("site_id", *_TOWN, others=median * others / (others + DRAWN))
