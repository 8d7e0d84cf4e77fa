from datetime import UTC, datetime, timedelta

import pytest

from dashboards.wall_clock import add_wall_clock, every, written
from verkehrspuls.language import Language, Style

HOUR = timedelta(hours=1)


def test_repeated_hour_in_autumn_is_drawn_twice_and_in_order() -> None:
    start = datetime(2026, 10, 24, 23, tzinfo=UTC)
    shown = add_wall_clock(every(start, start + 4 * HOUR, HOUR), "Europe/Berlin")
    assert shown["local"].dt.hour().to_list() == [1, 2, 2, 3]
    assert shown["fold"].to_list() == ["", "A", "B", ""]
    assert shown["x"].is_sorted()
    assert shown["x"].is_unique().all()


def test_absent_hour_in_spring_leaves_no_row() -> None:
    start = datetime(2026, 3, 29, 0, tzinfo=UTC)
    shown = add_wall_clock(every(start, start + 2 * HOUR, HOUR), "Europe/Berlin")
    assert shown["local"].dt.hour().to_list() == [1, 3]
    assert shown["fold"].to_list() == ["", ""]


def test_quarters_of_the_repeated_hour_share_its_width() -> None:
    start = datetime(2026, 10, 25, 0, tzinfo=UTC)
    quarter = timedelta(minutes=15)
    shown = add_wall_clock(every(start, start + 9 * quarter, quarter), "Europe/Berlin")
    assert shown["x"].is_sorted()
    assert shown["x"].is_unique().all()
    assert shown["x"][-1].hour == 3


@pytest.mark.parametrize(
    ("key", "style", "text", "directives"),
    [
        ("de", "moment", "So 25.10.2026 02:00 A", "%a %d.%m.%Y %H:%M"),
        ("en", "moment", "Sun 25 Oct 2026 02:00 A", "%a %-d %b %Y %H:%M"),
        ("de", "short moment", "So 25.10. 02:00 A", "%a %d.%m. %H:%M"),
        ("en", "short moment", "Sun 25 Oct 02:00 A", "%a %-d %b %H:%M"),
        ("en", "short day", "Sun 25 Oct", "%a %-d %b"),
        ("en", "day", "Sun 25 Oct 2026", "%a %-d %b %Y"),
        ("de", "month", "Oktober 2026", "%B %Y"),
    ],
)
def test_times_are_written_as_the_language_does(
    key: str, style: Style, text: str, directives: str
) -> None:
    start = datetime(2026, 10, 25, 0, tzinfo=UTC)
    hour = timedelta(hours=1)
    shown = add_wall_clock(every(start, start + hour, hour), "Europe/Berlin")
    language = Language(key)
    assert written(shown, language, style) == [text]
    assert language.directives(style) == directives
