"""Registration files: each format writes what it reads."""

import pytest

from tests import registrations
from verkehrspuls.registry.files import format_of, formats, load
from verkehrspuls.registry.files.record import FaultyFile
from verkehrspuls.registry.registration import difference

NAMES = ("csv", "toml", "xlsx", "yaml")


def test_the_formats_are_found_by_their_modules() -> None:
    assert tuple(formats()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_again(name: str) -> None:
    town = registrations.whole()
    data = formats()[name].write(town)
    read = load.town_of(load.content(data, f"x{formats()[name].suffix}"), None)
    assert difference(town, read) == []
    assert difference(read, town) == []


@pytest.mark.parametrize("name", NAMES)
def test_what_a_spreadsheet_would_run_is_guarded(name: str) -> None:
    data = formats()[name].write(registrations.whole())
    if name == "csv":
        cells = data.decode("utf-8-sig").replace("\r\n", ";").split(";")
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", '"='))]
    elif name == "xlsx":
        assert not load.content(data, "x.xlsx").problems


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"key: a", "a.YML", "YAML"),
        (b"PK\x03\x04", "a.csv", "XLSX"),
        (b"", "application/toml", "TOML"),
        (b"# a\n\nkey = 'a'", "63", "TOML"),
        (b"key: a", "63", "YAML"),
        (b"site;lanes", "63", "CSV"),
    ],
)
def test_a_format_is_told_by_content_and_name(
    data: bytes, name: str, expected: str
) -> None:
    assert format_of(data, name).title == expected


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"\xd0\xcf\x11\xe0", "a.xls", "save it as .xlsx"),
        (b"{}", "a.json", ".csv, .toml, .xlsx, .yaml"),
    ],
)
def test_an_unknown_format_is_refused_with_advice(
    data: bytes, name: str, expected: str
) -> None:
    with pytest.raises(FaultyFile, match=expected):
        format_of(data, name)
