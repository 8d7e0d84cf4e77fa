from datetime import datetime
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.cases import members
from tests.frames import HOUR, make, one, utc

T = utc("2026-11-18 10:00")


def hits(*hours: int, **same: Any) -> pl.DataFrame:
    return make(
        frames.HITS,
        [{"began": T + n * HOUR, "ended": T + (n + 1) * HOUR} for n in hours],
        **{
            "channel_id": 1,
            "observed": 10.0,
            "usual": 100.0,
            "score": 6.0,
            "reason": "below-usual",
            **same,
        },
    )


def stored(began: int, ended: int, **same: Any) -> pl.DataFrame:
    return make(
        frames.STORED_CASES,
        [{"began": T + began * HOUR, "ended": T + ended * HOUR}],
        **{
            "case_member_id": 7,
            "channel_id": 1,
            "detector": "d",
            "state": "suspected",
            "effect": "caveat",
            **same,
        },
    )


def window(since: datetime, until: datetime) -> pl.DataFrame:
    return make(frames.SPANS, [{"channel_id": 1, "since": since, "until": until}])


EVER = window(utc("2000-01-01"), utc("2100-01-01"))


def test_consecutive_hours_are_one_case() -> None:
    found = members.group(hits(0, 1, 2, 5), "d")
    assert found["began"].to_list() == [T, T + 5 * HOUR]
    assert found["ended"].to_list() == [T + 3 * HOUR, T + 6 * HOUR]
    assert found["observed"].to_list() == [30, 10]
    assert found["usual"].to_list() == [300, 100]


def test_another_reason_or_channel_is_another_case() -> None:
    both = pl.concat([hits(0, channel_id=2), hits(0), hits(1, reason="above-usual")])
    assert members.group(both, "d").height == 3


def test_unknown_parts_make_the_sum_unknown() -> None:
    both = pl.concat([hits(0, score=9.0), hits(1, observed=None)])
    found = one(members.group(both, "d"))
    assert (found["observed"], found["usual"], found["score"]) == (None, 200, 9)


@pytest.mark.parametrize(
    ("reason", "adds_up"),
    [
        *(("drift-up", True), ("level-down", True), ("congestion", True)),
        *(("incident-speed", True), ("cars-without-noise", True)),
        # of a mean or level, whatever the detector
        ("spike", False),
    ],
)
def test_levels_are_not_summed(reason: str, *, adds_up: bool) -> None:
    """Five days at 40 dB are not 200 dB."""
    days = pl.concat(
        [
            hits(0, reason=reason, observed=40.0, usual=42.0, score=3.0),
            hits(1, reason=reason, observed=39.0, usual=42.1, score=5.0),
            hits(2, reason=reason, observed=40.1, usual=42.2, score=4.0),
        ]
    )
    found = one(members.group(days, "d", adds_up=adds_up))
    assert (found["observed"], found["usual"], found["score"]) == (39, 42.1, 5)


def test_a_case_that_is_found_again_stays() -> None:
    judged = members.judge(hits(0, 1), "d", stored=stored(0, 1), windows=EVER)
    assert judged.withdrawn == []
    assert one(judged.cases)["ended"] == T + 2 * HOUR


def test_a_case_without_cause_is_withdrawn() -> None:
    judged = members.judge(hits(5), "d", stored=stored(0, 1), windows=EVER)
    assert judged.withdrawn == [7]


def test_only_what_began_in_the_window_is_withdrawn() -> None:
    for since, until in ((1, 9), (-9, 0)):
        narrow = window(T + since * HOUR, T + until * HOUR)
        judged = members.judge(hits(), "d", stored=stored(0, 3), windows=narrow)
        assert judged.withdrawn == []


def test_another_detector_is_left_alone() -> None:
    other = stored(0, 1, detector="other")
    assert members.judge(hits(), "d", stored=other, windows=EVER).withdrawn == []


def test_what_a_person_decided_settles_its_hours() -> None:
    decided = stored(1, 3, state="rejected")
    judged = members.judge(hits(1, 2, 3), "d", stored=decided, windows=EVER)
    assert judged.withdrawn == []
    assert one(judged.cases)["began"] == T + 3 * HOUR


def test_windows_widen_to_cases_that_touch_them() -> None:
    inner = window(T, T + HOUR)
    wide = one(members.widen(inner, stored(-30, 0)))
    assert (wide["since"], wide["until"]) == (T - 30 * HOUR, T + HOUR)
    wide = one(members.widen(inner, stored(1, 4)))
    assert (wide["since"], wide["until"]) == (T, T + 4 * HOUR)
    assert members.widen(inner, stored(2, 4)).equals(inner)
    assert members.widen(inner, stored(-30, 0, state="confirmed")).equals(inner)
