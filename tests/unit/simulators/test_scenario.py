"""Events recur on the local calendar, and the truth about them is written down."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from simulators.scenario import Recurrence, Stuck, load_scenarios, occurrences
from simulators.town import load_towns
from simulators.world import DAY_S, standard

ZONE = "Europe/Berlin"
WEEK_S = 7 * DAY_S
NOW = datetime(2026, 11, 21, 23, tzinfo=UTC).timestamp()


def recurring(**when: Any) -> Stuck:
    """A scenario that recurs as given."""
    return Stuck(
        key="k", text="t", municipality="m", sensor="s", when=Recurrence(**when)
    )


def test_an_event_begins_at_its_local_time_in_summer_and_winter() -> None:
    scenario = recurring(weekday=2, time="16:20", hours=1, every_weeks=1)
    found = list(occurrences(scenario, ZONE, NOW - 52 * WEEK_S, NOW))
    assert len(found) == 52
    starts = [datetime.fromtimestamp(e.start, ZoneInfo(ZONE)) for e in found]
    assert {(s.isoweekday(), s.hour, s.minute) for s in starts} == {(2, 16, 20)}
    assert {s.utcoffset() for s in starts} == {
        start.utcoffset() for start in (starts[0], starts[26])
    }
    assert len({s.utcoffset() for s in starts}) == 2


def test_events_of_a_window_are_those_that_touch_it() -> None:
    scenario = recurring(weekday=5, time="21:00", hours=38, every_weeks=1)
    whole = list(occurrences(scenario, ZONE, NOW - 4 * WEEK_S, NOW))
    one = whole[1]
    for first, last, wanted in (
        (one.start, one.start + 1, True),
        (one.end - 1, one.end, True),
        (one.end, one.end + 1, False),
        (one.start - 1, one.start, False),
    ):
        assert (one in occurrences(scenario, ZONE, first, last)) is wanted


@pytest.mark.parametrize("scenario", load_scenarios(), ids=lambda s: s.key)
def test_a_scenario_happens_in_any_eight_weeks(scenario: Stuck) -> None:
    for days in range(60):
        end = NOW - days * DAY_S
        assert list(occurrences(scenario, ZONE, end - 8 * WEEK_S, end))


def test_the_truth_names_channels_that_exist_and_all_kinds() -> None:
    towns = {town.key: town for town in load_towns()}
    events = standard(1).truth(NOW - 8 * WEEK_S, NOW)
    assert {event["kind"] for event in events} == {
        *("incident", "closure", "event", "stuck", "dropout", "drift", "swapped")
    }
    assert [event["start"] for event in events] == sorted(
        event["start"] for event in events
    )
    for event in events:
        known = {
            f"{site.key}/{channel.key}"
            for site in towns[event["municipality"]].town.sites
            for channel in site.channels
        }
        assert event["channels"]
        assert {*event["channels"], *event["also"]} <= known
        assert event["start"] < event["end"]


def test_an_incident_names_its_direction_and_the_corridor_as_touched() -> None:
    events = standard(1).truth(NOW - 8 * WEEK_S, NOW)
    one = next(e for e in events if e["key"] == "kl-unfall-ludwigstrasse")
    assert one["channels"] == ["ludwigstrasse/ost-1", "ludwigstrasse/ost-2"]
    assert one["also"] == [
        *("pariser-strasse/ost-1", "pariser-strasse/ost-2"),
        *("berliner-strasse/ost-1", "berliner-strasse/ost-2"),
        *("mainzer-strasse/ost-1", "mainzer-strasse/ost-2"),
    ]


def test_a_drifting_cell_names_its_own_channel_only() -> None:
    events = standard(1).truth(NOW - 8 * WEEK_S, NOW)
    one = next(e for e in events if e["key"] == "myk-umwelt-drift")
    assert one["channels"] == ["umwelt-kobern-gondorf/no2"]


@pytest.mark.parametrize("scenario", load_scenarios(), ids=lambda s: s.key)
def test_a_scenario_is_documented_under_its_kind(scenario: Stuck) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "simulator.md"
    kind = scenario.__struct_config__.tag
    (line,) = (
        line for line in page.read_text("utf-8").splitlines() if f"| `{kind}` |" in line
    )
    assert f"`{scenario.key}`" in line
