from datetime import timedelta

import polars as pl
import pytest

from analytics.volumes.volume import volumes
from tests.frames import counts, one, utc

T = utc("2026-11-18 10:00")
MINUTE = timedelta(minutes=1)


def bins(readings: pl.DataFrame, interval_s: int) -> pl.DataFrame:
    found = volumes(readings).filter(pl.col("interval_s") == interval_s)
    return found.sort("channel_id", "time")


def test_quarter_hours_and_hours_are_aligned_to_the_clock() -> None:
    readings = counts(
        {"time": utc("2026-11-18 10:10"), "car": 1},
        {"time": utc("2026-11-18 10:15"), "car": 2},
        {"time": utc("2026-11-18 10:55"), "car": 4},
        {"time": utc("2026-11-18 11:00"), "car": 8},
    )
    quarters = bins(readings, 900)
    assert quarters["time"].to_list() == [
        utc("2026-11-18 10:00"),
        utc("2026-11-18 10:15"),
        utc("2026-11-18 10:45"),
        utc("2026-11-18 11:00"),
    ]
    assert quarters["volume"].to_list() == [1, 2, 4, 8]
    whole = bins(readings, 3600)
    assert whole["volume"].to_list() == [7, 8]
    assert whole["observed_s"].to_list() == [900, 300]


def test_an_offset_interval_belongs_to_the_bin_of_its_start() -> None:
    readings = counts(
        {"time": utc("2026-11-18 10:58"), "car": 3},
        {"time": utc("2026-11-18 11:03"), "car": 5},
    )
    assert bins(readings, 3600)["volume"].to_list() == [3, 5]


def test_a_class_that_no_reading_knows_stays_unknown() -> None:
    readings = counts({"time": T, "car": 0}, {"time": T + 5 * MINUTE, "truck": 2})
    found = one(bins(readings, 3600))
    assert (found["car"], found["truck"], found["bus"]) == (0, 2, None)


def test_a_reading_without_counts_is_not_observed() -> None:
    later = utc("2026-11-18 11:00")
    readings = counts({"time": T, "speed_kmh": 50.0}, {"time": later, "car": 0})
    found = one(bins(readings, 3600))
    assert (found["time"], found["volume"], found["observed_s"]) == (later, 0, 300)


def test_total_and_classes_are_never_added() -> None:
    found = one(bins(counts({"time": T, "total": 10, "car": 8, "bus": 1}), 3600))
    assert (found["volume"], found["total"], found["car"]) == (10, 10, 8)


def test_only_classes_of_the_quantity_make_its_volume() -> None:
    row = {"time": T, "car": 5, "bicycle": 7}
    assert one(bins(counts(row), 3600))["volume"] == 5
    assert one(bins(counts(row, quantity="bicycle"), 3600))["volume"] == 7


def test_speed_is_weighted_by_counts_and_zero_is_unknown() -> None:
    readings = counts(
        {"time": T, "car": 30, "speed_kmh": 40.0},
        {"time": utc("2026-11-18 10:05"), "car": 10, "speed_kmh": 60.0},
        {"time": utc("2026-11-18 10:10"), "car": 99, "speed_kmh": 0.0},
        {"time": utc("2026-11-18 10:15"), "car": 99},
    )
    # (30 * 40 + 10 * 60) / 40
    assert one(bins(readings, 3600))["speed_kmh"] == pytest.approx(45)


def test_speed_is_unknown_where_nobody_drove() -> None:
    found = one(bins(counts({"time": T, "car": 0, "speed_kmh": 50.0}), 3600))
    assert found["speed_kmh"] is None


def test_readings_longer_than_a_bin_give_none() -> None:
    found = volumes(counts({"time": T, "car": 9}, interval_s=3600))
    assert found["interval_s"].to_list() == [3600]
    assert volumes(counts({"time": T, "car": 9}, interval_s=7200)).is_empty()


def test_observed_seconds_are_capped() -> None:
    readings = counts(
        {"time": T, "car": 9, "interval_s": 3600},
        {"time": utc("2026-11-18 10:30"), "car": 9, "interval_s": 3600},
    )
    assert one(bins(readings, 3600))["observed_s"] == 3600


def test_readings_longer_than_a_quarter_are_in_the_hour_beside_shorter_ones() -> None:
    readings = counts(
        {"time": T, "car": 4, "interval_s": 1800},
        {"time": utc("2026-11-18 10:30"), "car": 2},
        {"time": utc("2026-11-18 10:40"), "car": 1},
    )
    assert bins(readings, 900)["volume"].to_list() == [3]
    whole = one(bins(readings, 3600))
    assert (whole["volume"], whole["observed_s"], whole["gap_s"]) == (7, 2400, 900)


def test_bins_of_many_and_of_few_readings_do_not_mix() -> None:
    minutes = [{"time": T + n * MINUTE, "car": 1} for n in range(15)]
    fives = [
        {"time": T + n * MINUTE, "car": 10, "channel_id": 2, "interval_s": 300}
        for n in (0, 10)
    ]
    found = bins(counts(*minutes, *fives, interval_s=60), 900)
    assert found["volume"].to_list() == [15, 20]
    assert found["observed_s"].to_list() == [900, 600]
    assert found["gap_s"].to_list() == [0, 300]
    assert found["speed_kmh"].to_list() == [None, None]


def test_counts_whose_sum_is_too_large_are_an_error_and_not_another_number() -> None:
    most = 2**31 - 1
    readings = counts(
        {"time": T, "total": most}, {"time": T + 5 * MINUTE, "total": most}
    )
    with pytest.raises(pl.exceptions.InvalidOperationError):
        volumes(readings)


def test_sums_of_bins_are_right_where_all_together_are_too_large() -> None:
    most = (2**31 - 1) // 6
    minutes = [60 * hour + n for hour in range(3) for n in (0, 5, 15, 20, 25, 30)]
    readings = counts(*({"time": T + n * MINUTE, "total": most} for n in minutes))
    assert bins(readings, 900)["total"].to_list() == [n * most for n in (2, 3, 1) * 3]
    assert bins(readings, 3600)["total"].to_list() == [6 * most] * 3


def test_readings_before_1970_stay_with_their_channel() -> None:
    then = utc("1969-12-31 23:55")
    found = one(bins(counts({"time": then, "car": 1, "channel_id": 2}), 900))
    assert (found["channel_id"], found["time"]) == (2, utc("1969-12-31 23:45"))
