"""Day figures of the cross-section with their heavy share, and their months."""

from typing import Final

import polars as pl

from analytics.frames import TIME, Schema, check, known_sum

_FIGURES: Final[Schema] = {
    "volume": pl.Int64(),
    "volume_normalised": pl.Float64(),
    "heavy_share": pl.Float64(),
    "peak_volume": pl.Int64(),
    "peak_hour": TIME,
    "observed": pl.Float64(),
}
DAY_TABLE: Final[Schema] = {"day": pl.Date(), **_FIGURES, "valid": pl.Boolean()}
MONTH_TABLE: Final[Schema] = {
    "month": pl.Date(),
    **_FIGURES,
    "valid_days": pl.Int64(),
    "days": pl.Int64(),
}


def by_day(days: pl.DataFrame) -> pl.DataFrame:
    """Make DAY_TABLE of day figures; other directions than `all` are left out.

    heavy_share: heavy vehicles over all that were counted; null where they are unknown
    or nothing was counted.
    """
    share = pl.when(pl.col("volume") > 0).then(pl.col("heavy") / pl.col("volume"))
    return _table(
        days.lazy().filter(pl.col("direction") == "all").sort("day"),
        DAY_TABLE,
        heavy_share=share,
    )


def by_month(days: pl.DataFrame) -> pl.DataFrame:
    """Make MONTH_TABLE of day figures of the cross-section, one row for each month.

    heavy_share: a ratio of the sums of the days with known heavy vehicles. observed:
    share of all days of the month. The peak is the greatest of its days.
    """
    known = pl.col("heavy").is_not_null()
    told_apart = pl.col("volume").filter(known).sum()
    months = (
        days.lazy()
        .filter(pl.col("direction") == "all")
        .sort("day")
        .group_by(month=pl.col("day").dt.truncate("1mo"), maintain_order=True)
        .agg(
            *map(known_sum, ("volume", "volume_normalised")),
            pl.col("peak_volume").max(),
            pl.col("peak_hour").sort_by("peak_volume", nulls_last=False).last(),
            pl.col("observed").sum() / pl.col("day").first().dt.days_in_month(),
            heavy_share=pl.when(told_apart > 0).then(
                pl.col("heavy").sum() / told_apart
            ),
            valid_days=pl.col("valid").sum(),
            days=pl.col("day").first().dt.days_in_month(),
        )
    )
    return _table(months, MONTH_TABLE)


def _table(rows: pl.LazyFrame, schema: Schema, **more: pl.Expr) -> pl.DataFrame:
    found = rows.with_columns(**more).select(
        pl.col(name).cast(dtype) for name, dtype in schema.items()
    )
    return check(found.collect(), schema)
