"""The same rollup in other tools: equal bins, columns and rules in DuckDB and pandas.

Both receive the readings as their own tables in advance, many more at once than a claim
holds, and are imported at run time: the product needs neither.
"""

import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import polars as pl

from analytics.frames import VOLUMES
from analytics.volumes.volume import BINS
from verkehrspuls.classes import COUNTS, MOTOR_CLASSES

_KNOWN: Final = " or ".join(f"{name} is not null" for name in MOTOR_CLASSES)
_TOTAL: Final = " + ".join(f"coalesce({name}, 0)" for name in MOTOR_CLASSES)
#: seconds covered by readings, and the longest gap: needs the previous row of the bin
_COVER: Final = (
    "least(sum(greatest(ended - greatest(began, coalesce(before, began)), 0)), {every})"
    " as observed_s, greatest(max(began - coalesce(before, began)),"
    " min(began) - greatest(max(ended) - {every}, 0), {every} - max(ended), 0) as gap_s"
)
_SQL: Final = f"""
with known as (
    select *, epoch(time)::bigint as s,
           coalesce(total, case when {_KNOWN} then {_TOTAL} end) as volume
    from readings
), placed as (
    select *, s // {{every}} as bin, s % {{every}} as began,
           s % {{every}} + interval_s as ended
    from known where volume is not null and interval_s <= {{every}}
), {{rows}}
select channel_id, {{every}} as interval_s, bin * {{every}} as s, {{cover}},
       sum(volume) as volume, {", ".join(f"sum({name}) as {name}" for name in COUNTS)},
       sum(speed_kmh::double * volume) filter (where speed_kmh > 0)
           / nullif(sum(volume) filter (where speed_kmh > 0), 0) as speed_kmh
from rows group by channel_id, bin
"""  # noqa: S608 - all parts are constants of this file
_BEFORE: Final = """rows as (
    select *, max(ended) over (partition by channel_id, bin order by s
        rows between unbounded preceding and 1 preceding) as before
    from placed
)"""


def compared(
    readings: pl.DataFrame, volumes: pl.DataFrame
) -> dict[str, int | bool | None]:
    """Measure both in rows per second; fail if a result differs from `volumes`."""
    found: dict[str, int | bool | None] = {"peers_agree": None}
    for name, measure in (("duckdb", _duckdb), ("pandas", _pandas)):
        try:
            import_module(name)
        except ImportError:
            found[f"{name}_rows_per_s"] = None
            continue
        rates, result = measure(readings)
        found |= {f"{name}_{key}": rate for key, rate in rates.items()}
        found["peers_agree"] = found["peers_agree"] is not False and _same(
            result, volumes
        )
    return found


def _same(result: pl.DataFrame, volumes: pl.DataFrame) -> bool:
    key = ["channel_id", "interval_s", "time"]
    ours = volumes.with_columns(pl.col("time").dt.epoch("s"))
    theirs = (
        result.rename({"s": "time"})
        .select(pl.col(name).cast(ours.schema[name]) for name in VOLUMES)
        .sort(key)
    )
    ours = ours.sort(key)
    apart = (theirs["speed_kmh"] - ours["speed_kmh"]).abs().drop_nulls()
    return theirs.drop("speed_kmh").equals(ours.drop("speed_kmh")) and bool(
        (apart < 0.01).all()
    )


def _timed(rows: int, work: Callable[[], Any]) -> tuple[int, Any]:
    began = time.perf_counter()
    result = work()
    return round(rows / (time.perf_counter() - began)), result


def _duckdb(readings: pl.DataFrame) -> tuple[dict[str, int], pl.DataFrame]:
    """Measure DuckDB; `sums` is the same without the covered seconds."""
    duckdb: Any = import_module("duckdb")
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "readings.parquet"
        readings.write_parquet(file)
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"create table readings as from '{file}'")

        def whole() -> None:
            _each(connection, "whole", rows=_BEFORE, cover=_COVER)

        def sums() -> None:
            _each(
                connection,
                "sums",
                rows="rows as (from placed)",
                cover="0 as observed_s, 0 as gap_s",
            )

        rate, _ = _timed(readings.height, whole)
        sums_rate, _ = _timed(readings.height, sums)
        result = Path(folder) / "volumes.parquet"
        connection.execute(f"copy whole to '{result}' (format parquet)")
        return {"rows_per_s": rate, "sums_rows_per_s": sums_rate}, pl.read_parquet(
            result
        )


def _each(connection: Any, table: str, *, rows: str, cover: str) -> None:
    queries = (
        _SQL.format(every=every, rows=rows, cover=cover.format(every=every))
        for every in BINS
    )
    union = " union all ".join(f"from ({query})" for query in queries)
    connection.execute(f"create table {table} as {union}")


def _pandas(readings: pl.DataFrame) -> tuple[dict[str, int], pl.DataFrame]:
    pandas: Any = import_module("pandas")
    columns = readings.with_columns(s=pl.col("time").dt.epoch("s")).drop(
        "time", "quantity"
    )
    table = pandas.DataFrame(
        {series.name: series.to_numpy() for series in columns.iter_columns()}
    )
    rate, result = _timed(
        readings.height,
        lambda: pandas.concat([_pandas_bins(table, every) for every in BINS]),
    )
    return {"rows_per_s": rate}, pl.DataFrame(
        {name: result[name].to_numpy() for name in result.columns}, nan_to_null=True
    )


def _pandas_bins(table: Any, every_s: int) -> Any:
    classes = list(MOTOR_CLASSES)
    volume = table["total"].fillna(table[classes].sum(axis=1, min_count=1))
    rows = table.assign(volume=volume, bin=table["s"] // every_s * every_s)
    rows = rows[rows["volume"].notna() & (rows["interval_s"] <= every_s)]
    key = ["channel_id", "bin"]
    rows = rows.assign(began=rows["s"] - rows["bin"])
    rows["ended"] = rows["began"] + rows["interval_s"]
    top = rows.groupby(key, sort=False)["ended"].cummax()
    before = top.groupby([rows["channel_id"], rows["bin"]], sort=False).shift()
    before = before.fillna(rows["began"])
    since = rows["began"].where(rows["began"] > before, before)
    rows["covered"] = (rows["ended"] - since).clip(lower=0)
    rows["gap"] = rows["began"] - before
    rows["spotted"] = rows["volume"].where(rows["speed_kmh"] > 0)
    rows["travelled"] = rows["speed_kmh"].astype("float64") * rows["spotted"]
    groups = rows.groupby(key, sort=False)
    summed = groups[["volume", *COUNTS, "spotted", "travelled", "covered"]].sum(
        min_count=1
    )
    began, ended = groups["began"].min(), groups["ended"].max()
    gap = groups["gap"].max()
    gap = gap.where(gap > every_s - ended, every_s - ended).clip(lower=0)
    first = began - (ended - every_s).clip(lower=0)
    return summed.assign(
        interval_s=every_s,
        observed_s=summed["covered"].clip(upper=every_s),
        gap_s=gap.where(gap > first, first),
        speed_kmh=summed["travelled"] / summed["spotted"].where(summed["spotted"] > 0),
    ).reset_index(names=["channel_id", "s"])
