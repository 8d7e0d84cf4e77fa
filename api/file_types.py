"""Extracts as files: JSON, CSV (RFC 4180), CSV for Excel, Parquet."""

import io
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from analytics.quality.passport import SHARES
from analytics.reports.extracts import Extract, Selection
from api import office

#: for people with a spreadsheet: never chosen by `Accept`
SPREADSHEET_KEYS: Final = ("csv-de", "csv-en")


#: how people work on a case, which says nothing about the figures that it touches
_OF_WORK: Final = ("assigned_to", "assignee", "version")


@dataclass(frozen=True, slots=True)
class FileType:
    """A type of file that an extract can be written as."""

    key: str
    media_type: str
    ending: str
    write: Callable[[Extract], bytes]


def describe(extract: Extract) -> dict[str, Any]:
    """Describe an extract: its content, units, and the passport."""
    selection = extract.selection
    site = selection.site
    return {
        "site": {
            "municipality": site.municipality,
            "key": site.key,
            "name": site.name,
            "time_zone": site.time_zone,
            "licence": site.licence,
            "simulated": site.simulated,
        },
        "quantity": selection.quantity,
        "direction": selection.direction,
        "from": selection.period.start,
        "to": selection.period.end,
        "bin": selection.bin,
        "columns": [asdict(column) for column in extract.columns],
        "passport": _passport(extract),
    }


def _passport(extract: Extract) -> dict[str, Any]:
    """Return the passport with its cases; undefined shares are null."""
    cases = [
        {name: fact for name, fact in asdict(case).items() if name not in _OF_WORK}
        for case in extract.cases
    ]
    facts = asdict(extract.passport) | {"open_cases": cases}
    if not extract.passport.intervals_expected:
        facts |= dict.fromkeys(SHARES)
    return facts


def to_description(extract: Extract) -> bytes:
    """Write only the description, for file types that cannot contain it."""
    return msgspec.json.format(msgspec.json.encode(describe(extract)), indent=2)


def to_json(extract: Extract) -> bytes:
    """Write the description and the rows as one object."""
    return msgspec.json.encode({**describe(extract), "rows": extract.frame.to_dicts()})


def to_csv(extract: Extract) -> bytes:
    """Write comma-separated rows under one heading line; times in UTC.

    Simulated data is marked in a separate column.
    """
    frame = extract.frame
    if extract.selection.site.simulated:
        frame = frame.with_columns(simulated=pl.lit(value=True))
    return (
        _harmless(frame)
        .write_csv(line_terminator="\r\n", datetime_format=office.UTC)
        .encode()
    )


def to_german_csv(extract: Extract) -> bytes:
    """Write what a German Excel opens by double click."""
    return office.write(extract, "de")


def to_english_csv(extract: Extract) -> bytes:
    """Write what an English Excel opens by double click."""
    return office.write(extract, "en")


def to_parquet(extract: Extract) -> bytes:
    """Write Parquet; the description is in the file's metadata, as JSON."""
    buffer = io.BytesIO()
    extract.frame.write_parquet(
        buffer,
        metadata={"verkehrspuls": msgspec.json.encode(describe(extract)).decode()},
    )
    return buffer.getvalue()


FILE_TYPES: Final = {
    f.key: f
    for f in (
        FileType("json", "application/json", "json", to_json),
        FileType("csv", "text/csv", "csv", to_csv),
        FileType("csv-de", "text/csv", "csv", to_german_csv),
        FileType("csv-en", "text/csv", "csv", to_english_csv),
        FileType("parquet", "application/vnd.apache.parquet", "parquet", to_parquet),
    )
}


def file_name(selection: Selection, ending: str) -> str:
    """Return a file name: `site_from_to_bin.ext`; dates for local midnights.

    For simulated data it begins with that word.
    """
    period = selection.period
    since, until = (_stamp(time, period.zone) for time in (period.start, period.end))
    mark = "simulated_" if selection.site.simulated else ""
    return f"{mark}{selection.site.key}_{since}_{until}_{selection.bin}.{ending}"


def _stamp(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    if local.time() == local.time().min:
        return f"{local:%Y-%m-%d}"
    return re.sub(r":", "", f"{moment:%Y-%m-%dT%H:%M}Z")


def _harmless(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.String).str.replace(office.FORMULA, "'$1"))
