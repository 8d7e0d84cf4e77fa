"""A registration as entries: what differs, one over another, an entry put into it."""

import msgspec
import pytest

from tests.acceptance.test_import_town import TOWN
from verkehrspuls.errors import UnknownKey
from verkehrspuls.model import Town
from verkehrspuls.registry.registration import (
    Entry,
    difference,
    entries,
    overlay,
    put,
    version,
)

LANDAU = msgspec.toml.decode(TOWN, type=Town)
SITE = Entry("site", "ostring")
CHANNEL = Entry("channel", "ostring/nord")
SENSOR = Entry("sensor", "radar-1")
INSTALLED = Entry("installation", "radar-1/1/2026-01-01T00:00:00+00:00")


def test_entries_are_named_by_kind_and_key() -> None:
    assert list(entries(LANDAU)) == [
        Entry("municipality", "landau"),
        *(SITE, CHANNEL, SENSOR, INSTALLED),
    ]
    assert "channels" not in entries(LANDAU)[SITE]


@pytest.mark.parametrize(
    ("entry", "german", "english"),
    [
        (SITE, "Messstelle ostring", "site ostring"),
        (CHANNEL, "Messkanal ostring/nord", "channel ostring/nord"),
        (INSTALLED, "Sensor radar-1, Ausgang 1", "sensor radar-1, output 1"),
    ],
)
def test_an_entry_has_a_name(entry: Entry, german: str, english: str) -> None:
    assert entry.in_language("de") == german
    assert entry.in_language("en") == english


@pytest.mark.parametrize(
    ("entry", "field", "value"),
    [
        (Entry("municipality", "landau"), "licence", "dl-de/by-2-0"),
        (SITE, "road", "Ostring"),
        (CHANNEL, "lane", 2),
        (SENSOR, "firmware", "2.1"),
        (INSTALLED, "until", "2026-02-01T00:00:00Z"),
    ],
)
def test_one_field_of_an_entry_is_changed(
    entry: Entry, field: str, value: object
) -> None:
    changed = put(LANDAU, entry, {**entries(LANDAU)[entry], field: value})
    (change,) = difference(LANDAU, changed)
    assert (change.entry, change.fields) == (entry, [field])


@pytest.mark.parametrize("entry", [SITE, CHANNEL, SENSOR, INSTALLED])
def test_an_entry_is_taken_out_and_put_back(entry: Entry) -> None:
    without = put(LANDAU, entry, None)
    gone = difference(LANDAU, without)
    assert gone[-1 if entry in (CHANNEL, INSTALLED) else 0].after is None
    assert entry in {change.entry for change in gone}
    assert entry not in entries(without)
    back = put(without, entry, entries(LANDAU)[entry])
    assert entries(back)[entry] == entries(LANDAU)[entry]


def test_nothing_is_put_into_what_is_missing() -> None:
    with pytest.raises(UnknownKey, match="no site landau/moon"):
        put(LANDAU, Entry("channel", "moon/nord"), entries(LANDAU)[CHANNEL])


def test_times_with_another_offset_are_the_same() -> None:
    text = TOWN.replace("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00")
    assert not difference(LANDAU, msgspec.toml.decode(text, type=Town))


def test_entries_of_both_stay_when_one_lies_over_the_other() -> None:
    west = put(LANDAU, Entry("site", "west"), {"key": "west", "name": "West"})
    over = put(LANDAU, CHANNEL, {**entries(LANDAU)[CHANNEL], "lane": 3})
    both = overlay(west, over)
    assert Entry("site", "west") in entries(both)
    assert entries(both)[CHANNEL]["lane"] == 3
    kept = overlay(west, over, keep=True)
    assert entries(kept)[CHANNEL]["lane"] is None


def test_a_version_tells_states_apart() -> None:
    fields = entries(LANDAU)[SITE]
    assert version(fields) == version(dict(reversed(fields.items())))
    assert version(fields) != version({**fields, "road": "A 65"})
