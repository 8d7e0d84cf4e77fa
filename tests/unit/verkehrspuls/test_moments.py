from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from verkehrspuls.moments import parse_moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", date(2026, 3, 1)),
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01t10:00z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        (
            "2026-03-01T10:00:00.25+01:00",
            datetime(2026, 3, 1, 10, 0, 0, 250_000, timezone(timedelta(hours=1))),
        ),
        # a plus that was not encoded in an address
        (
            "2026-03-01T10:00:00 01:00",
            datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=1))),
        ),
    ],
)
def test_times_with_offset_and_dates_are_read(text: str, expected: object) -> None:
    assert parse_moment(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gestern",
        "2026-03-01T10:00:00",
        "2026-13-01",
        "2026-02-30",
        "01.03.2026",
        "1772323200",
        "0001-01-01",
        "2026-03-01T10:00:00+25:00",
        "٢٠٢٦-03-01",
        "2026-03-01T24:00:01Z",
    ],
)
def test_everything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r".{10,}"):
        parse_moment(text)
