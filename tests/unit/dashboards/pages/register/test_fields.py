"""The table of fields, and what it makes of a form."""

from typing import Any

import msgspec
import pytest

from dashboards.pages.register.fields import FIELDS, MADE, read, written
from tests.world import TOWN
from verkehrspuls.registry.registration import RECORDS, Kind, entries

ZONE = "Europe/Berlin"
#: lists that have forms of their own, and what a field of another name says
_APART = {"channels", "installations", "sites", "sensors", "corridors", "junctions"}
#: fields that the address says, or that are no matter of a form
_SAID = {
    "installation": {"site"},
    "maintenance": {"site", "sensor"},
    "municipality": {"key", "simulated"},
}


@pytest.mark.parametrize("kind", FIELDS)
def test_each_field_of_a_record_has_its_place_in_the_form(kind: str) -> None:
    names = {field.name for field in msgspec.structs.fields(MADE[kind])} - _APART
    names -= _SAID.get(kind, set())
    assert {field.name for field in FIELDS[kind]} == names


def test_what_is_shown_and_not_changed_stays_as_it_was() -> None:
    for entry, fields in entries(TOWN).items():
        shown = written(entry.kind, fields, ZONE)
        again, wrong = read(entry.kind, shown, ZONE, before=fields)
        assert (again, wrong) == (
            {name: value for name, value in fields.items() if value is not None},
            {},
        )
        anew, wrong = read(entry.kind, shown, ZONE)
        assert not wrong
        record = RECORDS[entry.kind]
        inner: dict[str, Any] = dict.fromkeys(_APART & {*record.__struct_fields__}, ())
        inner |= {name: fields[name] for name in _SAID.get(entry.kind, ())}
        assert msgspec.convert(anew | inner, record) == msgspec.convert(
            fields | inner, record
        )


@pytest.mark.parametrize(
    ("kind", "name", "text", "says"),
    [
        ("site", "lanes", "2,5", "whole number"),
        ("site", "lanes", "21", "above 20"),
        ("site", "status", "ended", "none of the words"),
        ("channel", "thresholds", "high", "has not 2 parts"),
        ("channel", "thresholds", "high; x", "a number is wanted"),
        ("corridor", "stations", "a; b", "has not 3 parts"),
        ("installation", "since", "2026-03-29T02:30", "twice or never"),
        ("installation", "since", "2026-10-25T02:30", "twice or never"),
        ("installation", "since", "tomorrow", "no time"),
        ("installation", "mapping", "{", "too early"),
        ("installation", "mapping", '{"felder": 1}', "felder"),
    ],
)
def test_what_is_no_value_is_said(kind: Kind, name: str, text: str, says: str) -> None:
    _, wrong = read(kind, {name: text}, ZONE)
    assert says in wrong[name].in_language("en")
    assert wrong[name].in_language("de") != wrong[name].in_language("en")


def test_everything_that_is_wrong_is_said_at_once() -> None:
    _, wrong = read("sensor", {"name": "", "key": "A", "interval_s": "0"}, ZONE)
    assert {*wrong} == {"name", "key", "interval_s"}
