"""Sections and corridors: travel times, reliability, bottlenecks, fields, balances."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from analytics import frames
from analytics.quantiles import lower, upper
from analytics.sections.bottlenecks import bottlenecks
from analytics.sections.conservation import SIGNED_VOLUMES, balances, residuals
from analytics.sections.reliability import TRAVEL_TIMES, reliability
from analytics.sections.smoothing import speed_field
from analytics.sections.stations import (
    FREE_SPEEDS,
    STATION_INTERVALS,
    free_speeds,
    station_intervals,
)
from analytics.sections.travel_time import (
    corridor_intervals,
    delays,
    section_intervals,
)
from tests.frames import HOUR, make, one, utc

T = utc("2026-11-18 07:00")
QUARTER = timedelta(minutes=15)


def road(
    *speeds: Sequence[float | None],
    flow: float | None = 600,
    start: datetime = T,
    every: timedelta = QUARTER,
    gap_m: float = 1000,
) -> pl.DataFrame:
    """STATION_INTERVALS: one row of speeds per station, one speed per interval."""
    return make(
        STATION_INTERVALS,
        [
            {
                "station": station,
                "chainage_m": station * gap_m,
                "time": start + n * every,
                "speed_kmh": speed,
            }
            for station, row in enumerate(speeds)
            for n, speed in enumerate(row)
        ],
        flow=flow,
    )


def free(*speeds: float, gap_m: float = 1000) -> pl.DataFrame:
    return make(
        FREE_SPEEDS,
        [
            {"station": n, "chainage_m": n * gap_m, "free_kmh": speed}
            for n, speed in enumerate(speeds)
        ],
    )


def test_each_station_tells_of_half_the_section() -> None:
    found = one(section_intervals(road([60], [30]), free(60, 60)))
    # 500 m at 60 km/h take 30 s, 500 m at 30 km/h 60 s: not 1 km at 45 km/h (80 s)
    assert found["travel_s"] == pytest.approx(90)
    assert found["speed_kmh"] == pytest.approx(40)
    assert found["free_s"] == pytest.approx(60)


def test_corridor_without_one_section_has_no_travel_time() -> None:
    stations = road([60, 60], [60, None], [60, 60])
    sections = section_intervals(stations, free(60, 60, 60))
    found = corridor_intervals(sections, count=2)
    assert found["travel_s"].to_list() == [pytest.approx(120), None]
    assert found["sections_known"].to_list() == [2, 0]


def test_silent_station_is_not_bridged() -> None:
    stations = road([60], [60], [60]).filter(pl.col("station") != 1)
    assert section_intervals(stations, free(60, 60, 60)).is_empty()


def test_delay_is_summed_before_it_is_divided() -> None:
    # 600 veh/h for a quarter of an hour, at 60 and at 20 km/h: 150 vehicles each
    sections = section_intervals(road([60, 20], [60, 20]), free(60, 60))
    found = one(delays(sections, interval_s=900))
    assert found["vehicle_km"] == pytest.approx(300)
    assert found["vehicle_h"] == pytest.approx(150 / 60 + 150 / 20)
    assert found["delay_h"] == pytest.approx(150 / 20 - 150 / 60)
    assert found["travel_time_index"] == pytest.approx(2)


def test_delay_against_one_reference_speed_never_gains_time() -> None:
    sections = section_intervals(road([60], [60]), free(60, 60))
    found = one(delays(sections, interval_s=900, reference_kmh=50))
    assert found["delay_h"] == 0


def test_free_speed_is_that_of_the_night_and_within_the_limit() -> None:
    night = road([50 + n for n in range(20)], [30] * 20, start=utc("2026-11-18 22:00"))
    day = road([5] * 40, [5] * 40)
    found = free_speeds(
        pl.concat([night, day]), time_zone="Europe/Berlin", limits_kmh={0: 60}
    )
    assert found["free_kmh"].to_list() == [60, 30]
    assert free_speeds(day, time_zone="Europe/Berlin").is_empty()


def test_free_speed_is_linear_between_the_speeds_of_the_night() -> None:
    """Of 40, 42, … 54 the 85th percentile is at 0.85 · 7 = 5.95 of them."""
    night = road([40 + 2 * n for n in range(8)], start=utc("2026-11-18 22:00"))
    found = free_speeds(night, time_zone="Europe/Berlin")
    assert found["free_kmh"].to_list() == [pytest.approx(40 + 2 * 5.95)]


def test_stations_take_what_is_observed_enough_and_no_sentinel_for_a_speed() -> None:
    volumes = pl.DataFrame(
        {
            "site_id": [1, 1, 1],
            "direction": ["in"] * 3,
            "time": [T, T + QUARTER, T + 2 * QUARTER],
            "observed": [1.0, 0.8, 0.75],
            # in the last one of four lanes is silent
            "least_observed": [1.0, 0.8, 0.0],
            "volume": [100, 80, 75],
            "speed_kmh": [50.0, 0.0, 50.0],
        }
    ).cast({"time": frames.TIME})
    stations = pl.DataFrame(
        {"station": [0], "site_id": [1], "direction": ["in"], "chainage_m": [250.0]}
    )
    found = station_intervals(volumes, stations, interval_s=900)
    assert found["flow"].to_list() == [400, 400]
    assert found["speed_kmh"].to_list() == [50, None]


def test_reliability_compares_the_same_time_of_day() -> None:
    days = 20
    slow = [60.0 + 6 * n for n in range(days)]
    times = make(
        TRAVEL_TIMES,
        [
            {"time": T + n * 24 * HOUR + h * HOUR, "travel_s": slow[n] if h else 60.0}
            for n in range(days)
            for h in (0, 1)
        ],
        free_s=60.0,
    )
    steady, jam = reliability(times, time_zone="Europe/Berlin").iter_rows(named=True)
    assert (steady["minute"], steady["days"]) == (8 * 60, 20)
    assert (steady["buffer_index"], steady["planning_time_index"]) == (0, 1)
    median, p95 = float(np.median(slow)), slow[-2]
    assert (jam["median_s"], jam["p95_s"]) == (median, p95)
    assert (jam["lower_s"], jam["upper_s"]) == (slow[3], slow[-4])
    assert jam["travel_time_index"] == pytest.approx(float(np.mean(slow)) / 60)
    assert jam["median_index"] == pytest.approx(median / 60)
    assert jam["buffer_index"] == pytest.approx((p95 - median) / median)
    assert jam["planning_time_index"] == pytest.approx(p95 / 60)
    assert jam["misery_index"] == pytest.approx(float(np.mean(slow[-4:])) / 60)


def commutes(*minutes: float) -> pl.DataFrame:
    """TRAVEL_TIMES of the same time on days that follow each other."""
    return make(
        TRAVEL_TIMES,
        [
            {"time": T + n * 24 * HOUR, "travel_s": 60 * one}
            for n, one in enumerate(minutes)
        ],
        free_s=240.0,
    )


def test_one_day_of_twenty_does_not_move_what_nineteen_took() -> None:
    """Nineteen days of 4.05 minutes at most, one of 35: plan 4.05, not 5.6."""
    usual = [4.0 + 0.05 * (n % 2) for n in range(19)]
    times = commutes(*usual[:7], 35.0, *usual[7:])
    found = one(reliability(times, time_zone="Europe/Berlin"))
    assert found["p95_s"] == pytest.approx(60 * 4.05)
    assert found["planning_time_index"] == pytest.approx(4.05 / 4)
    assert found["median_s"] == pytest.approx(60 * 4.025)
    assert found["buffer_index"] == pytest.approx(0.025 / 4.025)
    assert found["upper_s"] <= 60 * 4.05
    assert found["outlier_s"] == 60 * 35
    assert found["outlier_day"] == (T + 7 * 24 * HOUR).date()


def test_with_fewer_than_twenty_days_there_is_no_95th_percentile() -> None:
    """It would be the longest day. What needs no tail of the distribution is told."""
    found = one(reliability(commutes(*[4.0] * 18, 35.0), time_zone="Europe/Berlin"))
    assert (found["days"], found["median_s"]) == (19, 240)
    for name in ("p95_s", "buffer_index", "planning_time_index"):
        assert found[name] is None
    assert found["outlier_s"] == 60 * 35


def test_a_spread_of_days_has_no_outlier() -> None:
    found = one(
        reliability(
            commutes(*(4 + 0.5 * n for n in range(20))), time_zone="Europe/Berlin"
        )
    )
    assert (found["outlier_s"], found["outlier_day"]) == (None, None)


@pytest.mark.parametrize("n", [1, 2, 7, 19, 20, 21, 40, 99, 100])
def test_a_quantile_is_one_of_the_values(n: int) -> None:
    values = pl.DataFrame({"v": [float(i) for i in range(n, 0, -1)]})
    found = one(
        values.select(upper=upper(pl.col("v"), 95), lower=lower(pl.col("v"), 5))
    )
    below = values.filter(pl.col("v") <= found["upper"]).height
    assert below >= 0.95 * n > below - 1
    assert found["lower"] == n + 1 - found["upper"]


def test_few_days_tell_nothing_of_reliability() -> None:
    times = make(TRAVEL_TIMES, [{"time": T, "travel_s": 60.0, "free_s": 60.0}])
    found = one(reliability(times, time_zone="Europe/Berlin"))
    assert (found["days"], found["mean_s"], found["buffer_index"]) == (1, None, None)


def test_last_slow_station_before_free_traffic_is_the_bottleneck() -> None:
    jam, ok = [20.0] * 8, [60.0] * 8
    found = one(
        bottlenecks(road(ok, jam, jam, ok), free(60, 60, 60, 60), interval_s=900)
    )
    assert (found["station"], found["active"]) == (2, 8)
    assert (found["began"], found["ended"]) == (T, T + 8 * QUARTER)
    assert found["extent_m"] == 2000
    # 2 km at 20 in place of 60 km/h, 600 veh/h, 2 hours
    assert found["delay_h"] == pytest.approx(2 * 600 * 2 * (1 / 20 - 1 / 60))


def test_five_of_seven_make_it_last_and_gaps_stay_within() -> None:
    flicker = [20.0, 20, 60, 20, 20, 20, 60, 60, 60, 60, 60, 60]
    found = one(bottlenecks(road(flicker, [60.0] * 12), free(60, 60), interval_s=900))
    assert (found["active"], found["ended"]) == (5, T + 6 * QUARTER)
    four = [20.0, 20, 60, 20, 20, 60, 60, 60, 60, 60, 60, 60]
    assert bottlenecks(road(four, [60.0] * 12), free(60, 60), interval_s=900).is_empty()


def test_last_intervals_of_an_episode_belong_to_it() -> None:
    """Looking forward only would miss the intervals at its end."""
    late = [60.0] * 5 + [20.0] * 7
    found = one(bottlenecks(road(late, [60.0] * 12), free(60, 60), interval_s=900))
    assert (found["active"], found["ended"]) == (7, T + 12 * QUARTER)


def test_slow_everywhere_is_no_bottleneck_and_unknown_is_none() -> None:
    jam = [20.0] * 8
    assert bottlenecks(road(jam, jam), free(60, 60), interval_s=900).is_empty()
    unknown: list[float | None] = [None] * 8
    assert bottlenecks(road(jam, unknown), free(60, 60), interval_s=900).is_empty()
    assert bottlenecks(road(jam, jam).clear(), free(60), interval_s=900).is_empty()


def test_free_traffic_out_of_reach_makes_no_bottleneck() -> None:
    far = road([20.0] * 8, [60.0] * 8, gap_m=5000)
    found = bottlenecks(far, free(60, 60, gap_m=5000), interval_s=900)
    assert found.is_empty()


def test_constant_speed_is_smoothed_to_itself() -> None:
    found = speed_field(road([50] * 5, [50] * 5), interval_s=900, step_m=250)
    assert found["speed_kmh"].drop_nulls().to_list() == pytest.approx(
        [50.0] * found["speed_kmh"].count()
    )
    assert found["chainage_m"].unique().to_list() == [0, 250, 500, 750, 1000]


def test_jam_travels_upstream_between_stations() -> None:
    """It is at 2000 m at minute 60, at 0 m 8 minutes later: at -15 km/h."""
    minutes = timedelta(minutes=1)
    down = [20.0 if 60 <= n < 70 else 80.0 for n in range(120)]
    up = [20.0 if 68 <= n < 78 else 80.0 for n in range(120)]
    found = speed_field(
        road(up, down, every=minutes, gap_m=2000), interval_s=60, step_m=1000
    )
    middle = found.filter(pl.col("chainage_m") == 1000)
    slowest = middle.sort("speed_kmh")["time"][0]
    assert T + 64 * minutes <= slowest < T + 74 * minutes
    at_62 = middle.filter(pl.col("time") == T + 62 * minutes)["speed_kmh"].item()
    at_69 = middle.filter(pl.col("time") == T + 69 * minutes)["speed_kmh"].item()
    assert at_69 < 40 < at_62


def arms(entered: Sequence[float], left: Sequence[float]) -> pl.DataFrame:
    return make(
        SIGNED_VOLUMES,
        [
            {"time": T + n * HOUR, "volume": volume, "sign": sign}
            for sign, volumes in ((1, entered), (-1, left))
            for n, volume in enumerate(volumes)
        ],
        balance="a",
        places=2,
    )


def test_what_goes_in_and_does_not_come_out_is_a_residual() -> None:
    found = one(residuals(arms([500], [400])))
    assert (found["entered"], found["left"], found["residual"]) == (500, 400, 100)
    assert found["z"] == pytest.approx(100 / 30)


def test_interval_without_one_place_is_not_balanced() -> None:
    assert residuals(arms([500, 300], [400]))["time"].to_list() == [T]


def test_bias_is_found_with_its_interval() -> None:
    dice = np.random.default_rng(3)
    entered = dice.poisson(500, 200).astype(float)
    left = dice.poisson(450, 200).astype(float)
    found = one(balances(residuals(arms(entered.tolist(), left.tolist()))))
    assert found["low"] < 50 / 475 < found["high"]
    assert found["high"] - found["low"] < 0.03
    nothing = one(balances(residuals(arms([0], [0]))))
    assert (nothing["bias"], nothing["low"]) == (None, None)


def test_order_of_rows_does_not_matter() -> None:
    stations = road([20.0] * 8, [60.0] * 8)
    mixed = stations.sample(fraction=1, shuffle=True, seed=1)
    given = free(60, 60)
    assert bottlenecks(mixed, given, interval_s=900).equals(
        bottlenecks(stations, given, interval_s=900)
    )
    assert section_intervals(mixed, given).equals(section_intervals(stations, given))
    fields = [
        speed_field(s, interval_s=900, step_m=500).sort("time", "chainage_m")
        for s in (mixed, stations)
    ]
    assert fields[0]["speed_kmh"].to_list() == pytest.approx(
        fields[1]["speed_kmh"].to_list()
    )
