"""The one published anomaly score, for any table of times and values.

Traffic counts are scored by `traffic` (seasons, the network, the state of the counter),
everything else by the novelty of its values (`general`). The kind is decided row by row
from the rows before it:

- interval: the smallest difference among the first ten times of the table. Traffic's is
  15 minutes or an hour, and all times so far are multiples of it apart.
- counts: all values of the series so far are whole, from 0 to 10⁹.

Scores lie between 0 and 1, an alarm is 0.5 and above. Rows of one anomaly share the
number of a case. A case begins with an alarm and lasts as long as a fault is more
probable than not; an alarm within six rows of its end belongs to it as well.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from analytics.scores import general, traffic

#: Number of times that determine the interval; before, there is no score.
FIRST_TIMES: Final = 10
INTERVALS_S: Final = (900, 3600)
#: Maximum plausible count of an interval.
MAX_COUNT: Final = 1e9
ALARM: Final = 0.5
#: Rows after a case in which an alarm continues it.
CONTINUATION_ROWS: Final = 6
#: Local clock of aware times.
ZONE: Final = "Europe/Berlin"


def scores(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `score` and `case` (null outside of cases) to rows of `time`, `value`, `key`.

    `key` may be missing: one series. Times are aware or on a local clock; rows of one
    time are judged in the given order. A row without a value has no score in `general`;
    in `traffic` it has the score of the series' state.
    """
    key = pl.col("key").rank("dense") if "key" in rows.columns else pl.lit(0)
    value, times = pl.col("value"), rows["time"].unique().sort()
    interval_s, until = _traffic(times)
    whole = value.is_null() | (
        value.is_between(0, MAX_COUNT) & (value == value.round())
    )
    ordered = (
        rows.select(key.cast(pl.UInt32).alias("key"), "time", value.cast(pl.Float64))
        .with_row_index("given")
        .sort("key", "time", "given")
        .with_columns(
            counts=(whole & (pl.col("time") <= until).fill_null(value=False))
            .cum_min()
            .over("key")
        )
    )
    found = [_as_traffic(ordered.filter("counts"), interval_s)]
    others = ordered.filter(~pl.col("counts").all().over("key"))
    if len(others):
        found.append(_as_anything(others).filter(~pl.col("counts")))
    first = pl.lit(value=True)
    if len(times) >= FIRST_TIMES:
        first = pl.col("time") < times[FIRST_TIMES - 1]
    nothing = pl.when(pl.col("value").is_not_null()).then(0.0)
    judged = pl.concat(found).select(
        "given",
        "key",
        "time",
        "stays",
        score=pl.when(first).then(nothing).otherwise("score"),
    )
    scored = _cases(judged.sort("key", "time", "given")).sort("given")
    return rows.with_columns(scored["score"], scored["case"])


def _traffic(times: pl.Series) -> tuple[int, pl.Expr]:
    """Return the interval, and the last time up to which times fit traffic."""
    apart = times.head(FIRST_TIMES).diff().min()
    interval_s = int(apart.total_seconds()) if isinstance(apart, timedelta) else 0
    if len(times) < FIRST_TIMES or interval_s not in INTERVALS_S:
        return INTERVALS_S[0], pl.lit(None, times.dtype)
    off = (times - times[0]).dt.total_microseconds() % (interval_s * 1_000_000) != 0
    return interval_s, pl.lit(times.filter(off.cum_max().not_()).last(), times.dtype)


def _as_traffic(rows: pl.DataFrame, interval_s: int) -> pl.DataFrame:
    aware = getattr(rows.schema["time"], "time_zone", None)
    found = traffic.scores(rows, interval_s=interval_s, zone=ZONE if aware else None)
    return rows.with_columns(found["score"], stays=found["odds"] > 0)


def _as_anything(rows: pl.DataFrame) -> pl.DataFrame:
    found = general.scores(rows.select("key", "time", "value"))
    return rows.with_columns(found["score"], stays=pl.lit(value=False))


def _cases(rows: pl.DataFrame) -> pl.DataFrame:
    """Number the cases in rows ordered by series and time."""
    alarm = (pl.col("score") >= ALARM).fill_null(value=False)
    inside = (
        rows.select(
            "given",
            "key",
            "time",
            alarm=alarm,
            touched=alarm | pl.col("stays"),
            place=pl.int_range(pl.len(), dtype=pl.UInt32).over("key"),
        )
        .with_columns(run=(~pl.col("touched")).cum_sum().over("key"))
        .filter("touched")
        .filter(pl.col("alarm").cum_max().over("key", "run"))
        .with_columns(
            begins=(
                pl.col("place").cast(pl.Int64).diff().over("key") > CONTINUATION_ROWS
            ).fill_null(value=True)
        )
        .with_columns(own=pl.col("begins").cum_sum().over("key"))
    )
    begun = inside.filter("begins").sort("time", "key").select("key", "own")
    numbered = inside.join(begun.with_row_index("case", 1), on=["key", "own"])
    return rows.join(
        numbered.select("given", pl.col("case").cast(pl.Int64)), on="given", how="left"
    )
