"""Traffic and environment together: the contribution of the road, and its causes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from analytics.frames import TIME, Schema, check

INCREMENTS: Final[Schema] = {
    "time": TIME,
    "roadside": pl.Float64(),
    "background": pl.Float64(),
    "increment": pl.Float64(),
}
#: Means of a value by classes of another column: `[lowest, greatest]` is the range of
#: the class, `low` and `high` the 95 % interval of the mean.
CLASS_MEANS: Final[Schema] = {
    "lowest": pl.Float64(),
    "greatest": pl.Float64(),
    "hours": pl.Int32(),
    "days": pl.Int32(),
    "mean": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
}
_Z: Final = 1.96


@dataclass(frozen=True, slots=True)
class Effect:
    """Change of a value per unit of a term, with all other terms equal."""

    term: str
    value: float
    low: float
    high: float


def increments(roadside: pl.DataFrame, background: pl.DataFrame) -> pl.DataFrame:
    """Subtract the background from the roadside, hour by hour (INCREMENTS).

    Both have `time` and `mean`. An increment may be negative, because of errors of
    sensors or wind from other directions; cutting it off at zero would bias its mean.
    """
    return check(
        roadside.select("time", roadside="mean")
        .join(background.select("time", background="mean"), on="time")
        .sort("time")
        .with_columns(increment=pl.col("roadside") - pl.col("background")),
        INCREMENTS,
    )


def class_means(
    hours: pl.DataFrame, value: str, *, on: str, classes: int = 5
) -> pl.DataFrame:
    """Average `value` by equally filled classes of the column `on` (CLASS_MEANS).

    The interval is from the means of local days (column `day`), because hours of a day
    resemble each other: mean ± 1.96·s/√(days). Null with fewer than three days in a
    class.
    """
    known = hours.drop_nulls([value, on])
    if known.is_empty():
        return pl.DataFrame(schema=dict(CLASS_MEANS))
    number = (pl.col(on).rank("ordinal") - 1) * classes // pl.len()
    by_day = (
        known.with_columns(number=number)
        .group_by("number", "day")
        .agg(
            lowest=pl.col(on).min(),
            greatest=pl.col(on).max(),
            sum=pl.col(value).sum(),
            hours=pl.len(),
        )
    )
    mean = pl.col("sum").sum() / pl.col("hours").sum()
    # of a ratio of sums over days (Cochran, Sampling Techniques, 6.4)
    deviation = (pl.col("sum") - mean * pl.col("hours")) / pl.col("hours").mean()
    error = _Z * (deviation.pow(2).sum() / (pl.len() - 1) / pl.len()).sqrt()
    error = pl.when(pl.len() >= 3).then(error)
    return check(
        by_day.group_by("number")
        .agg(
            pl.col("lowest").min().cast(pl.Float64),
            pl.col("greatest").max().cast(pl.Float64),
            pl.col("hours").sum().cast(pl.Int32).alias("total"),
            pl.len().cast(pl.Int32).alias("days"),
            mean.alias("mean"),
            (mean - error).alias("low"),
            (mean + error).alias("high"),
        )
        .sort("number")
        .rename({"total": "hours"}),
        CLASS_MEANS,
    )


def effects(
    hours: pl.DataFrame, value: str, *, terms: Sequence[str]
) -> tuple[Effect, ...]:
    """Estimate the effect of each term on a value, by least squares with a constant.

    Intervals (95 %) allow for hours of a day that resemble each other: standard errors
    clustered by local day (column `day`; Liang and Zeger 1986, with the factor n/(n-1)
    of few clusters). Empty if a term is constant or a combination of others, or days
    are fewer than three times the terms. An association is no proof of a cause: weather
    and hour of day move both traffic and air.
    """
    known = hours.drop_nulls([value, *terms]).sort("time")
    days = known["day"].rank("dense").to_numpy().astype(int) - 1
    count = int(days.max()) + 1 if days.size else 0
    x = np.column_stack(
        [np.ones(known.height), *(known[term].to_numpy() for term in terms)]
    )
    if count < 3 * len(terms) or np.linalg.matrix_rank(x) < x.shape[1]:
        return ()
    y = known[value].to_numpy()
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    scores = np.zeros((count, x.shape[1]))
    np.add.at(scores, days, x * (y - x @ beta)[:, None])
    covariance = inverse @ (scores.T @ scores) @ inverse * count / (count - 1)
    errors = _Z * np.sqrt(np.diag(covariance))
    return tuple(
        Effect(term, float(b), float(b - e), float(b + e))
        for term, b, e in zip(terms, beta[1:], errors[1:], strict=True)
    )
