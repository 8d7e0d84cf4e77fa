from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from analytics.reports.site_now import relative, shown_ratio, state, whole_volume
from tests.registered import channel, site
from verkehrspuls.storage.sites import Site

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
SITE = site(
    channels=(channel(quantity="motor"),), last_received_at=NOW - timedelta(minutes=1)
)
STATION = site(
    channels=(channel(quantity="no2_ugm3"),),
    last_received_at=NOW - timedelta(minutes=1),
)


def _hour(**more: Any) -> dict[str, Any]:
    whole = {"time": NOW.replace(hour=11, minute=0), "volume": 100}
    return whole | {"usual": 100.0, "observed": 1.0} | more


@pytest.mark.parametrize(
    ("hour", "key"),
    [
        (_hour(), "usual"),
        (_hour(volume=130), "more"),
        (_hour(volume=70), "less"),
        (_hour(volume=13, usual=18.0), "usual"),
        (_hour(volume=70, observed=0.8), "usual"),
        (_hour(usual=None), "new"),
        (_hour(usual=None, two_kinds=True), "mixed"),
        (_hour(volume=20, observed=0.2), "new"),
        (_hour(time=NOW - timedelta(hours=5)), "late"),
        (_hour(time=NOW - timedelta(hours=40)), "begun"),
        (None, "begun"),
    ],
)
def test_state(hour: dict[str, Any] | None, key: str) -> None:
    assert state(SITE, hour, now=NOW) == key


@pytest.mark.parametrize(
    ("messages", "age", "key"),
    [
        ("used", 76, "begun"),
        ("rejected", 76, "rejected"),
        ("used", 5 * 3600, "late"),
        ("rejected", 5 * 3600, "late"),
        ("used", 30 * 3600, "none"),
    ],
)
@pytest.mark.parametrize("hour", [None, _hour(time=NOW - timedelta(hours=40))])
def test_site_without_figures_is_told_by_its_messages(
    hour: dict[str, Any] | None, messages: Any, age: int, key: str
) -> None:
    heard = NOW - timedelta(seconds=age)
    site = replace(SITE, last_received_at=heard, last_messages=messages)
    assert state(site, hour, now=NOW) == key


@pytest.mark.parametrize(("age", "key"), [(40, "late"), (1, "begun")])
def test_replayed_history_is_not_a_site_that_begins(age: int, key: str) -> None:
    site = replace(SITE, newest_reading_at=NOW - timedelta(hours=age))
    hour = _hour(time=NOW - timedelta(hours=40))
    assert state(site, hour, now=NOW) == key


def test_what_was_imported_is_no_message_of_a_sensor() -> None:
    long_ago = NOW - timedelta(hours=40)
    imported = replace(SITE, last_messages="imported", newest_reading_at=long_ago)
    assert state(imported, _hour(time=long_ago), now=NOW) == "none"
    assert state(imported, None, now=NOW) == "none"
    station = replace(imported, channels=STATION.channels)
    assert state(station, None, now=NOW) == "none"
    by_days = replace(imported, shortest_s=86400, longest_s=86400)
    assert state(by_days, None, now=NOW) == "daily"
    by_days = replace(by_days, newest_reading_at=NOW - timedelta(days=300))
    assert state(by_days, None, now=NOW) == "none"


def test_a_station_whose_newest_hour_was_imported_reports() -> None:
    imported = replace(
        STATION,
        last_messages="imported",
        newest_reading_at=NOW - timedelta(hours=2),
        longest_s=3600,
    )
    assert state(imported, None, now=NOW) == "environment"


@pytest.mark.parametrize(
    ("age", "key"),
    [(1, "environment"), (300, "late"), (3000, "none"), (None, "none")],
)
def test_environment_site_is_told_by_its_messages(age: int | None, key: str) -> None:
    heard = None if age is None else NOW - timedelta(minutes=age)
    station = replace(STATION, last_received_at=heard)
    assert state(station, None, now=NOW) == key


def test_next_to_nothing_is_not_compared() -> None:
    assert relative(_hour(volume=6, usual=1.5)) == 1.0


def test_no_share_stands_beside_counts_that_it_does_not_fit() -> None:
    """9 of 17 are not the 59 % that keep nights quiet."""
    assert shown_ratio(_hour(volume=9, usual=17.0)) is None
    assert shown_ratio(_hour(volume=17, usual=9.0)) is None
    assert shown_ratio(_hour(usual=None)) is None
    # what chance explains is not called less, whatever its share
    assert shown_ratio(_hour(volume=13, usual=18.0)) is None
    assert shown_ratio(_hour(volume=15, usual=18.0)) == pytest.approx(0.833, abs=0.001)
    partly = _hour(volume=40, observed=0.8, usual=100.0)
    assert whole_volume(partly) == 50
    assert shown_ratio(partly) == 0.5


@pytest.mark.parametrize(
    ("age_h", "key"), [(1, "daily"), (30, "daily"), (49, "late"), (200, "none")]
)
@pytest.mark.parametrize("site", [SITE, STATION])
def test_a_site_of_daily_totals_is_told_by_its_days(
    site: Site, age_h: int, key: str
) -> None:
    heard = NOW - timedelta(hours=age_h)
    daily = replace(site, last_received_at=heard, shortest_s=86_400)
    assert state(daily, None, now=NOW) == key


def test_a_site_of_daily_totals_that_was_never_heard_has_no_data() -> None:
    daily = replace(SITE, last_received_at=None, shortest_s=86_400)
    assert state(daily, None, now=NOW) == "none"
