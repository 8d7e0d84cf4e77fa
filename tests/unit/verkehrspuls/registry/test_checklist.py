"""The checklist of bringing a sensor into service: when its points tick."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest

from verkehrspuls.registry.checklist import Course, Known, judge
from verkehrspuls.registry.commissioning import Facts, Message, Sensor
from verkehrspuls.storage.clocks import SensorClock
from verkehrspuls.storage.health import HealthDay

NOW: Final = datetime(2026, 11, 21, 20, tzinfo=UTC)
DAY: Final = timedelta(days=1)
#: vehicles by hour of the day: 21 h of the day before to 20 h
QUIET: Final = [30, 10, 5, 1, 0, 0, 1, 4, 20, 60, *[50] * 14]
#: with three empty hours in the forenoon
EMPTY: Final = [*QUIET[:12], 0, 0, 0, *QUIET[15:]]


def facts(**more: Any) -> Facts:
    counted = {
        name: 0 for name, kind in Facts.__annotations__.items() if kind is int
    } | {"messages_received": 288, "readings_received": 576, "readings_stored": 576}
    rest = dict.fromkeys(Facts.__dataclass_fields__)
    return Facts(**{**rest, **counted, "interval_s": 300, **more})


def course(channel: str = "ein", **more: Any) -> Course:
    volumes: Sequence[float | None] = more.pop("volumes", QUIET)
    hours = [
        ((NOW - (24 - n) * timedelta(hours=1)).isoformat(), 3600, volume)
        for n, volume in enumerate(volumes)
    ]
    given: dict[str, Any] = {
        **{"site": "tor", "channel": channel, "name": channel, "quantity": "motor"},
        **{"direction": channel, "direction_name": "", "time_zone": "Europe/Berlin"},
        **{"output": "1", "first_at": NOW - 2 * DAY, "readings": 288},
        **{"covered_s": 86_400, "step_s": 300.0, "hours": hours},
    }
    return Course(**given | more)


def clock(offset_s: float) -> SensorClock:
    return SensorClock("stadt", "radar", "Radar", 20, NOW, offset_s, offset_s)


def message(came: str) -> Message:
    return Message(
        received_at=NOW,
        came=came,
        outcome="accepted",
        readings=2,
        readings_rejected=0,
        reason=None,
        detail="",
        detail_values=(),
    )


def verdict(name: str) -> HealthDay:
    place = ("stadt", "tor", "ein", "motor", "ein")
    return HealthDay(date(2026, 11, 21), *place, name, None, None, None, True, "1", NOW)


def known(**more: Any) -> Known:
    of_sensor: dict[str, Any] = {
        **{"facts": facts(), "clock": clock(4), "messages": [message("received")]},
        **{"topics": (), "installations": (), "passed_over": (), "ambiguous": ()},
        **{"rejects": (), "left_out": ()},
    }
    own = {name: more.pop(name) for name in of_sensor.keys() & more.keys()}
    given: dict[str, Any] = {
        **{"course": [course("ein"), course("aus")], "neighbours": ["Westtor"]},
        **{"verdicts": [verdict("good")], "now": NOW},
    }
    return Known(sensor=Sensor(**of_sensor | own), **given | more)


def states(found: Known) -> dict[str, str]:
    return {point.key: point.state for point in judge(found)}


def test_a_sensor_without_a_fault_is_done_after_a_day() -> None:
    assert set(states(known()).values()) == {"done"}


def test_nothing_is_judged_before_the_first_message() -> None:
    silent = course(first_at=None, readings=0, covered_s=0, step_s=None, volumes=())
    other = course("aus", first_at=None, readings=0, covered_s=0, volumes=())
    before = known(
        facts=facts(messages_received=0, readings_received=0, readings_stored=0),
        clock=None,
        course=[silent, other],
        verdicts=[],
        messages=[],
    )
    found = states(before) | {"interval": "waiting"}
    assert set(found.values()) == {"waiting"}


@pytest.mark.parametrize(
    ("point", "state", "given"),
    [
        ("first-message", "failed", {"facts": facts(readings_rejected=576)}),
        ("clock", "failed", {"clock": clock(-3600)}),
        ("clock", "failed", {"clock": clock(3600)}),
        ("clock", "none", {"clock": None}),
        ("clock", "waiting", {"messages": [message("replayed")]}),
        ("interval", "failed", {"facts": facts(interval_s=60)}),
        ("both-directions", "failed", {"course": [course(), course("x", volumes=[0])]}),
        ("both-directions", "none", {"course": [course()]}),
        ("direction", "failed", {"verdicts": [verdict("swapped-direction")]}),
        ("direction", "none", {"neighbours": []}),
        ("direction", "waiting", {"verdicts": []}),
        ("completeness", "failed", {"course": [course(covered_s=70_000)]}),
        (
            "completeness",
            "waiting",
            {"course": [course(first_at=NOW - DAY / 2, covered_s=43_200)]},
        ),
        ("zero-hours", "failed", {"course": [course(volumes=EMPTY)]}),
        ("zero-hours", "failed", {"course": [course(volumes=[40] * 24)]}),
        ("zero-hours", "waiting", {"course": [course(volumes=QUIET[:12])]}),
        ("zero-hours", "none", {"course": [course(quantity="no2_ugm3")]}),
    ],
)
def test_each_point_says_what_is_to_be_mended(
    point: str, state: str, given: dict[str, Any]
) -> None:
    assert states(known(**given))[point] == state


def test_what_is_found_is_said_in_german() -> None:
    found = {each.key: each.found for each in judge(known())}
    assert found["interval"].in_language("de") == (
        "alle 300 s kommt ein Messwert, wie registriert"
    )
