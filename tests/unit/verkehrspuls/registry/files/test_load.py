"""Problems of registration files: all of them, each with its place."""

import pytest

from tests import registrations
from verkehrspuls.registry.faults import faults
from verkehrspuls.registry.files import formats, load
from verkehrspuls.registry.files.record import MAX_BYTES, FaultyFile
from verkehrspuls.registry.registration import difference, overlay


def problems(text: str, name: str) -> list[tuple[str, str]]:
    """Return the places of the problems of a file, and what is wrong there."""
    with pytest.raises(FaultyFile) as caught:  # noqa: PT012 - both find problems
        found = load.content(text.encode(), name)
        load.municipality_of(found, "musterstadt")
        town = load.town_of(found, None)
        raise load.in_place(found, town, list(faults(town)))
    return [
        (
            each.place.in_language("en") if each.place else "",
            each.phrase.in_language("en"),
        )
        for each in caught.value.problems
    ]


TOML = """\
name = "Musterstadt"
state = "XX"
typo = 1

[[sites]]
key = "a b"
name = "A"
speed_limit_kmh = 500

[[sites.channels]]
key = "in"
quantity = "motor"

[[sites]]
key = "s"
name = "S"
channels = [
  { key = "x", name = "X", quantity = "mtor" },
  { key = "y", name = "", quantity = "motor", lane = "one" },
]
visibility = "secret"

[[sensors]]
key = "d"
name = "D"
interval_s = 60
[[sensors.installations]]
site = "s"
channel = "x"
output = "1"
since = 2026-10-25T02:30:00
until = "gestern"
"""


def test_all_problems_of_a_file_are_listed_by_line_and_column() -> None:
    found = dict(problems(TOML, "a.toml"))
    expected = {
        "line 2, column 1": "no state XX",
        "line 3, column 1": "no field typo",
        "line 6, column 1": "a key has only",
        "line 8, column 1": "above 200",
        "line 10, column 1": "name is missing",
        "line 18, column 28": "mtor, which is not known",
        "line 19, column 16": "shows nothing",
        "line 19, column 47": "a whole number is wanted",
        "line 21, column 1": "public, cluster, private",
        "line 31, column 1": "twice",
        "line 32, column 1": "it is no time",
    }
    assert found.keys() == expected.keys()
    for place, words in expected.items():
        assert words in found[place]


def test_a_fault_between_entries_is_named_by_its_line() -> None:
    town = registrations.town(1)
    text = formats()["toml"].write(town).decode()
    line = text[: text.rindex('channel = "out"')].count("\n") + 1
    ((place, words),) = problems(
        text.replace('channel = "out"', 'channel = "x"'), "a.toml"
    )
    assert place == f"line {line}, column 1"
    assert "there is no channel s0/x" in words


def test_a_table_leaves_what_it_has_no_columns_for() -> None:
    before = registrations.whole()
    found = load.content(b"sensor,firmware\nd0,2.1\n", "a.csv")
    assert load.municipality_of(found, before.key) == before.key
    (change,) = difference(before, overlay(before, load.town_of(found, before)))
    assert (change.entry.key, change.fields) == ("d0", ["firmware"])


def test_a_file_without_municipality_asks_for_it() -> None:
    found = load.content(b"site;site_name\na;A\n", "a.csv")
    with pytest.raises(FaultyFile, match="of which municipality"):
        load.municipality_of(found, None)


def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(FaultyFile, match="larger than 16 MiB"):
        load.content(b" " * (MAX_BYTES + 1), "a.toml")
