"""Motor-vehicle loops of Münster, hourly, local wall clock, uncontrolled.

Raw form: a folder (or one file) of daily files in Latin-1, semicolons, the first line
`Name  /  Date: 2015_04_20;0:00;1:00;…`, then `<detector> (MQ<n>);<24 values>;`. A blank
value is a gap. Parquet form: the columns detector, date, hour, count.

A detector `MQ_03290_FV12_GR` is a channel of the junction `MQ_03290`; any other name
(tests, sums over junctions) is a site of its own. Negative counts are passed on
unchanged; ingest rejects and keeps them.
"""

import re
from pathlib import Path
from typing import Final

import polars as pl

from ingest.files import CountFile, Device, one_class_file, reading
from verkehrspuls.errors import BadFile
from verkehrspuls.files import check_file, read_bytes
from verkehrspuls.model import Channel, Site, Town

FORMAT: Final = "muenster-kfz"
INTERVAL_S: Final = 3600
_JUNCTION = re.compile(r"(MQ_\d+)_")
_DATE = re.compile(r"Date: (\d{4})_(\d{2})_(\d{2});")
_HOURS: Final = 24


def read(path: Path, town: Town) -> CountFile:
    """Read a folder of daily files, one of them, or a parquet file."""
    unread: list[pl.DataFrame] = []
    with reading(path, FORMAT, columns="detector, date, hour and count"):
        if path.suffix == ".parquet":
            check_file(path, format=FORMAT)
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
            counts = pl.concat([_day(file, unread) for file in files])
    names = counts["detector"].unique().sort()
    keys = pl.DataFrame({"detector": names, "sensor": [_key(n) for n in names]})
    return one_class_file(
        town,
        counts.join(keys, on="detector", maintain_order="left"),
        sites=_sites(names.to_list()),
        by="detector",
        device=Device(INTERVAL_S, "total"),
        unread=unread,
    )


def _day(path: Path, unread: list[pl.DataFrame]) -> pl.DataFrame:
    lines = read_bytes(path, format=FORMAT).decode("latin-1").splitlines()
    date = _DATE.search(lines[0]) if lines else None
    if date is None:
        reason = "the first line does not name a date"
        raise BadFile(path=path, format=FORMAT, reason=reason)
    day = pl.datetime(*(int(part) for part in date.groups()))
    detectors: list[str] = []
    short: list[str] = []
    values: list[list[int | None]] = []
    for number, line in enumerate(lines[1:], start=2):
        name, *cells = line.removesuffix(";").split(";")
        if len(cells) != _HOURS:
            short.append(_key(name))
            continue
        detectors.append(name)
        values.append([_count(path, number, cell) for cell in cells])
    unread.append(
        pl.DataFrame({"sensor": short}, schema={"sensor": pl.String}).select(
            "sensor", day=day.cast(pl.Date), reason=pl.lit("line without 24 values")
        )
    )
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


def _count(path: Path, line: int, cell: str) -> int | None:
    if not cell.strip():
        return None
    try:
        return int(cell)
    except ValueError as error:
        reason = f"line {line}: {cell[:60]!r} is no whole number"
        raise BadFile(path=path, format=FORMAT, reason=reason) from error


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
    # keep a leading hyphen: "Test" and "---Test" are two detectors
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).rstrip("-")[:64]
