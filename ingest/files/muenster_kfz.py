"""Motor-vehicle loops of Münster, hourly, local wall clock, uncontrolled.

Raw form: a folder (or one file) of daily files in Latin-1, semicolons, the first line
`Name  /  Date: 2015_04_20;0:00;1:00;…`, then `<detector> (MQ<n>);<24 values>;`. A blank
is a gap. Parquet form: the columns detector, date, hour, count.

A detector `MQ_03290_FV12_GR` is a channel of the junction `MQ_03290`; whatever is named
otherwise (tests, sums over junctions) is a site of its own. Negative counts are passed
on as they are: ingest rejects and keeps them.
"""

import re
from pathlib import Path
from typing import Final

import polars as pl

from ingest.files import CountFile, Device, localise, one_output_town, whole
from verkehrspuls.errors import BadFile
from verkehrspuls.model import Channel, Site, Town

FORMAT: Final = "muenster-kfz"
INTERVAL_S: Final = 3600
_JUNCTION = re.compile(r"(MQ_\d+)_")
_DATE = re.compile(r"Date: (\d{4})_(\d{2})_(\d{2});")
_HOURS: Final = 24


def read(path: Path, town: Town) -> CountFile:
    """Read a folder of daily files, one of them, or a parquet file."""
    left_out = {"line without 24 values": 0}
    try:
        if path.suffix == ".parquet":
            counts = pl.read_parquet(path).select(
                pl.col("detector").cast(pl.String),
                ts=pl.col("date").cast(pl.Datetime("us"))
                + pl.duration(hours=pl.col("hour").cast(pl.Int64)),
                count=pl.col("count").cast(pl.Int64),
            )
        else:
            files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
            if not files:
                raise BadFile(path=path, format=FORMAT, reason="there is no CSV in it")
            counts = pl.concat([_day(file, left_out) for file in files])
    except (OSError, pl.exceptions.PolarsError, ValueError) as error:
        raise BadFile(path=path, format=FORMAT, reason=error) from error
    counts = counts.with_columns(time=localise("ts", town.time_zone))
    left_out["blank"] = counts["count"].null_count()
    left_out["time that never was"] = counts["time"].null_count()
    names = counts["detector"].unique().sort()
    keys = pl.DataFrame({"detector": names, "sensor": [_key(n) for n in names]})
    return CountFile(
        one_output_town(
            town,
            _sites(names.to_list()),
            dict.fromkeys(keys["sensor"], Device(INTERVAL_S, "total")),
        ),
        whole(
            counts.drop_nulls(["count", "time"])
            .join(keys, on="detector")
            .select(
                "sensor",
                output=pl.lit("1"),
                time="time",
                interval_s=pl.lit(INTERVAL_S),
                total="count",
            )
        ),
        left_out,
    )


def _day(path: Path, left_out: dict[str, int]) -> pl.DataFrame:
    lines = path.read_text("latin-1").splitlines()
    date = _DATE.search(lines[0]) if lines else None
    if date is None:
        reason = "the first line does not name a date"
        raise BadFile(path=path, format=FORMAT, reason=reason)
    day = pl.datetime(*(int(part) for part in date.groups()))
    detectors: list[str] = []
    values: list[list[int | None]] = []
    for line in lines[1:]:
        name, *cells = line.removesuffix(";").split(";")
        if len(cells) != _HOURS:
            left_out["line without 24 values"] += 1
            continue
        detectors.append(name)
        values.append([int(cell) if cell.strip() else None for cell in cells])
    return (
        pl.DataFrame(
            {"detector": detectors, "count": values},
            schema={"detector": pl.String, "count": pl.List(pl.Int64)},
        )
        .with_columns(hour=pl.int_ranges(_HOURS))
        .explode("count", "hour")
        .select("detector", ts=day + pl.duration(hours=pl.col("hour")), count="count")
        .cast({"ts": pl.Datetime("us")})
    )


def _sites(detectors: list[str]) -> list[Site]:
    channels: dict[str, list[str]] = {}
    for detector in detectors:
        junction = _JUNCTION.match(detector)
        channels.setdefault(junction[1] if junction else detector, []).append(detector)
    return [
        Site(
            key=_key(site),
            name=site,
            channels=tuple(
                Channel(key=_key(name), name=name, quantity="motor") for name in names
            ),
        )
        for site, names in channels.items()
    ]


def _key(name: str) -> str:
    # a leading hyphen stays: "Test" and "---Test" are two detectors
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).rstrip("-")[:64]
