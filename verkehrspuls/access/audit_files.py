"""Entries of the audit log as files, the newest first."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from verkehrspuls.access.audit import Entry


def csv_of(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the lines of a CSV file."""
    line = io.StringIO()
    writer = csv.writer(line)

    def written(cells: Iterable[object]) -> str:
        line.seek(0)
        line.truncate()
        writer.writerow(cells)
        return line.getvalue()

    names = [field.name for field in fields(Entry)]
    yield written(names)
    for entry in entries:
        yield written(_cell(getattr(entry, name)) for name in names)


def lines_of(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield an entry a line, in JSON."""
    return (f"{_json(entry)}\n" for entry in entries)


#: by their ending
FORMATS: Final[Mapping[str, Callable[[Iterable[Entry]], Iterator[str]]]] = {
    "csv": csv_of,
    "jsonl": lines_of,
}


def _cell(value: Any) -> Any:
    """Write a value for a cell: what a spreadsheet would run is text."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return _json(value)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()
