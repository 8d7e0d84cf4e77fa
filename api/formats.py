"""Extracts as files: JSON, CSV (RFC 4180), CSV for German Excel, Parquet."""

import io
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from analytics.passport import SHARES
from api.extracts import Extract, Selection

#: A text cell that begins so would be run as a formula.
_FORMULA: Final = r"^([=+\-@\t\r])"
_UTC: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write an extract."""

    key: str
    media_type: str
    ending: str
    write: Callable[[Extract], bytes]


def describe(extract: Extract) -> dict[str, Any]:
    """Describe an extract: what it holds, units, and the passport."""
    selection = extract.selection
    site = selection.site
    return {
        "site": {
            "municipality": site["municipality"],
            "key": site["key"],
            "name": site["name"],
            "time_zone": site["time_zone"],
            "licence": site["licence"],
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
    """The passport with its cases; shares of nothing are null."""
    told = asdict(extract.passport) | {"open_cases": extract.cases}
    if not extract.passport.intervals_expected:
        told |= dict.fromkeys(SHARES)
    return told


def to_description(extract: Extract) -> bytes:
    """Write the description alone, to lie beside a format that has no room for it."""
    return msgspec.json.format(msgspec.json.encode(describe(extract)), indent=2)


def to_json(extract: Extract) -> bytes:
    """Write the description and the rows as one object."""
    return msgspec.json.encode({**describe(extract), "rows": extract.frame.to_dicts()})


def to_csv(extract: Extract) -> bytes:
    """Write comma-separated rows under one heading line; times in UTC."""
    return (
        _harmless(extract.frame)
        .write_csv(line_terminator="\r\n", datetime_format=_UTC)
        .encode()
    )


def to_german_csv(extract: Extract) -> bytes:
    """Write what a German Excel opens by double click.

    Semicolons, decimal commas, a byte order mark, and local times of the site; the UTC
    time beside them tells the two hours apart that the clock shows twice in autumn.
    """
    frame = _harmless(extract.frame)
    moments = [c for c, t in frame.schema.items() if isinstance(t, pl.Datetime)]
    days = [c for c, t in frame.schema.items() if t == pl.Date]
    columns: list[pl.Expr] = []
    for name in frame.columns:
        if name in moments:
            local = pl.col(name).dt.convert_time_zone(extract.selection.period.zone.key)
            columns.append(local.dt.strftime("%d.%m.%Y %H:%M").alias(f"{name}_local"))
            columns.append(pl.col(name).dt.strftime(_UTC).alias(f"{name}_utc"))
        elif name in days:
            columns.append(pl.col(name).dt.strftime("%d.%m.%Y"))
        else:
            columns.append(pl.col(name))
    return (
        frame.select(columns)
        .write_csv(
            separator=";", decimal_comma=True, include_bom=True, line_terminator="\r\n"
        )
        .encode()
    )


def to_parquet(extract: Extract) -> bytes:
    """Write Parquet; the description is in the file's metadata, as JSON."""
    buffer = io.BytesIO()
    extract.frame.write_parquet(
        buffer,
        metadata={"verkehrspuls": msgspec.json.encode(describe(extract)).decode()},
    )
    return buffer.getvalue()


FORMATS: Final = {
    f.key: f
    for f in (
        Format("json", "application/json", "json", to_json),
        Format("csv", "text/csv", "csv", to_csv),
        Format("csv-de", "text/csv", "csv", to_german_csv),
        Format("parquet", "application/vnd.apache.parquet", "parquet", to_parquet),
    )
}


def file_name(selection: Selection, ending: str) -> str:
    """Name a file: `site_from_to_bin.ext`; dates where they are local midnights."""
    period = selection.period
    since, until = (_stamp(time, period.zone) for time in (period.start, period.end))
    return f"{selection.site['key']}_{since}_{until}_{selection.bin}.{ending}"


def _stamp(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    if local.time() == local.time().min:
        return f"{local:%Y-%m-%d}"
    return re.sub(r":", "", f"{moment:%Y-%m-%dT%H:%M}Z")


def _harmless(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.String).str.replace(_FORMULA, "'$1"))
