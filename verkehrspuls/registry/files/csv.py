"""Registration files in CSV: one table of everything, as spreadsheets write it."""

import csv
import io
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from verkehrspuls.model import Town
from verkehrspuls.registry.files import syntax
from verkehrspuls.registry.files.columns import columns
from verkehrspuls.registry.files.record import Content, Format, Place, unreadable
from verkehrspuls.registry.files.table import Rows, flat, guarded
from verkehrspuls.spreadsheet import as_text, separator_of
from verkehrspuls.text import mark

_NO_TEXT: Final = mark("it is no text in UTF-8, UTF-16 or Windows-1252; save it as CSV")
_NUL: Final = mark("it has NUL characters; save it as CSV, UTF-8")
_EMPTY: Final = mark("it is empty")
_SYNTAX: Final = mark("it is no CSV from here on: {}")
#: an export is opened by double click in a German office
_SEPARATOR: Final = ";"


def read(data: bytes) -> Content:
    """Read a table, with the line and column of each value."""
    try:
        text = as_text(data)
    except UnicodeError as error:
        raise unreadable(_NO_TEXT) from error
    if (at := text.find("\0")) >= 0:
        raise unreadable(_NUL, place=Place(text.count("\n", 0, at) + 1))
    first = next((line for line in text.split("\n") if line.strip()), "")
    if not first:
        raise unreadable(_EMPTY)
    rows = Rows()
    heading = None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(first))
    line = 1
    try:
        for cells in reader:
            placed = [(cell, Place(line, n)) for n, cell in enumerate(cells, 1)]
            line = reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if heading is None:
                heading = rows.heading(placed)
            else:
                rows.row(heading, placed)
    except csv.Error as error:
        raise unreadable(
            _SYNTAX, syntax.reason(str(error)), place=Place(line)
        ) from error
    return rows.content()


def write(town: Town) -> bytes:
    """Write one table of everything: semicolons, decimal commas, UTF-8 with mark."""
    rows = list(flat(town))
    used = [c.name for c in columns() if any(c.name in row for row in rows)]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=_SEPARATOR)
    writer.writerow(used)
    for row in rows:
        writer.writerow([_cell(row.get(name, "")) for name in used])
    return out.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return repr(value).replace(".", ",")
    if isinstance(value, int):
        return str(value)
    return msgspec.json.encode(value).decode()


FORMAT: Final = Format(
    title="CSV",
    suffix=".csv",
    media_types=("text/csv",),
    read=read,
    write=write,
)
