"""Generic CSV of counts, for data from anywhere.

    time,site,channel,quantity,direction,interval_s,total,car,…,bicycle,speed_kmh

Separated by commas or semicolons, UTF-8, columns in any order; `time`, `site`,
`channel` and at least one count column must be there. `time` is the interval's start in
ISO 8601, with an offset or as the municipality's wall clock. Where the column is
missing, `interval_s` is 900 and `quantity` motor. Count columns are named as in
`verkehrspuls.classes.COUNTS`; an empty cell is unknown, and never zero.
"""

import re
from datetime import MAXYEAR, MINYEAR, datetime
from pathlib import Path
from typing import Final

import polars as pl

from ingest.files import CountFile, Device, localise, one_output_town, whole
from verkehrspuls.classes import COUNTS, SCHEMES
from verkehrspuls.errors import BadFile
from verkehrspuls.model import Channel, Site, Town

FORMAT: Final = "generic"
REQUIRED: Final = frozenset({"time", "site", "channel"})
DEFAULTS: Final = {"quantity": "motor", "direction": "", "interval_s": "900"}
KNOWN: Final = REQUIRED | DEFAULTS.keys() | frozenset(COUNTS) | {"speed_kmh"}
_KEY: Final = re.compile(r"[a-z0-9-]{1,31}")


def read(path: Path, town: Town) -> CountFile:
    """Read one CSV file."""
    try:
        table = _table(path)
        counts = table.with_columns(
            _times(table["time"], town.time_zone),
            pl.col("interval_s").cast(pl.Int32),
            pl.col("speed_kmh").cast(pl.Float64),
            pl.col(name for name in COUNTS if name in table.columns).cast(pl.Int64),
            sensor=pl.concat_str("site", "channel", separator="-"),
            output=pl.lit("1"),
        )
        registered = _town(town, counts)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise BadFile(path=path, format=FORMAT, reason=error) from error
    return CountFile(
        registered,
        whole(counts.drop_nulls("time")),
        {"time that never was": counts["time"].null_count()},
    )


def _table(path: Path) -> pl.DataFrame:
    if path.is_dir():
        raise ValueError("it is a folder; a file is wanted")
    with path.open(encoding="utf-8-sig") as lines:
        header = lines.readline()
    separator = ";" if header.count(";") > header.count(",") else ","
    table = pl.read_csv(path, separator=separator, infer_schema=False)
    table = table.rename({name: name.strip() for name in table.columns})
    if missing := REQUIRED - set(table.columns):
        raise ValueError(f"the column {min(missing)} is missing")
    if unknown := set(table.columns) - KNOWN:
        raise ValueError(f"there is no column {min(unknown)}; see the documentation")
    if not set(COUNTS) & set(table.columns):
        raise ValueError(f"no column of counts: one of {', '.join(COUNTS)}")
    return table.with_columns(
        pl.lit(value).alias(name)
        for name, value in {**DEFAULTS, "speed_kmh": None}.items()
        if name not in table.columns
    ).with_columns(pl.col("direction").fill_null(""))


def _times(texts: pl.Series, time_zone: str) -> pl.Series:
    """Parse each different text once; offset or wall clock as the text has it."""
    different = texts.unique()
    if different.null_count():
        raise ValueError("a row has no time")
    parsed = [datetime.fromisoformat(text) for text in different]
    if wrong := [time for time in parsed if not MINYEAR < time.year < MAXYEAR]:
        raise ValueError(f"there is no time {wrong[0].isoformat()} in UTC")
    moments = pl.DataFrame(
        {
            "text": different,
            "wall": [t if t.tzinfo is None else None for t in parsed],
            "moment": [t if t.tzinfo is not None else None for t in parsed],
        },
        schema={
            "text": pl.String,
            "wall": pl.Datetime("us"),
            "moment": pl.Datetime("us", "UTC"),
        },
    ).select("text", time=pl.coalesce("moment", localise("wall", time_zone)))
    return texts.to_frame("text").join(
        moments, on="text", how="left", maintain_order="left"
    )["time"]


def _town(town: Town, counts: pl.DataFrame) -> Town:
    """Derive the registration: a site, channel and sensor for each that is named."""
    sites: dict[str, list[Channel]] = {}
    devices: dict[str, Device] = {}
    columns: list[str] = [name for name in COUNTS if name in counts.columns]
    groups = counts.group_by("site", "channel", maintain_order=True)
    for (site, channel), rows in groups:
        for key in (site, channel):
            if not _KEY.fullmatch(str(key)):
                raise ValueError(
                    f"{key!r} is no key: up to 31 lower-case letters, digits, hyphens"
                )
        told = rows.select("quantity", "direction", "interval_s").unique()
        if told.height > 1:
            raise ValueError(
                f"{site} {channel} has more than one quantity, direction or interval"
            )
        quantity, direction, interval_s = told.row(0)
        key = f"{site}-{channel}"
        if key in devices:
            raise ValueError(f"{key} may be one site and channel or another")
        sites.setdefault(str(site), []).append(
            Channel(key=key, name=str(channel), quantity=quantity, direction=direction)
        )
        used = {name for name in columns if not rows[name].is_null().all()}
        devices[key] = Device(interval_s, _scheme(key, used))
    return one_output_town(
        town,
        [
            Site(key=site, name=site, channels=tuple(channels))
            for site, channels in sites.items()
        ],
        devices,
    )


def _scheme(channel: str, used: set[str]) -> str:
    """Choose the smallest class scheme that has all the classes used."""
    for name, classes in sorted(SCHEMES.items(), key=lambda item: len(item[1])):
        if used <= set(classes):
            return name
    raise ValueError(
        f"{channel}: no class scheme has {', '.join(sorted(used))} together; give each "
        "a channel of its own"
    )
