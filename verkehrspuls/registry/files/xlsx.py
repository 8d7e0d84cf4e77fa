"""Registration files as workbooks: a sheet for each kind of entry."""

import io
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from verkehrspuls.calendar import at_clock
from verkehrspuls.model import Town
from verkehrspuls.registry.files.record import (
    Content,
    Format,
    Place,
    letters,
    unreadable,
)
from verkehrspuls.registry.files.table import Rows, columns_of, guarded, sheets
from verkehrspuls.text import mark

#: Bytes of a workbook's parts, unpacked, and their number.
_MAX_UNPACKED: Final = 128 << 20
_MAX_PARTS: Final = 500
_MAX_ROWS: Final = 100_000
_MAX_CELLS: Final = 3_000_000
#: The sheet that explains the others, and is not read.
README: Final = "readme"
_NO_BOOK: Final = mark("it is no workbook that can be read; save it as .xlsx")
_TOO_LARGE: Final = mark("the workbook is too large when unpacked; split it")
_FORMULA: Final = mark("it is a formula; paste its value instead")
_NO_SHEET: Final = mark("the workbook has no sheet with a heading")
_EXPLAINED: Final = (
    "Verkehrspuls: registration / Registrierung",
    "",
    "Each sheet is a kind of entry; the first row names the columns. Empty: the "
    "default. Change what you like, and import the workbook again.",
    "Jedes Blatt ist eine Art von Eintrag; die erste Zeile nennt die Spalten. Leer: "
    "die Vorgabe. Ändern Sie, was Sie möchten, und importieren Sie die Mappe wieder.",
    "",
    "Times are those of the municipality's clock. Texts that would be run as a formula "
    "begin with an apostrophe.",
    "Zeiten sind die der Uhr der Kommune. Texte, die als Formel ausgeführt würden, "
    "beginnen mit einem Apostroph.",
)


def read(data: bytes) -> Content:
    """Read a workbook, with the cell of each value; formulas are problems."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            parts = packed.infolist()
        if (
            len(parts) > _MAX_PARTS
            or sum(part.file_size for part in parts) > _MAX_UNPACKED
        ):
            raise unreadable(_TOO_LARGE)
        return _read(data)
    except (
        zipfile.BadZipFile,
        ArithmeticError,
        LookupError,
        NotImplementedError,
        OSError,
        RuntimeError,
        SyntaxError,  # what the parser of XML raises
        TypeError,
        ValueError,
    ) as error:
        raise unreadable(_NO_BOOK) from error


def _read(data: bytes) -> Content:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(
            io.BytesIO(data), read_only=True, keep_links=False
        )
    except InvalidFileException as error:
        raise unreadable(_NO_BOOK) from error
    rows, cells, empty = Rows(), 0, True
    for sheet in book.worksheets:
        if sheet.title.casefold() == README:
            continue
        sheet.reset_dimensions()
        heading = None
        for line, row in enumerate(sheet.iter_rows(), 1):
            cells += len(row)
            if cells > _MAX_CELLS or line > _MAX_ROWS:
                raise unreadable(_TOO_LARGE, place=Place(line, 1, sheet=sheet.title))
            placed = list(_placed(sheet.title, line, row, rows))
            if not placed:
                continue
            if heading is None:
                texts = [(str(value), place) for value, place in placed]
                heading, empty = rows.heading(texts), False
            else:
                rows.row(heading, placed)
    if empty:
        raise unreadable(_NO_SHEET)
    return rows.content()


def _placed(
    title: str, line: int, row: tuple[Any, ...], rows: Rows
) -> Iterator[tuple[Any, Place]]:
    for number, cell in enumerate(row, 1):
        if cell.value is None or cell.value == "":
            continue
        place = Place(line, number, sheet=title)
        if cell.data_type in ("f", "e"):
            rows.problem(place, _FORMULA)
        else:
            yield cell.value, place


def write(town: Town) -> bytes:
    """Write a workbook; times are those of the town's clock, where it has them once."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = openpyxl.Workbook(write_only=True)
    readme = book.create_sheet(README)
    readme.column_dimensions["A"].width = 100
    for text in _EXPLAINED:
        readme.append([text])
    for name, rows in sheets(town):
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        used = columns_of(name)
        for number, column in enumerate(used, 1):
            width = max(12, len(column.name) + 2)
            sheet.column_dimensions[letters(number)].width = width
        heading = [WriteOnlyCell(sheet, column.name) for column in used]
        for cell in heading:
            cell.font = Font(bold=True)
        sheet.append(heading)
        for row in rows:
            sheet.append([_cell(row.get(column.name), town) for column in used])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(value: Any, town: Town) -> Any:
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, datetime):
        return _on_clock(value, town.time_zone)
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    if isinstance(value, float) and float(f"{value:.15g}") != value:
        return repr(value)  # a workbook has 15 digits
    return value


def _on_clock(time: datetime, zone: str) -> datetime | str:
    wall = time.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    try:
        if not time.microsecond and at_clock(wall, zone) == time:
            return wall
    except ValueError:  # the clock shows it twice
        pass
    return time.isoformat()


FORMAT: Final = Format(
    title="XLSX",
    suffix=".xlsx",
    media_types=("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",),
    read=read,
    write=write,
)
