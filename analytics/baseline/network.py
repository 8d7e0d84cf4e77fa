"""Network ratio: deviation of the other sites of a town from their usual volumes.

Weather, an unlisted holiday or a strike affect all sites at once; a fault, a closed
road or a market affects one. So the expected count of a channel in an hour or on a day
is its usual volume times the network ratio.
"""

from datetime import timedelta
from math import log
from typing import Final

import polars as pl

from analytics import audiences

#: Other sites required for a ratio, and the weight in sites that draws it to one [I].
MIN_SITES: Final = 4
SHRINKAGE_SITES: Final = 4
#: Maximum common change that is attributed to the town. Beyond it the town itself is
#: unusual, and its sites form one case.
MAX_CHANGE: Final = 0.3


def with_expected(
    rows: pl.DataFrame, *, when: str, step: timedelta | None = None
) -> pl.DataFrame:
    """Add `expected` (vehicles) to hours or days of the channels of a town.

    Rows have `site_id`, `audience`, `quantity`, `observed` and `usual` (vehicles), and
    the column `when` with their time.

    expected = usual · exp(r), with r = x · n / (n + SHRINKAGE_SITES), within
    ± ln(1 + MAX_CHANGE). x is the median over the n other sites of the town with the
    same quantity and time; few sites draw r towards zero. The value of a site is
    ln((observed + 1) / (usual + 1)) of the sums over its channels, because they share
    a road and its faults.

    With fewer than MIN_SITES other sites, for example because they have not reported
    yet, r is that of one `step` earlier; without a step, or a ratio then, it is 0.

    Other sites are those that all see who see the site (`audience`).
    """
    return audiences.apart(rows, lambda seen: _with_expected(seen, when, step))


def _with_expected(
    rows: pl.DataFrame, when: str, step: timedelta | None
) -> pl.DataFrame:
    """Add `expected` to rows of sites that all see who see one of them."""
    key = ["site_id", "quantity", when]
    others = _of_others(rows, when)
    found = rows.join(others, on=key, how="left")
    if step is not None:
        before = others.select(
            "site_id", "quantity", pl.col(when) + step, before="others"
        )
        found = found.join(before, on=key, how="left").with_columns(
            others=pl.coalesce("others", "before")
        )
    ratio = (
        pl.col("others").fill_null(0.0).clip(-log(1 + MAX_CHANGE), log(1 + MAX_CHANGE))
    )
    expected = pl.col("usual").cast(pl.Float64) * ratio.exp()
    return found.select(*rows.columns, expected=expected)


def _of_others(rows: pl.DataFrame, when: str) -> pl.DataFrame:
    """Return r without its limits (`others`) by site and time; see `with_expected`."""
    town = ("quantity", when)
    others = pl.len().over(town).cast(pl.Int64) - 1
    sites = (
        rows.group_by("site_id", *town)
        .agg(pl.col("observed", "usual").sum())
        .with_columns(x=((pl.col("observed") + 1) / (pl.col("usual") + 1)).log())
        .filter(others >= MIN_SITES)
        .sort(*town, "x", "site_id")
        .with_row_index("row")
    )
    first = pl.col("row").min().over(town)

    def ranked(rank: pl.Expr) -> pl.Expr:
        """Return the x at a rank among the sites sorted by x, without the own site."""
        at = first + rank
        return pl.col("x").gather(at + (at >= pl.col("row")))

    median = (ranked((others - 1) // 2) + ranked(others // 2)) / 2
    return sites.select(
        "site_id", *town, others=median * others / (others + SHRINKAGE_SITES)
    )
