"""Ending sites and sensors."""

from datetime import timedelta

import pytest

from tests.world import SINCE, TOWN
from verkehrspuls.errors import UnknownKey
from verkehrspuls.registry.ending import ended
from verkehrspuls.registry.faults import Faulty
from verkehrspuls.registry.registration import Entry, difference

AT = SINCE + timedelta(days=30)


@pytest.mark.parametrize("entry", [Entry("site", "hof"), Entry("sensor", "camera")])
def test_what_ends_is_dismantled_and_nothing_is_attached_any_more(entry: Entry) -> None:
    town = ended(TOWN, entry, at=AT, now=AT)
    changes = difference(TOWN, town)
    assert {c.entry for c in changes if c.entry.kind != "installation"} == {entry}
    ends = {(c.after or {}).get("until") for c in changes} - {None}
    assert ends == {"2026-01-31T00:00:00Z"}
    of_site = [e.site for s in town.sensors for e in s.installations if e.until is None]
    assert entry.key not in of_site


def test_what_would_begin_later_is_not_attached() -> None:
    entry = Entry("sensor", TOWN.sensors[0].key)
    town = ended(TOWN, entry, at=SINCE, now=SINCE)
    assert town.sensors[0].installations == ()
    with pytest.raises(Faulty, match="attached only after that"):
        ended(TOWN, entry, at=SINCE, now=AT)
    with pytest.raises(UnknownKey):
        ended(TOWN, Entry("sensor", "nowhere"), at=AT, now=AT)
