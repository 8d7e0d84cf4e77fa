"""Registration files as workbooks."""

import io
import zipfile
from datetime import datetime
from typing import Any

import openpyxl
import pytest

from verkehrspuls.registry.files import xlsx
from verkehrspuls.registry.files.record import FaultyFile


def book(**sheets: list[list[Any]]) -> bytes:
    """Return a workbook with these rows in its sheets."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def test_cells_have_their_types() -> None:
    since = datetime(2026, 3, 1, 7, 15)  # noqa: DTZ001 - on the town's clock
    heading = [
        "Sensor",
        "Seriennummer",
        "interval_s",
        "site",
        "channel",
        "output",
        "since",
    ]
    data = book(Blatt=[[], heading, ["d", 42, 60.0, 1, "in", 2, since]])
    (sensor,) = xlsx.read(data).document["sensors"]
    assert (sensor["serial"], sensor["interval_s"]) == ("42", 60)
    (installed,) = sensor["installations"]
    assert installed == {"site": "1", "channel": "in", "output": "2", "since": since}


def test_formulas_are_refused_by_cell() -> None:
    data = book(sites=[["site", "lanes"], ["a", 1], ["b", "=1+1"], ["c", "#REF!"]])
    found = xlsx.read(data)
    places = [each.place.in_language("en") for each in found.problems if each.place]
    assert places == ["sites!B3", "sites!B4"]


def test_a_second_fact_is_named_by_both_cells() -> None:
    data = book(a=[["site", "lanes"], ["s", 1]], b=[["site", "lanes"], ["s", 2]])
    (problem,) = xlsx.read(data).problems
    assert problem.place is not None
    assert problem.place.in_language("de") == "b!B2"
    assert "a!B2" in problem.phrase.in_language("de")


def packed(parts: dict[str, bytes]) -> bytes:
    """Return a packed file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return out.getvalue()


def replaced(data: bytes, part: str, content: bytes) -> bytes:
    """Return a workbook with another part."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    return packed(parts | {part: content})


BOMB = (
    b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">
"""
    + b"".join(
        b'<!ENTITY %c "%s">\n' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12)
    )
    + b"]><sst>&m;</sst>"
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04", "no workbook"),
        (packed({"a": b"b"}), "no workbook"),
        (packed({"a": b"\0" * (129 << 20)}), "too large when unpacked"),
        (packed({str(number): b"" for number in range(501)}), "too large"),
        (replaced(book(a=[["site"]]), "xl/worksheets/sheet1.xml", BOMB), "no workbook"),
        (
            replaced(book(a=[["site"]]), "xl/worksheets/sheet1.xml", b"<a"),
            "no workbook",
        ),
        (book(readme=[["site"]]), "no sheet with a heading"),
    ],
)
def test_what_is_no_plain_workbook_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(FaultyFile, match=words):
        xlsx.read(data)
