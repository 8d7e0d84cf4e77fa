"""How complete bins, hours, days and means are; the traps of other projects by name."""

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.quality import completeness
from analytics.quality.gaps import Tolerance
from analytics.quality.validity import Rules
from analytics.volumes.daily import days
from analytics.volumes.volume import volumes
from tests.frames import (
    HOUR,
    channels,
    counts,
    hours,
    installed,
    make,
    one,
    stored,
    utc,
)
from verkehrspuls.settings import Analytics

MINUTE = timedelta(minutes=1)
T = utc("2026-11-18 10:00")
DAY = date(2026, 11, 18)
#: local midnight
START = utc("2026-11-17 23:00")


def hour_of(*minutes: int, car: int = 1, usual: float | None = None) -> dict[str, Any]:
    """The hour from T of readings of five minutes that start at these minutes."""
    readings = counts(*({"time": T + m * MINUTE, "car": car} for m in minutes))
    hour = volumes(readings).filter(pl.col("interval_s") == 3600, pl.col("time") == T)
    return one(stored(hour, usual=usual))


def shares(
    given: pl.DataFrame,
    *,
    excluded: pl.DataFrame | None = None,
    imputed: pl.DataFrame | None = None,
    attached: pl.DataFrame | None = None,
    day: date = DAY,
) -> dict[str, Any]:
    """The cross-section's day."""
    found = days(
        stored(given),
        make(frames.SITE_DAYS, [{"site_id": 1, "day": day}]),
        channels=channels(),
        installed=installed() if attached is None else attached,
        excluded=frames.empty(frames.SPANS) if excluded is None else excluded,
        imputed=imputed,
    )
    return one(found.filter(pl.col("direction") == "all"))


def span(since: datetime, until: datetime) -> pl.DataFrame:
    return make(frames.SPANS, [{"channel_id": 1, "since": since, "until": until}])


def imputed(*times: datetime, volume: float = 60) -> pl.DataFrame:
    return make(
        frames.IMPUTED,
        [{"time": time} for time in times],
        channel_id=1,
        interval_s=3600,
        volume=volume,
        method="median-1",
    )


EVERY_FIVE = range(0, 60, 5)


def without(*minutes: int) -> list[int]:
    return [minute for minute in EVERY_FIVE if minute not in minutes]


# gaps


def test_a_whole_hour_has_no_gap() -> None:
    found = hour_of(*EVERY_FIVE)
    assert (found["observed_s"], found["gap_s"], found["valid"]) == (3600, 0, True)


@pytest.mark.parametrize("lost", [(0, 5), (20, 25), (50, 55)])
def test_a_gap_is_found_at_the_beginning_within_and_at_the_end(
    lost: tuple[int, int],
) -> None:
    assert hour_of(*without(*lost))["gap_s"] == 600


def test_readings_lost_here_and_there_are_no_long_gap() -> None:
    found = hour_of(*without(10, 40))
    assert (found["observed_s"], found["gap_s"]) == (3000, 300)


def test_trap_3_bins_follow_the_clock_and_not_the_first_reading() -> None:
    found = volumes(counts({"time": T + 50 * MINUTE, "car": 1}))
    assert set(found["time"]) == {T, T + 45 * MINUTE}


def test_trap_10_an_offset_clock_makes_no_gap() -> None:
    found = hour_of(*(minute + 3 for minute in EVERY_FIVE))
    assert (found["observed_s"], found["gap_s"], found["valid"]) == (3600, 0, True)


def test_trap_10_an_offset_clock_hides_no_gap() -> None:
    assert hour_of(*(minute + 3 for minute in without(50, 55)))["gap_s"] == 420


def test_trap_11_readings_that_overlap_do_not_feign_that_all_was_observed() -> None:
    # a quarter of an hour, told four times with shifted times
    readings = counts(
        *({"time": T + m * MINUTE, "car": 5} for m in range(4)), interval_s=900
    )
    found = one(volumes(readings).filter(pl.col("interval_s") == 3600))
    assert found["observed_s"] == 18 * 60
    assert found["gap_s"] == 42 * 60


def test_trap_11_a_long_reading_around_short_ones_counts_once() -> None:
    readings = counts(
        {"time": T, "car": 9, "interval_s": 1800},
        {"time": T + 5 * MINUTE, "car": 1},
        {"time": T + 30 * MINUTE, "car": 1, "interval_s": 600},
    )
    found = one(volumes(readings).filter(pl.col("interval_s") == 3600))
    assert (found["observed_s"], found["gap_s"]) == (40 * 60, 20 * 60)


def test_trap_17_a_speed_of_zero_or_below_is_unknown_and_the_count_stays() -> None:
    readings = counts(
        {"time": T, "car": 9, "speed_kmh": 0.0},
        {"time": T + 5 * MINUTE, "car": 9, "speed_kmh": -1.0},
        {"time": T + 10 * MINUTE, "car": 2, "speed_kmh": 50.0},
    )
    found = one(volumes(readings).filter(pl.col("interval_s") == 3600))
    assert (found["volume"], found["speed_kmh"]) == (20, 50)


# valid hours


@pytest.mark.parametrize(
    ("usual", "lost", "valid"),
    [
        (50, (0, 5, 10), True),
        (99, (0, 5, 10, 15), False),
        (600, (20, 25), True),
        (600, (20, 25, 30), False),
        (1600, (20,), True),
        (1600, (20, 25), False),
        (1600, (20, 40), True),
    ],
)
def test_busier_channels_may_be_silent_for_less_time(
    usual: float, lost: tuple[int, ...], *, valid: bool
) -> None:
    assert hour_of(*without(*lost), usual=usual)["valid"] is valid


def test_where_nothing_is_usual_the_hour_itself_tells_how_busy_it_is() -> None:
    lost = without(20, 25)
    # 10 of 12 readings: 1,440 and 2,400 vehicles an hour
    assert hour_of(*lost, car=120)["valid"]
    assert not hour_of(*lost, car=200)["valid"]


def test_a_gap_of_unknown_length_is_as_long_as_all_that_is_missing() -> None:
    hour = hours(T, [1600], observed_s=3000)
    assert not one(stored(hour, usual=1600))["valid"]
    known = hour.with_columns(gap_s=pl.lit(300, pl.Int32))
    assert one(stored(known, usual=1600))["valid"]


def test_an_unknown_volume_tolerates_the_shortest_gap_only() -> None:
    volume = pl.DataFrame({"volume": [None, 99.0, 100.0, 1500.0]})
    found = volume.select(Tolerance().seconds(pl.col("volume")))
    assert found.to_series().to_list() == [300, 1200, 900, 300]


def test_rules_come_from_the_settings() -> None:
    assert Rules.of(Analytics()) == Rules()
    strict = Rules.of(Analytics(gap_volumes=(10,), gap_minutes=(6, 1)))
    hour = hours(T, [1600], observed_s=3000)
    assert not hour.with_columns(usual=pl.lit(5.0)).select(strict.of_bin()).item()


@pytest.mark.parametrize("given", [{"gap_minutes": (5,)}, {"gap_volumes": (9, 5, 7)}])
def test_settings_of_gaps_must_fit_together(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="gap_"):
        Analytics(**given)


# valid days and means


def test_a_day_needs_each_hour_of_both_peaks() -> None:
    for lost in (6, 9, 15, 18):
        series: list[int | None] = [9] * 24
        series[lost] = None
        assert not shares(hours(START, series))["valid"]
    for lost in (5, 10, 14, 19):
        series = [9] * 24
        series[lost] = None
        assert shares(hours(START, series))["valid"]


@pytest.mark.parametrize(
    ("day", "start", "length", "needed"),
    [
        (date(2026, 3, 29), utc("2026-03-28 23:00"), 23, 21),
        (date(2026, 10, 25), utc("2026-10-24 22:00"), 25, 22),
    ],
)
def test_trap_2_days_of_clock_change_need_as_large_a_part(
    day: date, start: datetime, length: int, needed: int
) -> None:
    def with_hours(count: int) -> bool:
        # hours of the night are missing, after the last peak
        return bool(shares(hours(start, [9] * count), day=day)["valid"])

    assert with_hours(length)
    assert with_hours(needed)
    assert not with_hours(needed - 1)


def test_an_hour_with_a_gap_too_long_is_no_valid_one() -> None:
    gaps = hours(START, [1600] * 4, observed_s=3000, gap_s=600)
    rest = hours(START + 4 * HOUR, [1600] * 20, gap_s=0)
    assert not shares(pl.concat([gaps, rest]))["valid"]


@pytest.mark.parametrize(
    ("calendar_days", "required"), [(1, 2), (4, 2), (5, 3), (52, 26), (365, 183)]
)
def test_a_mean_needs_two_days_and_half_of_the_calendar(
    calendar_days: int, required: int
) -> None:
    assert Rules().days_required(calendar_days) == required


# shares


def test_trap_1_what_is_missing_is_not_zero() -> None:
    found = shares(hours(START, [10] * 12))
    assert (found["volume"], found["observed"], found["expected"]) == (120, 0.5, 1)
    assert found["normalised"] == found["imputed"] == found["excluded"] == 0


def test_a_day_of_which_all_is_excluded_has_no_volume() -> None:
    found = shares(hours(START, [10] * 24), excluded=span(START, START + 24 * HOUR))
    assert found["volume"] is None
    assert found["volume_normalised"] is None
    assert (found["observed"], found["excluded"]) == (0, 1)


def test_only_what_a_sensor_was_attached_for_is_expected() -> None:
    noon = installed({"since": START + 12 * HOUR})
    found = shares(hours(START + 12 * HOUR, [10] * 12), attached=noon)
    assert (found["expected"], found["observed"]) == (0.5, 0.5)
    none = installed({"since": START + 240 * HOUR})
    assert shares(hours(START, [10] * 6), attached=none)["expected"] == 0.25


def test_trap_7_what_excludes_the_volume_excludes_each_class() -> None:
    given = hours(START, [10] * 2, car=8, truck=2, total=10, speed_kmh=50.0)
    found = completeness.of_bins(
        stored(given),
        excluded=span(START, START + HOUR),
        imputed=frames.empty(frames.IMPUTED),
    ).sort("time")
    for name in ("volume", "total", "car", "truck", "speed_kmh"):
        assert found[name].is_null().to_list() == [True, False]
    assert found["excluded_s"].to_list() == [3600, 0]
    assert found["valid"].to_list() == [False, True]


def test_what_is_imputed_is_never_observed() -> None:
    found = shares(
        hours(START, [10] * 12),
        imputed=imputed(*(START + n * HOUR for n in range(10, 18))),
    )
    # hours that are observed keep what was counted
    assert found["imputed"] == 0.25
    assert found["observed"] == 0.5
    assert found["volume"] == 120
    assert found["volume_normalised"] == 120
    assert found["volume_estimated"] == 120 + 6 * 60
    assert not found["valid"]


def test_an_hour_observed_below_half_is_imputed_for_the_rest() -> None:
    poor = hours(START, [5], observed_s=900)
    found = shares(poor, imputed=imputed(START))
    assert found["volume_estimated"] == 5 + 45
    assert found["imputed"] == pytest.approx(0.75 / 24)
    assert found["observed"] == pytest.approx(0.25 / 24)


def test_what_is_imputed_in_place_of_something_excluded_counts_once() -> None:
    found = shares(
        hours(START, [10] * 24),
        excluded=span(START, START + 2 * HOUR),
        imputed=imputed(START),
    )
    assert found["imputed"] == pytest.approx(1 / 24)
    assert found["excluded"] == pytest.approx(1 / 24)
    assert found["observed"] == pytest.approx(22 / 24)
    assert found["volume_estimated"] == 220 + 60


def test_a_day_that_is_only_imputed_has_no_volume_but_an_estimate() -> None:
    found = shares(
        hours(START, []), imputed=imputed(*(START + n * HOUR for n in range(24)))
    )
    assert found["volume"] is None
    assert found["volume_estimated"] == 24 * 60
    assert (found["observed"], found["imputed"], found["valid"]) == (0, 1, False)
