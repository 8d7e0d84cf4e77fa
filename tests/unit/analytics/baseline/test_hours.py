import math
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from analytics.baseline.hours import usual
from analytics.frames import EVENTS, SCHOOL_HOLIDAYS
from tests.frames import HOUR, channels, hours, one, utc, volumes

#: Wednesday, 10:00 in Berlin
TARGET = utc("2026-09-16 08:00")
WEEK = timedelta(weeks=1)


def at(*series: tuple[datetime, int], observed_s: int = 3600) -> pl.DataFrame:
    return volumes(
        *({"time": time, "volume": volume} for time, volume in series),
        observed_s=observed_s,
    )


def of(history: pl.DataFrame, target: datetime = TARGET) -> pl.DataFrame:
    targets = at((target, 0))
    return usual(history, targets, channels=channels(), weeks=8)


def test_median_and_spread_of_the_same_weekday() -> None:
    series = [100, 110, 90, 1000, 105]
    history = at(*((TARGET - (n + 1) * WEEK, v) for n, v in enumerate(series)))
    found = one(of(history))
    assert found["usual"] == 105
    # deviations 5 5 15 895 0: median 5, below the noise of counting, 106
    common = 106 + (0.1 * 105) ** 2
    median = 1 + math.pi / 10
    spread = ((5 * 106 + 4 * common) / 9 * median) ** 0.5
    assert found["usual_spread"] == pytest.approx(spread)


def test_spread_is_the_scaled_median_deviation() -> None:
    series = [100, 200, 300, 400]
    history = at(*((TARGET - (n + 1) * WEEK, v) for n, v in enumerate(series)))
    # median 250, deviations 150 50 50 150
    common = 251 + (0.1 * 250) ** 2
    median = 1 + math.pi / 8
    spread = ((4 * 148.26**2 + 4 * common) / 8 * median) ** 0.5
    assert one(of(history))["usual_spread"] == pytest.approx(spread)


def test_few_samples_that_agree_do_not_make_a_sensor_sure() -> None:
    def spread(samples: int) -> float:
        weeks = range(1, samples + 1)
        history = at(*((TARGET - n * WEEK, 1000) for n in weeks))
        return float(one(of(history))["usual_spread"])

    assert spread(4) > 1.2 * spread(8) > 1.2 * 1001**0.5


def test_nothing_from_the_day_itself_or_after_counts() -> None:
    past = [(TARGET - (n + 1) * WEEK, 100) for n in range(4)]
    later = [(TARGET, 9), (TARGET + HOUR, 9), (TARGET + WEEK, 9)]
    assert of(at(*past, *later)).equals(of(at(*past)))


def test_hours_before_the_window_do_not_count() -> None:
    history = at(*((TARGET - n * WEEK, 100) for n in range(8, 12)))
    assert of(history).is_empty()


def test_two_like_days_suffice() -> None:
    weeks = at(*((TARGET - n * WEEK, volume) for n, volume in ((1, 90), (2, 110))))
    found = one(of(weeks))
    assert found["usual"] == 100
    common = 101 + (0.1 * 100) ** 2
    # deviations of 10 are above the noise of counting
    spread = ((2 * 14.826**2 + 4 * common) / 6 * (1 + math.pi / 4)) ** 0.5
    assert found["usual_spread"] == pytest.approx(spread)
    assert of(weeks.head(1)).is_empty()


def test_incomplete_hours_are_no_samples_and_nearly_whole_ones_are_scaled() -> None:
    past = [(TARGET - (n + 1) * WEEK, 75) for n in range(4)]
    assert of(at(*past, observed_s=2400)).is_empty()
    assert one(of(at(*past, observed_s=2700)))["usual"] == 100


def test_few_weekdays_fall_back_to_all_workdays() -> None:
    # Tuesday, Monday, Friday, Thursday before the Wednesday
    past = [(TARGET - timedelta(days=n), 50) for n in (1, 2, 5, 6)]
    assert one(of(at(*past)))["usual"] == 50
    weekend = [(TARGET - timedelta(days=n), 50) for n in (3, 4, 10, 11)]
    assert of(at(*weekend)).is_empty()


def test_a_holiday_is_compared_with_sundays() -> None:
    # Corpus Christi, Thursday 4 June 2026, 10:00 in Berlin
    holiday = utc("2026-06-04 08:00")
    start = utc("2026-04-09 00:00")
    days = [start + timedelta(days=n) for n in range(56)]
    history = at(
        *(
            (
                day.replace(hour=8),
                10 if day.date().weekday() == 6 else 500,
            )
            for day in days
            if day.date()
            not in (date(2026, 5, 1), date(2026, 5, 14), date(2026, 5, 25))
        )
    )
    assert one(of(history, holiday))["usual"] == 10


def test_local_hours_are_compared_across_the_clock_change() -> None:
    # 07:00 in Berlin is 05:00 UTC in summer and 06:00 UTC in winter
    target = utc("2026-11-04 06:00")
    summer = [utc(f"2026-10-{day:02d} 05:00") for day in (7, 14, 21)]
    past = [*summer, utc("2026-10-28 06:00")]
    wrong = [(time + HOUR, 999) for time in summer]
    found = one(of(at(*((time, 70) for time in past), *wrong), target))
    assert found["usual"] == 70


def test_the_doubled_hour_has_two_samples() -> None:
    # Sunday 25 October: 02:00 in Berlin twice, at 00:00 and 01:00 UTC
    past = [
        (utc("2026-10-25 00:00"), 10),
        (utc("2026-10-25 01:00"), 20),
        (utc("2026-10-18 00:00"), 30),
        (utc("2026-10-11 00:00"), 40),
    ]
    assert one(of(at(*past), utc("2026-11-08 01:00")))["usual"] == 25


def test_channels_do_not_mix() -> None:
    history = pl.concat(
        hours(TARGET - (n + 1) * WEEK, [100 * channel], channel_id=channel)
        for n in range(4)
        for channel in (1, 2)
    )
    targets = pl.concat([hours(TARGET, [0], channel_id=c) for c in (1, 2)])
    # what does not count has no usual volume, and is in nobody's way
    air = {"channel_id": 3, "quantity": "no2_ugm3"}
    places = channels({"channel_id": 1}, {"channel_id": 2}, air)
    found = usual(history, targets, channels=places, weeks=8).sort("channel_id")
    assert found["usual"].to_list() == [100, 200]


def of_summer(target: datetime, holidays: pl.DataFrame | None) -> float:
    """Usual volume, of 100 on workdays and 60 on those of the holidays."""
    first = date(2026, 6, 29)
    history = at(
        *(
            (
                utc("2026-06-01 08:00") + timedelta(days=n),
                60 if date(2026, 6, 1) + timedelta(days=n) >= first else 100,
            )
            for n in range(70)
        )
    )
    found = usual(
        history,
        at((target, 0)),
        channels=channels(),
        weeks=8,
        school_holidays=holidays,
    )
    return float(one(found)["usual"])


def school_holidays(*terms: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [("RP", "holidays", *map(date.fromisoformat, term)) for term in terms],
        schema=dict(SCHOOL_HOLIDAYS),
        orient="row",
    )


SUMMER = school_holidays(("2026-04-01", "2026-04-10"), ("2026-06-29", "2026-08-07"))


def test_days_of_school_holidays_are_compared_with_each_other() -> None:
    # the second Wednesday of them: seven workdays of other weekdays are samples
    wednesday = utc("2026-07-08 08:00")
    assert of_summer(wednesday, None) == 100
    assert of_summer(wednesday, SUMMER) == 60
    # the first days of them have too few, and take what there is
    assert of_summer(utc("2026-06-30 08:00"), SUMMER) == 100


def test_days_after_school_holidays_are_not_compared_with_them() -> None:
    monday = utc("2026-08-10 08:00")
    assert of_summer(monday, None) == 60
    autumn = school_holidays(("2026-06-29", "2026-08-07"), ("2026-10-05", "2026-10-16"))
    before = pl.concat([SUMMER.head(1), autumn])
    assert of_summer(monday, before) == 100


def test_days_without_known_school_holidays_are_workdays() -> None:
    # what is known ends with the holidays
    assert of_summer(utc("2026-08-10 08:00"), SUMMER) == 100
    assert of_summer(utc("2026-07-08 08:00"), school_holidays()) == 100


#: Saturday, 15:00 in Berlin
SATURDAY = utc("2026-09-19 13:00")
MATCHES = [3200, 1100, 3100, 1000, 3300, 1150, 3250, 1050]


def of_saturday(
    volumes: list[int], events: pl.DataFrame | None = None, *, weeks: int = 8
) -> pl.DataFrame:
    """What is usual for SATURDAY, from the weeks before it, the last one first."""
    history = at(*((SATURDAY - (n + 1) * WEEK, v) for n, v in enumerate(volumes)))
    return usual(
        history, at((SATURDAY, 0)), channels=channels(), weeks=weeks, events=events
    )


def matches(*weeks_before: int) -> pl.DataFrame:
    days = [(SATURDAY - n * WEEK).date() for n in weeks_before]
    return pl.DataFrame(
        [(1, "Heimspiel", day, day) for day in days],
        schema=dict(EVENTS),
        orient="row",
    )


def test_of_two_kinds_of_saturdays_nothing_is_usual() -> None:
    found = one(of_saturday(MATCHES))
    assert found["usual"] is None
    # half of what lies between 1150 and 3100
    assert found["usual_spread"] == 975


def test_three_of_eight_are_a_kind_and_two_are_none() -> None:
    three = [1100, 3200, 1000, 1150, 3100, 1050, 3300, 1080]
    assert one(of_saturday(three))["usual"] is None
    two = [1100, 3200, 1000, 1150, 1120, 1050, 3300, 1080]
    assert one(of_saturday(two))["usual"] == 1110


@pytest.mark.parametrize(
    "volumes",
    [
        # a new level, a closure, a wide but even spread, few vehicles
        [1100, 1000, 1150, 1050, 3200, 3100, 3300, 3250],
        [3200, 3100, 1100, 1000, 1150, 3300, 3250, 3150],
        [1000, 1900, 1300, 1600, 1150, 1750, 1450, 2000],
        [12, 3, 11, 2, 13, 4, 12, 3],
    ],
)
def test_other_samples_have_a_median(volumes: list[int]) -> None:
    assert one(of_saturday(volumes))["usual"] is not None


def test_known_events_tell_the_kinds_apart() -> None:
    of_matches = matches(1, 3, 5, 7)
    assert one(of_saturday(MATCHES, of_matches))["usual"] == 1075
    today = pl.concat([of_matches, matches(0)])
    assert one(of_saturday(MATCHES, today))["usual"] == 3225


def test_events_that_do_not_tell_the_kinds_apart_do_not_help() -> None:
    assert one(of_saturday(MATCHES, matches(2)))["usual"] is None
    elsewhere = matches(1, 3, 5, 7).with_columns(pl.lit(2, pl.Int32).alias("site_id"))
    assert one(of_saturday(MATCHES, elsewhere))["usual"] is None


def test_kinds_are_looked_for_among_the_same_weekday_only() -> None:
    """Tuesdays and Wednesdays differ, and there are too few of each."""
    rows = [
        (TARGET - n * timedelta(days=1), 3200 if n % 2 else 1100)
        for n in range(1, 15)
        if n % 7 not in (0, 3, 4)
    ]
    assert one(of(at(*rows)))["usual"] is not None
