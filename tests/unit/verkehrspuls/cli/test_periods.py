"""Dates and times of commands are by the clock of a town, or say their offset."""

from datetime import UTC, datetime

import pytest

from verkehrspuls.cli import periods
from verkehrspuls.errors import UsageError


@pytest.mark.parametrize(
    ("text", "time_zone", "hour"),
    [
        ("2026-03-01T12:00", "Europe/Berlin", 11),
        ("2026-03-01T12:00", "UTC", 12),
        ("2026-03-01T12:00:00+02:00", "Europe/Berlin", 10),
        ("2026-03-01T12:00:00+02:00", None, 10),
        ("2026-03-01", None, 0),
    ],
)
def test_time_is_by_the_clock_of_the_town(
    text: str, time_zone: str | None, hour: int
) -> None:
    read = periods.moment("--from", text, time_zone)
    assert read == datetime(2026, 3, 1, hour, tzinfo=UTC)


def test_time_without_town_and_offset_is_refused() -> None:
    with pytest.raises(UsageError, match="--to 2026-03-01T12:00: give a date"):
        periods.period(None, "2026-03-01T12:00", None)
