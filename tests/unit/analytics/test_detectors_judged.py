"""The detectors of quarter-hours, of air and noise, and of whole days."""

import random
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from math import exp, log
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.baseline import quarter_hours
from analytics.detectors import (
    congestion,
    drift,
    drop_out,
    exceedance,
    incident,
    level_shift,
    odd_pair,
    spike,
    stuck,
    unusual_day,
)
from tests.frames import HOUR, channels, make, one, utc, volumes

T = utc("2026-11-18 06:00")
QUARTER = timedelta(minutes=15)
DAY = date(2026, 11, 18)


def quarters(*rows: Mapping[str, Any], usual: float = 100.0) -> pl.DataFrame:
    """Quarter-hours from T on, whole ones, with what is usual."""
    spread = (usual + 1 + (0.12 * usual) ** 2) ** 0.5
    return make(
        frames.STORED_VOLUMES,
        [{"time": T + n * QUARTER, **row} for n, row in enumerate(rows)],
        channel_id=1,
        interval_s=900,
        observed_s=900,
        usual=usual,
        usual_spread=spread,
    )


def counted(*series: int, usual: float = 100.0) -> pl.DataFrame:
    return quarters(*({"volume": volume} for volume in series), usual=usual)


def values(*series: float, quantity: str = "no2_ugm3", **more: Any) -> Any:
    hours = make(
        frames.ENVIRONMENT_HOURS,
        [
            {"time": T + n * HOUR, "mean": v, "minimum": v - 1, "maximum": v + 1} | more
            for n, v in enumerate(series)
        ],
        channel_id=1,
        observed_s=3600,
    )
    return hours, channels({"quantity": quantity})


def test_quarters_add_up_to_their_usual_hour() -> None:
    usual = make(
        frames.USUAL,
        [
            {"time": T + n * HOUR, "usual": volume}
            for n, volume in enumerate((40.0, 400.0, 900.0, 0.0))
        ],
        channel_id=1,
        usual_spread=30.0,
    )
    rows = volumes(
        *({"time": T + n * QUARTER, "volume": 1} for n in range(16)), interval_s=900
    )
    found = quarter_hours.with_usual(rows, usual)
    hours = found.group_by(pl.col("time").dt.truncate("1h")).agg(pl.col("usual").sum())
    assert hours.sort("time")["usual"].to_list() == pytest.approx([40, 400, 900, 0])
    assert (found["usual"] >= 0).all()
    rising = found["usual"].to_list()[4:8]
    assert rising == sorted(rising)


def test_a_quarter_without_a_usual_hour_is_not_judged() -> None:
    rows = volumes({"time": T, "volume": 900}, interval_s=900)
    found = quarter_hours.with_usual(rows, frames.empty(frames.USUAL))
    assert one(found)["usual"] is None
    assert spike.detect(found).is_empty()


def test_spike() -> None:
    found = one(spike.detect(counted(100, 110, 900, 100)))
    assert found["began"] == T + 2 * QUARTER
    # a rise that lasts is no spike, and neither is the first quarter-hour known
    assert spike.detect(counted(900, 900, 900)).is_empty()
    assert spike.detect(counted(1, 1, 9, 1, usual=2)).is_empty()


def test_spike_of_air() -> None:
    calm = [20.0 + n % 3 for n in range(24)]
    assert one(spike.detect_values(*values(*calm, 90)))["began"] == T + 24 * HOUR
    assert spike.detect_values(*values(*calm, 40)).is_empty()
    # with too little before it nothing can be said
    assert spike.detect_values(*values(*calm[:6], 90)).is_empty()


def test_drop_out() -> None:
    found = one(drop_out.detect(counted(100, 0, 3, 0, 100)))
    assert (found["began"], found["ended"]) == (T + QUARTER, T + 4 * QUARTER)
    assert (found["observed"], found["reason"]) == (3, "no-traffic")
    assert drop_out.detect(counted(100, 0, 100)).is_empty()
    # at night nobody passes
    assert drop_out.detect(counted(0, 0, 0, 0, usual=3)).is_empty()


def test_a_gap_ends_a_drop_out() -> None:
    rows = counted(0, 0, 100, 0).filter(pl.col("volume") == 0)
    assert one(drop_out.detect(rows))["ended"] == T + 2 * QUARTER


def test_incident() -> None:
    found = one(incident.detect(counted(100, 95, 105, 100, 30, 25, 40, 100)))
    assert (found["began"], found["ended"]) == (T + 4 * QUARTER, T + 7 * QUARTER)
    # traffic that ebbs away is none, and neither is what lasts for half a day
    assert incident.detect(counted(100, 90, 80, 72, 66, 60, 55, 50, 48)).is_empty()
    assert incident.detect(counted(100, 100, 100, 100, *[20] * 20)).is_empty()


def speeds(*series: float | None) -> pl.DataFrame:
    return quarters(*({"volume": 100, "speed_kmh": speed} for speed in series))


def test_congestion_and_sudden_jam() -> None:
    free = [50.0] * 24
    jam = speeds(*free, 10, 8, 12, 50)
    found = one(congestion.detect(jam))
    assert (found["began"], found["ended"]) == (T + 24 * QUARTER, T + 27 * QUARTER)
    assert (found["observed"], found["usual"]) == (pytest.approx(10), 50)
    assert one(incident.detect_speeds(jam))["reason"] == "incident-speed"
    # the jam of every day builds up
    slow = speeds(*free, 42, 36, 31, 28, 26, 50)
    assert congestion.detect(slow).height == 1
    assert incident.detect_speeds(slow).is_empty()


def test_nothing_is_said_of_speeds_that_are_not_measured() -> None:
    assert congestion.detect(speeds(*[None] * 30)).is_empty()
    few = speeds(*[50.0] * 10, 8, 8)
    assert congestion.detect(few).is_empty()


def test_exceedance() -> None:
    found = one(exceedance.detect(*values(150, 210, 250, 190)))
    assert (found["began"], found["ended"]) == (T + HOUR, T + 3 * HOUR)
    assert (found["observed"], found["usual"], found["score"]) == (250, 200, 1.25)
    assert exceedance.detect(*values(300, quantity="pm10_ugm3")).is_empty()


def test_a_value_that_stands_still_is_stuck() -> None:
    still: dict[str, Any] = {"minimum": 31.2, "maximum": 31.2}
    found = one(stuck.detect_values(*values(*[31.2] * 4, **still)))
    assert (found["ended"], found["reason"]) == (T + 4 * HOUR, "stuck")
    assert stuck.detect_values(*values(*[31.2] * 3, **still)).is_empty()
    assert stuck.detect_values(*values(*[31.2] * 9)).is_empty()
    # humidity may stand at 100 % for a night
    fog = values(*[100.0] * 9, quantity="humidity_pct", minimum=100.0, maximum=100.0)
    assert stuck.detect_values(*fog).is_empty()


def days(*ratios: Sequence[float]) -> pl.DataFrame:
    """Days of sites 1, 2, … of one channel: observed, as shares of a usual 10,000."""
    return make(
        frames.CHANNEL_DAYS,
        [
            {
                "channel_id": channel,
                "site_id": channel,
                "day": DAY + timedelta(days=day),
                "observed": 10_000 * ratio,
            }
            for channel, series in enumerate(ratios, start=1)
            for day, ratio in enumerate(series)
        ],
        quantity="motor",
        audience=0,
        time_zone="Europe/Berlin",
        hours=24,
        usual=10_000.0,
    )


def usual_days(number: int) -> list[float]:
    chance = random.Random(number)
    return [1 + chance.uniform(-0.03, 0.03) for _ in range(number)]


def test_unusual_day() -> None:
    found = one(unusual_day.detect(days([*usual_days(20), 0.5, 1])))
    assert (found["began"], found["ended"]) == (
        utc("2026-12-07 23:00"),
        utc("2026-12-08 23:00"),
    )
    assert found["reason"] == "day-below-usual"
    # a new channel is judged against what is common
    assert unusual_day.detect(days([1, 0.5])).height == 1
    assert unusual_day.detect(days([*usual_days(20), 0.85])).is_empty()


def test_a_day_that_is_like_that_all_over_the_town_is_not_unusual() -> None:
    rainy = [*usual_days(20), 0.72]
    assert unusual_day.detect(days(rainy)).height == 1
    assert unusual_day.detect(days(*[rainy] * 12)).is_empty()
    alone = unusual_day.detect(days([*usual_days(20), 1], *[rainy] * 12))
    hit = one(alone)
    assert (hit["channel_id"], hit["reason"]) == (1, "day-above-usual")
    assert hit["usual"] == pytest.approx(10_000 * exp(log(7201 / 10_001) * 12 / 16))
    storm = days(*[[*usual_days(20), 0.3]] * 12)
    assert unusual_day.detect(storm).height == 12


def test_a_day_with_few_known_hours_is_not_judged() -> None:
    short = days([1, 0.1]).with_columns(hours=pl.lit(19, pl.Int32))
    assert unusual_day.detect(short).is_empty()


def test_level_shift() -> None:
    found = level_shift.detect(days([*usual_days(14), 0.6, 0.58, 0.62, 0.6]))
    assert found["reason"].unique().to_list() == ["level-down"]
    assert found["began"].min() == utc("2026-12-01 23:00")
    two = level_shift.detect(days([*usual_days(14), 0.6, 0.58, 1]))
    assert two.is_empty()


def test_what_the_whole_town_does_is_no_shift_of_a_channel() -> None:
    # school holidays: all fall together
    all_fall = [[*usual_days(14), 0.6, 0.6, 0.6, 0.6]] * 4
    assert level_shift.detect(days(*all_fall)).is_empty()
    steady = [usual_days(18)] * 3
    one_falls = level_shift.detect(days([*usual_days(14), *[0.6] * 4], *steady))
    assert one_falls["channel_id"].unique().to_list() == [1]


def test_drift() -> None:
    falling = [1 - 0.03 * day for day in range(14)]
    found = drift.detect(days([*usual_days(20), *falling], *[usual_days(34)] * 4))
    assert found["channel_id"].unique().to_list() == [1]
    assert found["reason"].unique().to_list() == ["drift-down"]
    # a single step is another thing
    step = days([*usual_days(20), *[0.6] * 14])
    assert drift.detect(step).is_empty()


def test_a_zero_that_creeps_is_drift() -> None:
    def lowest(*series: float) -> pl.DataFrame:
        return make(
            frames.VALUE_DAYS,
            [
                {"day": DAY + timedelta(days=n), "minimum": value}
                for n, value in enumerate(series)
            ],
            channel_id=1,
            quantity="no2_ugm3",
            time_zone="Europe/Berlin",
            hours=24,
        )

    chance = random.Random(1)
    noise = [chance.uniform(-1, 1) for _ in range(14)]
    creeping = lowest(*(8 + 1.5 * n + noise[n] for n in range(14)))
    assert set(drift.detect_values(creeping)["reason"]) == {"drift-up"}
    assert drift.detect_values(lowest(*(8 + 2 * v for v in noise))).is_empty()


def pairs(*rows: tuple[float, float], usual: float = 500) -> pl.DataFrame:
    """Ten days of one hour a day, then hours with (volume, level)."""
    start = T - timedelta(days=10)
    before = [
        {
            "time": start + timedelta(days=day) + hour * HOUR,
            "volume": usual,
            "level": 65.0,
        }
        for day in range(10)
        for hour in range(6)
    ]
    now = [
        {"time": T + n * HOUR, "volume": volume, "level": level}
        for n, (volume, level) in enumerate(rows)
    ]
    frame = make(
        frames.PAIRED_HOURS,
        [*before, *now],
        channel_id=1,
        noise_channel_id=2,
        usual=float(usual),
        weekend=False,
    )
    return frame.with_columns(local_hour=pl.col("time").dt.hour())


def test_noise_without_cars() -> None:
    found = one(odd_pair.detect(pairs(*[(100, 65)] * 4)))
    assert (found["reason"], found["channel_id"]) == ("noise-without-cars", 1)
    # a closed road is quiet
    assert odd_pair.detect(pairs(*[(100, 58)] * 4)).is_empty()
    assert odd_pair.detect(pairs(*[(100, 65)] * 2)).is_empty()


def test_cars_without_noise() -> None:
    found = one(odd_pair.detect(pairs(*[(490, 52)] * 3)))
    assert (found["reason"], found["channel_id"]) == ("cars-without-noise", 2)
    assert found["usual"] == 65
