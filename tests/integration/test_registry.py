"""Changing what is registered: who may, what is refused, what the log says."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import parts, people, world
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.access import audit
from verkehrspuls.errors import UsageError
from verkehrspuls.registry import edit
from verkehrspuls.registry.edit import EntryChanged, EntryUsed, NotYourTown
from verkehrspuls.registry.faults import Faulty
from verkehrspuls.registry.registration import Entry, entries, version
from verkehrspuls.storage.database import connect

CLARA = "clara@example.org"
SITE = Entry("site", "pariser-strasse")
NEW: dict[str, Any] = {"key": "nordtor", "name": "Nordtor", "lanes": 2}


@pytest.fixture(
    params=("plain", "oldest", pytest.param("timescale", marks=pytest.mark.timescale))
)
def found(request: pytest.FixtureRequest) -> Iterator[People]:
    """A planner and an engineer of the town, and an engineer elsewhere."""
    databases: parts.Databases = request.getfixturevalue(f"_{request.param}")
    with databases.fresh(world.build) as url, people.of(url) as found:
        found.put(ANNE, ("planner", TOWN))
        found.put(BERND, ("engineer", TOWN))
        found.put(CLARA, ("engineer", OTHER))
        yield found


def registered(found: People, entry: Entry) -> dict[str, Any] | None:
    with found.operator() as connection:
        return entries(edit.read(connection, TOWN)).get(entry)


def put(
    found: People,
    who: str,
    entry: Entry,
    fields: dict[str, Any] | None,
    seen: str | None,
) -> None:
    with found.web(found.log_in(who))() as connection:
        edit.put_entry(connection, TOWN, entry, fields, seen=seen)


def test_an_engineer_registers_a_site_and_the_log_says_so(found: People) -> None:
    entry = Entry("site", "nordtor")
    put(found, BERND, entry, NEW, None)
    there = registered(found, entry)
    assert there is not None
    assert (there["name"], there["lanes"], there["status"]) == ("Nordtor", 2, "active")
    put(found, BERND, entry, {**there, "status": "planned"}, version(there))
    put(found, BERND, entry, None, version({**there, "status": "planned"}))
    assert registered(found, entry) is None
    with connect(found.url) as connection:
        noted = [
            one.action for one in audit.each(connection) if one.key == f"{TOWN}/nordtor"
        ]
    assert sorted(noted) == ["site.add", "site.change", "site.remove"]


@pytest.mark.parametrize("who", [ANNE, CLARA, ""])
def test_nobody_else_changes_it(found: People, who: str) -> None:
    before = registered(found, SITE)
    assert before is not None
    credential = found.log_in(who) if who else ""
    changed = {**before, "name": "X"}
    with (
        pytest.raises(NotYourTown),
        found.web(credential)() as connection,
    ):
        edit.put_entry(connection, TOWN, SITE, changed, seen=version(before))
    assert registered(found, SITE) == before


def test_of_two_engineers_the_second_looks_again(found: People) -> None:
    before = registered(found, SITE)
    assert before is not None
    put(found, BERND, SITE, {**before, "road": "B 37"}, version(before))
    with pytest.raises(EntryChanged):
        put(found, BERND, SITE, {**before, "road": "L 1"}, version(before))
    now = registered(found, SITE)
    assert now is not None
    assert now["road"] == "B 37"


def test_what_was_used_stays(found: People) -> None:
    for entry in (Entry("channel", "pariser-strasse/west-1"), SITE):
        before = registered(found, entry)
        with pytest.raises((EntryUsed, UsageError)):
            put(found, BERND, entry, None, version(before))
        assert registered(found, entry) == before


def test_faults_name_entry_and_field_in_both_languages(found: People) -> None:
    wrong = {**NEW, "latitude": 8.1, "longitude": 49.2}
    with pytest.raises(Faulty) as caught:
        put(found, BERND, Entry("site", "nordtor"), wrong, None)
    (fault,) = caught.value.faults
    assert (fault.entry, fault.field) == (Entry("site", "nordtor"), "latitude")
    assert "swapped" in fault.in_language("en")
    assert "vertauscht" in fault.in_language("de")
