"""Noise levels, emission of traffic, wind rose, gauges, traffic and environment."""

from datetime import date
from math import log10

import numpy as np
import polars as pl
import pytest

from analytics import frames
from analytics.environment import rls19
from analytics.environment.gauges import crossings, reached, trends
from analytics.environment.noise import noise_days, noise_levels
from analytics.environment.wind import ROSE, by_sector, rose
from analytics.environment.with_traffic import class_means, effects, increments
from tests.frames import HOUR, make, one, utc

BERLIN = "Europe/Berlin"
#: 6 o'clock in Berlin
SIX = utc("2026-11-18 05:00")


def levels(start: str, *values: float | None) -> pl.DataFrame:
    return make(
        frames.ENVIRONMENT_HOURS,
        [
            {"time": utc(start) + n * HOUR, "mean": value}
            for n, value in enumerate(values)
            if value is not None
        ],
        channel_id=1,
        observed_s=3600,
    )


def test_night_belongs_to_the_day_before_and_counts_ten_decibels_more() -> None:
    found = one(
        noise_days(
            levels("2026-11-18 05:00", *[65.0] * 12, *[60.0] * 4, *[55.0] * 8),
            time_zone=BERLIN,
        )
    )
    assert found["day"] == date(2026, 11, 18)
    assert (found["lday"], found["levening"], found["lnight"]) == pytest.approx(
        (65, 60, 55)
    )
    # 65 by day, 60 + 5 in the evening, 55 + 10 at night: 65 all day long
    assert found["lden"] == pytest.approx(65)


def test_levels_are_averaged_by_energy() -> None:
    found = one(
        noise_days(
            levels("2026-11-18 05:00", *[60.0] * 6, *[70.0] * 6), time_zone=BERLIN
        )
    )
    assert found["lday"] == pytest.approx(10 * log10((10**6 + 10**7) / 2))


def test_missing_night_voids_lden_only() -> None:
    found = one(
        noise_days(
            levels("2026-11-18 05:00", *[65.0] * 16, *[55.0] * 5), time_zone=BERLIN
        )
    )
    assert found["lnight"] is None
    assert found["lden"] is None
    assert found["lday"] == pytest.approx(65)


@pytest.mark.parametrize(
    ("start", "length", "day"),
    [
        # the clocks go forward in the night of the 28th: 7 hours, and back: 9
        ("2026-03-28 21:00", 7, date(2026, 3, 28)),
        ("2026-10-24 20:00", 9, date(2026, 10, 24)),
    ],
)
def test_night_of_a_change_of_clocks(start: str, length: int, day: date) -> None:
    quiet_next_day = [80.0] * 12
    found = noise_days(
        levels(start, *[50.0] * length, *quiet_next_day), time_zone=BERLIN
    )
    night = one(found.filter(pl.col("lnight").is_not_null()))
    assert (night["day"], night["lnight"]) == (day, pytest.approx(50))
    assert found["lday"].drop_nulls().to_list() == pytest.approx([80])


def test_days_become_one_level_by_energy() -> None:
    days = pl.concat(
        noise_days(levels(start, *[level] * 24), time_zone=BERLIN)
        for start, level in (("2026-11-18 05:00", 60.0), ("2026-11-19 05:00", 70.0))
    )
    found = one(noise_levels(days))
    assert found["lday"] == pytest.approx(10 * log10((10**6 + 10**7) / 2))
    assert found["days_lden"] == 2


def traffic(**same: float) -> pl.DataFrame:
    return make(
        rls19.TRAFFIC_HOURS,
        [{"time": SIX}],
        **{"cars": 0.0, "lorries": 0.0, "trains": 0.0, "speed_kmh": 50.0, **same},
    )


def test_emission_of_cars_is_that_of_the_formula() -> None:
    power = 88 + 10 * log10(1 + (50 / 20) ** 3.06)
    expected = power + 10 * log10(1000 / 50) - 30
    found = traffic(cars=1000.0).select(rls19.emission()).item()
    assert found == pytest.approx(expected)


def test_twice_the_traffic_is_three_decibels_more() -> None:
    once, twice = (
        traffic(cars=flow, lorries=flow / 10).select(rls19.emission()).item()
        for flow in (400.0, 800.0)
    )
    assert twice - once == pytest.approx(10 * log10(2))


def test_no_traffic_and_no_speed_emit_nothing_that_is_known() -> None:
    assert traffic().select(rls19.emission()).item() is None
    unknown = traffic(cars=10.0).with_columns(speed_kmh=pl.lit(None, pl.Float64))
    assert unknown.select(rls19.emission()).item() is None


def test_residual_tells_the_hour_that_is_louder_than_its_traffic() -> None:
    hours = pl.concat(
        [
            traffic(cars=100.0 * (n + 1)).with_columns(time=pl.lit(SIX + n * HOUR))
            for n in range(5)
        ]
    ).cast({"time": frames.TIME})
    emitted = hours.select("time", mean=rls19.emission())
    measured = emitted.with_columns(
        mean=pl.col("mean") - 20 + pl.when(pl.col("time") == SIX).then(7).otherwise(0)
    )
    found = rls19.compare(hours, measured)
    assert found["residual"].to_list() == pytest.approx([7, 0, 0, 0, 0])


def test_volumes_of_both_directions_add_up_by_sound() -> None:
    classes = {"car": 80, "van": 10, "truck": 4, "articulated": 2, "motorcycle": 1}
    volumes = pl.DataFrame(
        [
            {"time": SIX, "direction": d, "observed": 1.0, "speed_kmh": v}
            | dict.fromkeys(frames.VOLUMES)
            | {"time": SIX, "observed": 1.0, "speed_kmh": v}
            | classes
            for d, v in (("in", 40.0), ("out", 60.0))
        ]
    ).cast({"time": frames.TIME})
    found = one(rls19.traffic_hours(volumes))
    assert (found["cars"], found["lorries"], found["trains"]) == (180, 8, 6)
    assert found["speed_kmh"] == pytest.approx(50)


def test_north_is_the_middle_of_its_sector_and_calm_has_none() -> None:
    wind = pl.DataFrame(
        {
            "time": [SIX + n * HOUR for n in range(5)],
            "speed": [3.0, 3.0, 0.2, 9.0, None],
            "direction": [355.0, 5.0, 180.0, 90.0, 90.0],
        }
    )
    values = pl.DataFrame({"time": [SIX, SIX + HOUR], "mean": [10.0, 20.0]})
    found = rose(wind, values)
    assert found.rows() == [
        (None, None, 1, 0.25, None),
        (0, 1, 2, 0.5, 15.0),
        (4, 4, 1, 0.25, None),
    ]


def gauge(*levels: float) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "channel_id": pl.Series([1] * len(levels), dtype=pl.Int32),
            "time": pl.Series(
                [SIX + n * HOUR for n in range(len(levels))], dtype=frames.TIME
            ),
            "mean": [float(level) for level in levels],
        }
    )


def test_waves_do_not_make_a_threshold_come_and_go() -> None:
    found = crossings(gauge(199, 201, 199, 201, 197, 199), {"alert 1": 200})
    assert [(r["time"], r["reached"]) for r in found.iter_rows(named=True)] == [
        (SIX + HOUR, True),
        (SIX + 4 * HOUR, False),
    ]


def test_first_level_crosses_nothing() -> None:
    assert crossings(gauge(250, 260), {"alert 1": 200}).is_empty()


def test_trend_is_the_slope_of_the_last_hours() -> None:
    found = one(trends(gauge(500, 100, 110, 120)))
    assert (found["level"], found["cm_per_h"]) == (120, pytest.approx(10))
    assert one(trends(gauge(100)))["cm_per_h"] is None


def test_increment_may_be_negative() -> None:
    a = pl.DataFrame({"time": [SIX, SIX + HOUR], "mean": [30.0, 10.0]})
    b = pl.DataFrame({"time": [SIX, SIX + HOUR], "mean": [12.0, 15.0]})
    same = a.cast({"time": frames.TIME}), b.cast({"time": frames.TIME})
    assert increments(*same)["increment"].to_list() == [18, -5]


def made_hours() -> pl.DataFrame:
    """NO2 = 10 + 0.02 · flow - 1.5 · wind + noise that lasts all day."""
    dice = np.random.default_rng(7)
    n = 60 * 24
    flow, wind = dice.uniform(0, 1500, n), dice.uniform(0, 6, n)
    daily = np.repeat(dice.normal(0, 3, 60), 24)
    return pl.DataFrame(
        {
            "time": [SIX + i * HOUR for i in range(n)],
            "flow": flow,
            "wind": wind,
            "increment": 10 + 0.02 * flow - 1.5 * wind + daily,
        }
    ).with_columns(day=pl.col("time").dt.convert_time_zone("Europe/Berlin").dt.date())


def test_effects_are_found_within_their_intervals() -> None:
    flow, wind = effects(made_hours(), "increment", terms=["flow", "wind"])
    assert flow.low < 0.02 < flow.high
    assert wind.low < -1.5 < wind.high
    assert flow.high - flow.low < 0.004


def test_days_that_differ_widen_the_interval() -> None:
    """A term that is the same all day is known from 60 days, not from 1,440 hours."""
    hours = made_hours().with_columns(
        parity=(pl.col("time").dt.ordinal_day() % 2).cast(pl.Float64)
    )
    (effect,) = effects(hours, "increment", terms=["parity"])
    assert effect.high - effect.low > 2  # 4 · 3 / √60, about 3; by hours about 1


def test_trap_2_days_are_local_ones() -> None:
    """Four local days lie on five days of UTC."""
    midnight = utc("2026-02-28 23:00")
    hours = [midnight + i * HOUR for i in range(4 * 24)]
    made = pl.DataFrame(
        {"time": hours, "flow": [float(n % 7) for n in range(96)]}
    ).with_columns(
        increment=pl.col("flow") * 2,
        day=pl.col("time").dt.convert_time_zone("Europe/Berlin").dt.date(),
    )
    assert class_means(made, "increment", on="flow", classes=1)["days"].to_list() == [4]


def test_terms_that_cannot_be_told_apart_have_no_effect() -> None:
    twice = made_hours().with_columns(again=pl.col("flow") * 2)
    assert effects(twice, "increment", terms=["flow", "again"]) == ()
    assert effects(made_hours().head(24), "increment", terms=["flow"]) == ()
    assert effects(made_hours().clear(), "increment", terms=["flow"]) == ()


def test_classes_hold_equally_many_hours_and_rise_with_the_flow() -> None:
    found = class_means(made_hours(), "increment", on="flow")
    assert found["hours"].to_list() == [288] * 5
    assert found["mean"].is_sorted()
    assert (found["low"] < found["mean"]).all()
    assert (found["greatest"].head(4) <= found["lowest"].tail(4)).all()
    assert class_means(made_hours().clear(), "increment", on="flow").is_empty()


@pytest.mark.parametrize(
    ("level", "name"), [(None, None), (99, None), (100, "low"), (310.0, "high")]
)
def test_the_highest_threshold_that_a_level_reaches_is_named(
    level: float | None, name: str | None
) -> None:
    assert reached(level, {"high": 300, "low": 100, "highest": 400}) == name


def test_sectors_sum_their_speed_classes_and_calm_is_apart() -> None:
    rows = [(None, None, 0.25), (0, 1, 0.25), (4, 0, 0.25), (4, 2, 0.25)]
    found = by_sector(
        make(
            ROSE,
            [
                {"sector": sector, "speed_class": n, "hours": 1, "share": share}
                for sector, n, share in rows
            ],
        )
    )
    assert found.rows() == [(None, 0.25), (0, 0.25), (4, 0.5)]
