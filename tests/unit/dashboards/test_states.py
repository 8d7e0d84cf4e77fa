from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboards.states import relative, state

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
SITE = {
    "channels": [{"quantity": "motor"}],
    "last_received_at": NOW - timedelta(minutes=1),
}
STATION = {
    "channels": [{"quantity": "no2_ugm3"}],
    "last_received_at": NOW - timedelta(minutes=1),
}


def _hour(**more: Any) -> dict[str, Any]:
    whole = {"time": NOW.replace(hour=11, minute=0), "volume": 100}
    return whole | {"usual": 100.0, "observed": 1.0} | more


@pytest.mark.parametrize(
    ("hour", "key"),
    [
        (_hour(), "usual"),
        (_hour(volume=130), "more"),
        (_hour(volume=70), "less"),
        (_hour(volume=70, observed=0.8), "usual"),
        (_hour(usual=None), "new"),
        (_hour(volume=20, observed=0.2), "new"),
        (_hour(time=NOW - timedelta(hours=5)), "late"),
        (_hour(time=NOW - timedelta(hours=40)), "none"),
        (None, "none"),
    ],
)
def test_state(hour: dict[str, Any] | None, key: str) -> None:
    assert state(SITE, hour, now=NOW).key == key


@pytest.mark.parametrize(
    ("age", "key"),
    [(1, "environment"), (300, "late"), (3000, "none"), (None, "none")],
)
def test_environment_site_is_told_by_its_messages(age: int | None, key: str) -> None:
    heard = None if age is None else NOW - timedelta(minutes=age)
    station = STATION | {"last_received_at": heard}
    assert state(station, None, now=NOW).key == key


def test_next_to_nothing_is_not_compared() -> None:
    assert relative(_hour(volume=6, usual=1.5)) == 1.0
