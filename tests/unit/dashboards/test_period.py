from datetime import UTC, date, datetime

import pytest

from dashboards.period import PRESETS, read
from tests.unit.dashboards.frames import BERLIN
from verkehrspuls.errors import BadParameter

NOW = datetime(2026, 3, 18, 12, 30, tzinfo=UTC)


def test_days_are_half_open_and_local() -> None:
    year = read({"from": "2019-01-01", "to": "2020-01-01"}, BERLIN, now=NOW)
    assert (year.first, year.last) == (date(2019, 1, 1), date(2019, 12, 31))
    assert year.start == datetime(2018, 12, 31, 23, tzinfo=UTC)
    assert year.calendar_days == 365
    assert year.bin == "P1D"
    assert year.whole_days


def test_day_of_the_clock_change_has_its_hours() -> None:
    autumn = read({"from": "2026-10-25", "to": "2026-10-26"}, BERLIN, now=NOW)
    assert (autumn.end - autumn.start).total_seconds() == 25 * 3600


@pytest.mark.parametrize(
    ("preset", "first", "last"),
    [
        ("7d", "2026-03-12", "2026-03-18"),
        ("30d", "2026-02-17", "2026-03-18"),
        ("month", "2026-03-01", "2026-03-18"),
        ("year", "2026-01-01", "2026-03-18"),
        ("previous-week", "2026-03-09", "2026-03-15"),
        ("previous-month", "2026-02-01", "2026-02-28"),
        ("previous-year", "2025-01-01", "2025-12-31"),
    ],
)
def test_presets(preset: str, first: str, last: str) -> None:
    found = read({"period": preset}, BERLIN, now=NOW)
    assert (str(found.first), str(found.last)) == (first, last)
    assert found.whole_days


def test_24_hours_end_with_the_current_hour() -> None:
    found = read({"period": "24h"}, BERLIN, now=NOW)
    assert found.end == datetime(2026, 3, 18, 13, tzinfo=UTC)
    assert found.start == datetime(2026, 3, 17, 13, tzinfo=UTC)
    assert not found.whole_days


def test_last_day_of_the_form_is_included() -> None:
    found = read({"from": "2026-03-01", "until": "2026-03-03"}, BERLIN, now=NOW)
    assert found == read({"from": "2026-03-01", "to": "2026-03-04"}, BERLIN, now=NOW)
    assert (found.first, found.last) == (date(2026, 3, 1), date(2026, 3, 3))


@pytest.mark.parametrize("end", ["until", "to"])
def test_the_same_day_twice_is_that_day(end: str) -> None:
    found = read({"from": "2026-10-25", end: "2026-10-25"}, BERLIN, now=NOW)
    assert (found.first, found.last) == (date(2026, 10, 25), date(2026, 10, 25))
    assert (found.end - found.start).total_seconds() == 25 * 3600


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_stays_where_its_days_are_sent_unchanged(preset: str) -> None:
    shown = read({"period": preset, "bin": ""}, BERLIN, now=NOW)
    sent = {"period": preset, "from": str(shown.first), "until": str(shown.last)}
    assert read(sent, BERLIN, now=NOW) == shown


def test_other_days_go_before_the_preset_that_was_shown() -> None:
    query = {"period": "24h", "from": "2026-03-17", "until": "2026-03-17"}
    found = read(query, BERLIN, now=NOW)
    assert (found.preset, found.first, found.last) == ("", *[date(2026, 3, 17)] * 2)
    assert found.whole_days


def test_a_first_day_ahead_is_a_day() -> None:
    found = read({"from": "2026-04-01"}, BERLIN, now=NOW)
    assert (found.first, found.last) == (date(2026, 4, 1), date(2026, 4, 1))


def test_every_preset_can_be_read() -> None:
    for preset in PRESETS:
        assert read({"period": preset}, BERLIN, now=NOW).preset == preset


def test_default_period_ends_with_the_newest_data() -> None:
    found = read({}, BERLIN, now=NOW, newest=date(2019, 12, 31))
    assert (found.first, found.last) == (date(2019, 12, 25), date(2019, 12, 31))


def test_too_fine_a_bin_is_made_coarser() -> None:
    query = {"from": "2026-01-01", "to": "2026-03-01", "bin": "PT15M"}
    found = read(query, BERLIN, now=NOW)
    assert (found.bin, found.coarsened) == ("PT1H", True)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "01/03/2026"},
        {"from": "2026-03-02T10:00:00Z"},
        {"from": "20260301"},
        {"from": "2026-02-30"},
        {"to": "9999-12-31"},
        {"from": "2026-03-02", "until": "2026-03-01"},
        {"from": "2026-03-02", "until": "9999-12-31"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"from": "2026-03-01", "until": "2026-03-02", "to": "2026-03-03"},
        {"from": "1990-01-01", "to": "2026-03-01"},
        {"period": "fortnight"},
        {"bin": "PT7M"},
    ],
)
def test_what_does_not_fit_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadParameter):
        read(query, BERLIN, now=NOW)


@pytest.mark.parametrize("first", ["2026-03-01", "01.03.2026", "1.3.26", "2026/03/01"])
def test_days_are_read_as_people_write_them(first: str) -> None:
    found = read({"from": first, "until": "2026-03-03"}, BERLIN, now=NOW)
    assert found.first == date(2026, 3, 1)
