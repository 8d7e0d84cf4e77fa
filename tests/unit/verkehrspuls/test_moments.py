from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from verkehrspuls.moments import parse_at, parse_moment, utc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", date(2026, 3, 1)),
        (" 2026-03-01 ", date(2026, 3, 1)),
        ("01.03.2026", date(2026, 3, 1)),
        ("1.3.26", date(2026, 3, 1)),
        ("1.3.70", date(1970, 3, 1)),
        ("2026/03/01", date(2026, 3, 1)),
        ("2026/3/1", date(2026, 3, 1)),
        ("01.03.26 10:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
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
        "32.03.2026",
        "01.03.226",
        "01-03-2026",
        "2026/03-01",
        "20260301",
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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("01/02/2025", "write 2025-02-01 or 2025-01-02"),
        ("1/2/25", "write 2025-02-01 or 2025-01-02"),
        ("13/02/2025", "write 2025-02-13"),
        ("02/02/2025", "write 2025-02-02"),
        ("31/31/2025", "there is no day 31/31/2025"),
        ("30.02.2025", "there is no day 30.02.2025"),
        ("2025-02-01T24:00Z", "there is no time 2025-02-01T24:00Z"),
    ],
)
def test_refusals_say_in_our_words_what_to_write(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        parse_moment(text)


def test_a_time_without_offset_is_that_of_the_town() -> None:
    time = parse_at("01.07.2026 10:00", "Europe/Berlin")
    assert time == datetime(2026, 7, 1, 8, tzinfo=UTC)
    assert utc(date(2026, 7, 1), "Europe/Berlin") == datetime(
        2026, 6, 30, 22, tzinfo=UTC
    )
