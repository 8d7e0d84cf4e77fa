"""Bicycle counters of Münster, 15 minutes, local wall clock.

Raw form: a folder (or one file) of monthly CSVs, with the columns `Datetime`, `<id>
(<name>)` for the station and each of its counters, and `<id>-status`. Parquet form: the
columns channel_id, ts, count, status, and where it holds counters besides stations,
station_id; names come from a `channels.csv` beside it.

Only the station's total is read, which the city publishes; its counters overlap and
changed over the years. The status (0 raw, 4 corrected by the city) is not kept.
"""

import re
from pathlib import Path
from typing import Final

import polars as pl

from ingest.files import CountFile, Device, one_class_file, reading
from verkehrspuls import spreadsheet
from verkehrspuls.errors import BadFile
from verkehrspuls.files import check_file
from verkehrspuls.model import Channel, Site, Town
from verkehrspuls.spreadsheet import Problems

FORMAT: Final = "muenster-bike"
INTERVAL_S: Final = 900
#: File with the names of the parquet form's counters.
NAMES_FILE: Final = "channels.csv"
_STATION = re.compile(r"(\d+) \((.*)\)")


def read(path: Path, town: Town) -> CountFile:
    """Read a folder of CSVs, one CSV, or a parquet file."""
    with reading(path, FORMAT, columns="channel_id, ts and count"):
        stations = _parquet(path) if path.suffix == ".parquet" else _csvs(path)
    counts = pl.concat(stations)
    names = dict(counts.select("station", "name").unique().sort("station").iter_rows())
    return one_class_file(
        town,
        counts.with_columns(sensor=pl.col("station").cast(pl.String)),
        sites=[_site(str(station), name) for station, name in names.items()],
        by="station",
        device=Device(INTERVAL_S, "bicycle"),
    )


def _site(key: str, name: str) -> Site:
    channel = Channel(key=key, name=name, quantity="bicycle")
    return Site(key=key, name=name, channels=(channel,))


def _parquet(path: Path) -> list[pl.DataFrame]:
    check_file(path, format=FORMAT)
    counts = pl.read_parquet(path)
    if "station_id" in counts.columns:
        counts = counts.filter(pl.col("station_id") == pl.col("channel_id"))
    names = path.parent / NAMES_FILE
    if names.is_file():
        known = pl.read_csv(names, columns=["channel_id", "name"])
    else:
        known = pl.DataFrame(schema={"channel_id": pl.Int64, "name": pl.String})
    station = pl.col("channel_id").cast(pl.Int64)
    return [
        counts.select(station, "ts", pl.col("count").cast(pl.Int64))
        .join(known, on="channel_id", how="left")
        .select(
            pl.col("channel_id").alias("station"),
            pl.coalesce("name", pl.col("channel_id").cast(pl.String)).alias("name"),
            pl.col("ts").cast(pl.Datetime("us")),
            "count",
        )
    ]


def _csvs(path: Path) -> list[pl.DataFrame]:
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*.csv") if file.name != NAMES_FILE)
    if not files:
        raise BadFile(path=path, format=FORMAT, reason="there is no CSV in it")
    return [_csv(file) for file in files]


def _csv(path: Path) -> pl.DataFrame:
    check_file(path, format=FORMAT)
    problems = Problems()
    sheet = spreadsheet.read(path, problems, format=FORMAT)
    frame = sheet.cells
    # the station comes first, then its counters
    found = _STATION.fullmatch(frame.columns[1]) if frame.width > 1 else None
    if frame.columns[0] != "Datetime" or found is None:
        reason = "the header is not `Datetime,<id> (<station>),…`"
        raise BadFile(path=path, format=FORMAT, reason=reason)
    times, texts = frame["Datetime"], frame[frame.columns[1]]
    moments = times.str.to_datetime("%Y-%m-%d %H:%M", time_unit="us", strict=False)
    known = moments.is_not_null()
    problems.add_rows(sheet.lines, times, ~known, "is no time such as 2026-11-21 20:00")
    counts = spreadsheet.numbers(texts, separator=sheet.separator, whole=True)
    counts.note(problems, sheet.lines, texts, "whole number")
    problems.check(path, FORMAT)
    return pl.DataFrame(
        {
            "station": pl.Series([int(found[1])] * len(frame), dtype=pl.Int64),
            "name": pl.Series([found[2]] * len(frame), dtype=pl.String),
            "ts": moments,
            "count": counts.values.cast(pl.Int64),
        }
    )
