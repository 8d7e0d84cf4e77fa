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

from ingest.files import (
    SKIPPED_TIME,
    CountFile,
    Device,
    completed,
    one_output_town,
    without_reading,
)
from ingest.files.wall_clock import localise
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
    try:
        stations = _parquet(path) if path.suffix == ".parquet" else _csvs(path)
    except pl.exceptions.PolarsError as error:
        reason = "it is no Parquet file with the columns channel_id, ts and count"
        raise BadFile(path=path, format=FORMAT, reason=reason) from error
    except (OSError, ValueError) as error:
        raise BadFile(path=path, format=FORMAT, reason=error) from error
    counts = pl.concat(stations)
    names = dict(counts.select("station", "name").unique().sort("station").iter_rows())
    sites = [_site(str(station), name) for station, name in names.items()]
    devices = dict.fromkeys((site.key for site in sites), Device(INTERVAL_S, "bicycle"))
    counts = counts.with_columns(
        *localise(counts, "ts", town.time_zone, by=["station"]),
        sensor=pl.col("station").cast(pl.String),
        day=pl.col("ts").dt.date(),
    )
    usable = counts.drop_nulls(["count", "time"])
    return CountFile(
        one_output_town(town, sites, devices),
        completed(
            usable.select(
                "sensor",
                "time",
                "ambiguous",
                output=pl.lit("1"),
                interval_s=pl.lit(INTERVAL_S),
                bicycle="count",
            )
        ),
        without_reading(
            counts,
            {
                "blank": pl.col("count").is_null(),
                SKIPPED_TIME: pl.col("time").is_null(),
            },
        ),
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
