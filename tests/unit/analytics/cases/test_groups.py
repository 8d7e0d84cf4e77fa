import random
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.cases.groups import group
from analytics.cases.states import (
    TransitionNotAllowed,
    check_transition,
    excludes,
)
from tests.frames import HOUR, make, one, utc

T = utc("2026-11-18 10:00")


def member(number: int, began: float, ended: float, **more: Any) -> dict[str, Any]:
    return {
        "case_member_id": number,
        "channel_id": number,
        "began": T + began * HOUR,
        "ended": T + ended * HOUR,
        **more,
    }


def members(*rows: dict[str, Any], **same: Any) -> pl.DataFrame:
    return make(
        frames.MEMBERS,
        rows,
        **{
            "municipality_id": 1,
            "audience": 0,
            "site_id": 1,
            "quantity": "motor",
            "latitude": 49.44,
            "longitude": 7.77,
            "detector": "unusual-volume",
            "reason": "below-usual",
            "observed": 10.0,
            "usual": 100.0,
            "score": 6.0,
            **same,
        },
    )


def together(*rows: dict[str, Any], **same: Any) -> bool:
    return group(members(*rows, **same)).cases.height == 1


def test_lanes_of_a_site_that_show_the_same_are_one_case() -> None:
    found = one(group(members(member(1, 0, 1), member(2, 0.5, 2))).cases)
    assert (found["began"], found["ended"]) == (T, T + 2 * HOUR)
    assert (found["channels"], found["sites"]) == (2, 1)


def test_what_lies_hours_apart_is_not_one_case() -> None:
    assert together(member(1, 0, 1), member(2, 3, 4))
    assert not together(member(1, 0, 1), member(2, 5, 6))


def test_what_not_everybody_sees_is_no_part_of_a_case_that_everybody_sees() -> None:
    near = {"site_id": 2, "latitude": 49.45}
    for detector, reason in (("silence", "silent"), ("unusual-volume", "below-usual")):
        same = {"detector": detector, "reason": reason}
        rows = member(1, 0, 3), member(2, 0, 3, **near)
        assert together(*rows, **same)
        assert not together(rows[0], rows[1] | {"audience": 1}, **same)


def test_neighbours_that_show_the_same_at_once_are_one_case() -> None:
    near = {"site_id": 2, "latitude": 49.45}
    assert together(member(1, 0, 3), member(2, 0.5, 2, **near))
    # too far, too late, of another town, nowhere
    assert not together(member(1, 0, 3), member(2, 0.5, 2, **near | {"latitude": 49.5}))
    assert not together(member(1, 0, 3), member(2, 1.5, 2, **near))
    assert not together(
        member(1, 0, 3), member(2, 0.5, 2, **near | {"municipality_id": 2})
    )
    assert not together(member(1, 0, 3), member(2, 0.5, 2, **near | {"latitude": None}))


def test_a_stuck_sensor_does_not_spread_to_its_neighbours() -> None:
    near = {"site_id": 2, "latitude": 49.45, "detector": "stuck", "reason": "stuck"}
    assert not together(member(1, 0, 3), member(2, 0.5, 2, **near))


def test_sensors_that_fall_silent_at_once_are_one_case() -> None:
    far = {"site_id": 2, "latitude": 50.0}
    silent = {"detector": "silence", "reason": "silent"}
    assert together(member(1, 0, 9), member(2, 0.2, 5, **far), **silent)
    assert not together(member(1, 0, 9), member(2, 0.5, 5, **far), **silent)


def test_what_is_unusual_at_many_sites_is_one_case_and_at_few_it_is_not() -> None:
    far = [member(n, 0, 1, site_id=n, latitude=49 + n / 10) for n in range(1, 5)]
    assert together(*far)
    assert group(members(*far[:3])).cases.height == 3
    # the first and the last of them have but two near them in time
    later = [row | {"began": T + n * HOUR / 2} for n, row in enumerate(far)]
    assert together(*later)
    # in the same way
    assert not together(*far[:3], far[3] | {"reason": "above-usual"})
    assert not together(*far[:3], far[3] | {"quantity": "bicycle"})


def test_air_and_traffic_of_a_site_have_their_own_cases() -> None:
    air = {"quantity": "no2_ugm3", "detector": "spike", "reason": "spike"}
    assert not together(member(1, 0, 1), member(2, 0, 1, **air))


def test_what_is_sharp_names_a_case_only_while_it_is_short() -> None:
    sharp = {"detector": "incident", "reason": "incident"}
    short = group(members(member(1, 0, 1), member(2, 0, 1, **sharp)))
    assert one(short.cases)["reason"] == "incident"
    long = group(members(member(1, 0, 9), member(2, 0, 1, **sharp)))
    assert one(long.cases)["reason"] == "below-usual"


def test_a_group_keeps_its_oldest_number() -> None:
    both = members(
        member(1, 0, 1, anomaly_case_id=8), member(2, 0, 1, anomaly_case_id=5)
    )
    assert one(group(both).cases)["anomaly_case_id"] == 5


def test_where_a_case_falls_apart_the_first_part_keeps_the_number() -> None:
    apart = members(
        member(1, 9, 10, anomaly_case_id=5), member(2, 0, 1, anomaly_case_id=5)
    )
    found = group(apart).cases.sort("began")
    assert found["anomaly_case_id"].to_list() == [5, None]


def test_groups_do_not_depend_on_the_order_of_members() -> None:
    rows = [member(n, n * 1.5 % 20, n * 1.5 % 20 + 1, site_id=n % 3) for n in range(40)]
    chance = random.Random(1)
    first = group(members(*rows))
    for _ in range(5):
        chance.shuffle(rows)
        again = group(members(*rows))
        assert again.members.sort("case_member_id").equals(
            first.members.sort("case_member_id")
        )
        assert again.cases.sort("group").equals(first.cases.sort("group"))


def test_a_long_chain_is_one_group() -> None:
    rows = [member(n, n, n + 1) for n in range(300)]
    assert together(*rows)


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({"observed": 65.0}, "low"),
        ({"ended": T + 7 * HOUR}, "medium"),
        ({"reason": "stuck", "detector": "stuck", "ended": T + 7 * HOUR}, "high"),
    ],
)
def test_severity(more: dict[str, Any], severity: str) -> None:
    found = one(group(members(member(1, 0, 2) | more)).cases)
    assert found["severity"] == severity


def test_transitions() -> None:
    for state in ("confirmed", "explained", "rejected"):
        check_transition("suspected", state)
        check_transition(state, "suspected")
        check_transition(state, state)
    with pytest.raises(TransitionNotAllowed, match="withdrawn cannot become confirmed"):
        check_transition("withdrawn", "confirmed")
    with pytest.raises(TransitionNotAllowed):
        check_transition("withdrawn", "withdrawn")


def test_only_what_is_confirmed_or_explained_excludes() -> None:
    assert excludes("confirmed", "exclude")
    assert not excludes("suspected", "exclude")
    assert not excludes("confirmed", "caveat")


def test_times_are_aware() -> None:
    found = one(group(members(member(1, 0, 1))).cases)
    assert isinstance(found["began"], datetime)
    assert found["began"].utcoffset() == timedelta(0)
