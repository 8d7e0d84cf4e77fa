from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.volumes.daily import days
from tests.frames import (
    CLOCK_CHANGES,
    HOUR,
    channels,
    hours,
    installed,
    make,
    stored,
    utc,
    volumes,
)

DAY = date(2026, 11, 18)
#: local midnight
START = utc("2026-11-17 23:00")


def figures(
    given: pl.DataFrame,
    day: date = DAY,
    *,
    places: pl.DataFrame | None = None,
    attached: pl.DataFrame | None = None,
    excluded: pl.DataFrame | None = None,
) -> dict[str, dict[str, Any]]:
    """The figures of a day by direction."""
    found = days(
        stored(given),
        make(frames.SITE_DAYS, [{"site_id": 1, "day": day}]),
        channels=channels() if places is None else places,
        installed=installed() if attached is None else attached,
        excluded=frames.empty(frames.SPANS) if excluded is None else excluded,
    )
    return {row["direction"]: row for row in found.iter_rows(named=True)}


def quarters(start: datetime, series: list[int], **same: Any) -> pl.DataFrame:
    return volumes(
        *(
            {"time": start + n * HOUR / 4, "volume": volume}
            for n, volume in enumerate(series)
        ),
        interval_s=900,
        observed_s=900,
        **same,
    )


def test_a_whole_day() -> None:
    found = figures(hours(START, [10] * 24))["in"]
    assert found["volume"] == 240
    assert found["observed"] == 1
    assert (found["normalised"], found["imputed"], found["excluded"]) == (0, 0, 0)
    assert found["valid"]


@pytest.mark.parametrize(("day", "start", "length"), CLOCK_CHANGES)
def test_days_of_clock_change_have_all_their_hours(
    day: date, start: datetime, length: int
) -> None:
    around = hours(start - 2 * HOUR, [1000, 1000, *[10] * length, 1000])
    found = figures(around, day)["all"]
    assert found["volume"] == 10 * length
    assert found["observed"] == 1
    assert found["valid"]


def test_missing_hours_are_not_zero_but_unobserved() -> None:
    found = figures(hours(START, [10] * 12))["in"]
    assert found["volume"] == 120
    assert found["volume_normalised"] == 120
    assert found["observed"] == 0.5
    assert not found["valid"]


def test_a_day_without_data_has_no_row() -> None:
    assert figures(hours(START, [])) == {}


def test_partly_observed_hours_are_scaled_from_half_on() -> None:
    half = hours(START, [30], observed_s=1800)
    less = hours(START + HOUR, [30], observed_s=1200)
    rest = hours(START + 2 * HOUR, [30] * 22)
    found = figures(pl.concat([half, less, rest]))["in"]
    assert found["volume"] == 24 * 30
    assert found["volume_normalised"] == 25 * 30
    assert found["normalised"] == pytest.approx(0.5 / 24)
    assert found["observed"] == pytest.approx((22 + 0.5 + 1 / 3) / 24)


def test_21_hours_are_valid_and_20_are_not() -> None:
    assert figures(hours(START, [1] * 21))["in"]["valid"]
    assert not figures(hours(START, [1] * 20))["in"]["valid"]


def test_a_missing_peak_makes_a_day_invalid() -> None:
    series: list[int | None] = [1] * 24
    series[6:8] = [None, None]
    assert not figures(hours(START, series))["in"]["valid"]


def test_a_silent_channel_halves_the_observed_share_of_the_cross_section() -> None:
    places = channels({"channel_id": 1}, {"channel_id": 2, "direction": "out"})
    attached = installed({"channel_id": 1}, {"channel_id": 2})
    found = figures(hours(START, [10] * 24), places=places, attached=attached)
    assert found.keys() == {"in", "all"}
    assert found["in"]["observed"] == 1
    assert found["all"]["observed"] == 0.5
    assert not found["all"]["valid"]


def test_a_channel_that_was_not_installed_does_not_count() -> None:
    places = channels({"channel_id": 1}, {"channel_id": 2, "direction": "out"})
    attached = installed(
        {"channel_id": 1}, {"channel_id": 2, "since": utc("2026-11-18 23:00")}
    )
    found = figures(hours(START, [10] * 24), places=places, attached=attached)
    assert found["all"]["observed"] == 1


def test_directions_and_cross_section() -> None:
    places = channels(
        {"channel_id": 1}, {"channel_id": 2}, {"channel_id": 3, "direction": "out"}
    )
    given = pl.concat(
        [hours(START, [n] * 24, channel_id=c) for c, n in ((1, 1), (2, 10), (3, 100))]
    )
    found = figures(given, places=places)
    assert {k: v["volume"] for k, v in found.items()} == {
        "in": 11 * 24,
        "out": 100 * 24,
        "all": 111 * 24,
    }


def test_heavy_traffic_is_unknown_if_a_class_is_never_counted() -> None:
    heavy = {"truck": 1, "truck_trailer": 2, "articulated": 3}
    without_bus = hours(START, [10] * 24, **heavy)
    assert figures(without_bus)["in"]["heavy"] is None
    detailed = hours(START, [10] * 24, **heavy, bus=0, car_trailer=7)
    assert figures(detailed)["in"]["heavy"] == 6 * 24


def test_an_hour_without_classes_has_unknown_heavy_traffic() -> None:
    """A tenth is heavy; from noon on the sensor gives sums alone."""
    heavy = {"truck": 10, "truck_trailer": 0, "articulated": 0, "bus": 0}
    morning = hours(START, [100] * 12, **heavy)
    afternoon = hours(START + 12 * HOUR, [100] * 12, total=100)
    found = figures(pl.concat([morning, afternoon]))["in"]
    assert (found["volume"], found["heavy"]) == (2400, None)
    # what is missing as a whole takes no heavy vehicles with it
    assert figures(morning)["in"]["heavy"] == 120


@pytest.mark.parametrize(
    ("schemes", "heavy"),
    [
        (["tls-5+1"], 6),
        (["tls-8+1"], None),
        (["tls-2+1"], None),
        (["tls-5+1", "tls-8+1"], None),
    ],
)
def test_heavy_traffic_follows_the_class_scheme(
    schemes: list[str], heavy: int | None
) -> None:
    """5+1 counts articulated lorries with those that have a trailer."""
    detailed = hours(START, [10] * 24, truck=1, truck_trailer=5, bus=0, car_trailer=7)
    attached = installed(*({"class_scheme": scheme} for scheme in schemes))
    found = figures(detailed, attached=attached)["all"]["heavy"]
    assert found == (heavy and heavy * 24)


def test_heavy_traffic_of_a_cross_section_needs_all_channels() -> None:
    heavy = {"truck": 1, "truck_trailer": 0, "articulated": 0, "bus": 0}
    places = channels({"channel_id": 1}, {"channel_id": 2, "direction": "out"})
    given = pl.concat(
        [hours(START, [10], **heavy), hours(START, [10], channel_id=2, total=10)]
    )
    found = figures(given, places=places)
    assert {k: v["heavy"] for k, v in found.items()} == {
        "in": 1,
        "out": None,
        "all": None,
    }


def test_peak_hour_slides_over_quarter_hours() -> None:
    series = [1] * 96
    series[33:37] = [20, 30, 30, 20]
    given = pl.concat(
        [
            quarters(START, series),
            hours(START, [sum(series[4 * n : 4 * n + 4]) for n in range(24)]),
        ]
    )
    found = figures(given)["all"]
    assert found["peak_hour"] == START + 33 * HOUR / 4
    assert found["peak_volume"] == 100


def test_peak_hour_of_hourly_sources_is_on_the_hour() -> None:
    found = figures(hours(START, [1] * 8 + [50] + [1] * 15))["all"]
    assert found["peak_hour"] == START + 8 * HOUR
    assert found["peak_volume"] == 50


def test_an_hour_with_too_little_observed_is_no_peak() -> None:
    poor = hours(START, [99], observed_s=1800)
    found = figures(pl.concat([poor, hours(START + HOUR, [5] * 23)]))["in"]
    assert found["peak_volume"] == 5
    assert figures(poor)["in"]["peak_volume"] is None


@pytest.mark.parametrize(
    # of the hour from 7:15 on the silent lane knows three quarters
    ("quarterly", "peak"),
    [(True, (START + 29 * HOUR / 4, 3 * 40 + 300)), (False, (START, 160))],
)
def test_an_hour_without_one_of_four_lanes_is_no_peak(
    quarterly: bool, peak: tuple[datetime, int]
) -> None:
    """Three of four lanes are 75 % of what is expected, and a quarter too few."""
    lanes = range(1, 5)
    parts = []
    for lane in lanes:
        # at eight o'clock the fourth lane is silent
        known = [n for n in range(24) if lane < 4 or n != 8]
        counted = {n: 400 if n == 8 else 40 for n in known}
        parts += [
            hours(START + n * HOUR, [volume], channel_id=lane)
            for n, volume in counted.items()
        ]
        if quarterly:
            parts += [
                quarters(START + n * HOUR, [volume // 4] * 4, channel_id=lane)
                for n, volume in counted.items()
            ]
    found = figures(
        pl.concat(parts),
        places=channels(*({"channel_id": lane} for lane in lanes)),
        attached=installed(*({"channel_id": lane} for lane in lanes)),
    )["all"]
    assert (found["peak_hour"], found["peak_volume"]) == peak


def test_excluded_hours_count_only_as_excluded() -> None:
    spans = make(
        frames.SPANS,
        [{"channel_id": 1, "since": START + 0.5 * HOUR, "until": START + 2 * HOUR}],
    )
    found = figures(hours(START, [10] * 24), excluded=spans)["in"]
    assert found["volume"] == 220
    assert found["excluded"] == pytest.approx(2 / 24)
    assert found["observed"] == pytest.approx(22 / 24)


def test_speed_is_weighted_by_volume() -> None:
    given = pl.concat(
        [
            hours(START, [30], speed_kmh=40.0),
            hours(START + HOUR, [10], speed_kmh=60.0),
            hours(START + 2 * HOUR, [500]),
        ]
    )
    assert figures(given)["in"]["speed_kmh"] == pytest.approx(45)
