"""No second of a channel counts twice, whatever was sent again and however shifted."""

import random
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics.environment.hours import hours as environment_hours
from analytics.volumes.volume import volumes
from tests.frames import counts, one, utc, values

T = utc("2026-11-18 00:00")
EARLY, LATE = utc("2026-11-19 00:00"), utc("2026-11-20 00:00")
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def day(
    shift: timedelta = timedelta(0), *, interval_s: int = 900, of: int = 0
) -> list[dict[str, Any]]:
    """A day of readings that count 1 to 23, later by a shift."""
    return [
        {
            "time": T + n * timedelta(seconds=interval_s) + shift,
            "interval_s": interval_s,
            "car": 1 + (n * 7 + of) % 23,
            "bus": n % 3,
        }
        for n in range(86_400 // interval_s)
    ]


def received(rows: list[dict[str, Any]], at: datetime) -> pl.DataFrame:
    return counts(*rows).with_columns(
        pl.lit(at).cast(pl.Datetime("us", "UTC")).alias("received_at")
    )


def total(found: pl.DataFrame, interval_s: int, name: str = "volume") -> int:
    return int(found.filter(pl.col("interval_s") == interval_s)[name].sum())


def sum_of(rows: list[dict[str, Any]]) -> int:
    return sum(row["car"] + row["bus"] for row in rows)


@pytest.mark.parametrize("shift_s", [1, 30, 48, 60, 300, 450, 840, 899])
@pytest.mark.parametrize("interval_s", [60, 300, 900, 3600])
def test_a_file_that_comes_again_later_counts_once(
    shift_s: int, interval_s: int
) -> None:
    again = day(shift_s * SECOND, interval_s=interval_s)
    both = pl.concat(
        [received(day(interval_s=interval_s), EARLY), received(again, LATE)]
    )
    found = volumes(both)
    # and of the first ones what was before the day's first correction
    most = sum_of(again) + sum_of(
        [r for r in day(interval_s=interval_s) if r["time"] < T + shift_s * SECOND]
    )
    assert sum_of(again) <= total(found, 3600) <= most
    if interval_s <= 900:
        assert total(found, 900) == total(found, 3600)
    assert (found["observed_s"] <= found["interval_s"]).all()


def test_one_second_later_the_sums_are_those_of_the_file() -> None:
    both = pl.concat([received(day(), EARLY), received(day(SECOND), LATE)])
    assert total(volumes(both), 3600) == sum_of(day())
    assert total(volumes(both), 3600, "bus") == sum(r["bus"] for r in day())


def test_what_was_received_later_counts() -> None:
    first, second = day(of=3), day(7 * MINUTE, of=5)
    late_second = pl.concat([received(first, EARLY), received(second, LATE)])
    late_first = pl.concat([received(first, LATE), received(second, EARLY)])
    assert total(volumes(late_second), 3600) == pytest.approx(sum_of(second), abs=12)
    assert total(volumes(late_first), 3600) == pytest.approx(sum_of(first), abs=12)


def test_an_uplink_that_is_delivered_again_counts_once() -> None:
    ten = T + 10 * MINUTE
    rows = counts(
        {"time": ten, "car": 7},
        {"time": ten + 48 * SECOND, "car": 7},
        {"time": ten + 10 * MINUTE, "car": 5},
        interval_s=600,
    ).with_columns(received_at=pl.col("time") + pl.duration(seconds=600))
    hour = one(volumes(rows).filter(pl.col("interval_s") == 3600))
    assert (hour["volume"], hour["car"], hour["observed_s"]) == (12, 12, 1200)


def test_clocks_with_some_jitter_lose_no_vehicle() -> None:
    rows = [
        row | {"time": row["time"] + random.Random(n).randint(-3, 3) * SECOND}
        for n, row in enumerate(day(interval_s=600))
    ]
    found = volumes(received(rows, EARLY))
    assert total(found, 3600) == sum_of(rows)


@pytest.mark.parametrize("hours_late", [True, False])
def test_hours_beside_quarters_count_once_and_quarters_stay(hours_late: bool) -> None:
    quarters, whole = day(), day(interval_s=3600)
    both = pl.concat(
        [
            received(quarters, EARLY if hours_late else LATE),
            received(
                [row for row in whole if row["time"] != T]
                + [whole[0] | {"time": T + SECOND}],
                LATE if hours_late else EARLY,
            ),
        ]
    )
    # one key cannot be there twice
    both = both.sort("received_at").unique(["channel_id", "time"], keep="last")
    found = volumes(both)
    if not hours_late:
        assert total(found, 900) == total(found, 3600) == sum_of(quarters)
    else:
        assert total(found, 3600) == sum_of(whole)


def test_hours_fill_what_quarters_lack() -> None:
    quarters = [
        {"time": T + n * 15 * MINUTE, "interval_s": 900, "car": 10} for n in (1, 2)
    ]
    hour = [{"time": T, "interval_s": 3600, "car": 100}]
    both = pl.concat([received(hour, EARLY), received(quarters, LATE)])
    found = one(volumes(both).filter(pl.col("interval_s") == 3600))
    # half of the hour by its quarters, half by the hour
    assert (found["volume"], found["observed_s"]) == (70, 3600)


def test_of_those_received_together_the_finer_ones_count() -> None:
    hour = {"time": T, "interval_s": 3600, "car": 100}
    quarters = [
        {"time": T + n * 15 * MINUTE + SECOND, "interval_s": 900, "car": 10}
        for n in range(4)
    ]
    found = volumes(received([hour, *quarters], EARLY))
    assert total(found, 3600) == 40


def test_the_order_of_reading_changes_nothing() -> None:
    both = pl.concat([received(day(), EARLY), received(day(400 * SECOND, of=9), LATE)])
    shuffled = both.sample(fraction=1, shuffle=True, seed=1)
    assert volumes(both).equals(volumes(shuffled))


def test_hours_computed_alone_are_as_in_the_whole() -> None:
    both = pl.concat([received(day(), EARLY), received(day(400 * SECOND, of=9), LATE)])
    whole = volumes(both).sort("interval_s", "time")
    parts = []
    for n in range(24):
        hour = T + n * timedelta(hours=1)
        near = both.filter(
            pl.col("time").is_between(hour - timedelta(hours=1), hour + 2 * 60 * MINUTE)
        )
        of = pl.DataFrame(
            {"channel_id": [1], "hour": [hour]},
            schema={"channel_id": pl.Int32, "hour": pl.Datetime("us", "UTC")},
        )
        parts.append(volumes(near, of=of))
    assert (
        pl.concat(parts)
        .sort("interval_s", "time")
        .equals(whole.filter(pl.col("time") < T + timedelta(days=1)))
    )


def test_other_channels_have_no_say() -> None:
    own = received(day(), EARLY)
    other = received(day(SECOND), LATE).with_columns(channel_id=pl.lit(2, pl.Int32))
    found = volumes(pl.concat([own, other]))
    assert total(found.filter(pl.col("channel_id") == 1), 3600) == sum_of(day())
    assert total(found.filter(pl.col("channel_id") == 2), 3600) == sum_of(day())


def test_sums_of_classes_stay_sums() -> None:
    both = pl.concat([received(day(), EARLY), received(day(400 * SECOND, of=9), LATE)])
    found = volumes(both)
    assert (found["car"] + found["bus"] == found["volume"]).all()


def test_speeds_weigh_by_what_counts() -> None:
    rows = pl.concat(
        [
            received([{"time": T, "car": 90, "speed_kmh": 30.0}], EARLY),
            received([{"time": T + SECOND, "car": 90, "speed_kmh": 50.0}], LATE),
        ]
    )
    hour = one(volumes(rows).filter(pl.col("interval_s") == 3600))
    assert (hour["volume"], hour["speed_kmh"]) == (90, 50)


@pytest.mark.parametrize(
    ("quantity", "mean"), [("temperature_c", 20.0), ("precipitation_mm", 20.0)]
)
def test_a_value_that_comes_again_weighs_once(quantity: str, mean: float) -> None:
    rows = values(
        {"time": T, "value": 10.0},
        {"time": T + SECOND, "value": 20.0},
        quantity=quantity,
    ).with_columns(received_at=pl.col("time"))
    hour = one(environment_hours(rows))
    assert hour["mean"] == pytest.approx(mean, abs=0.05)
    assert hour["observed_s"] == 601 or hour["observed_s"] == 600


def test_seconds_reported_by_a_sensor_are_observed() -> None:
    rows = counts(
        *({"time": T + n * 15 * MINUTE, "car": 10} for n in range(4)), interval_s=900
    ).with_columns(observed_s=pl.Series([900, 450, None, 0], dtype=pl.Int32))
    found = volumes(rows)
    hour = one(found.filter(pl.col("interval_s") == 3600))
    assert (hour["volume"], hour["observed_s"], hour["gap_s"]) == (40, 2250, 0)
    quarters = found.filter(pl.col("interval_s") == 900).sort("time")
    assert quarters["observed_s"].to_list() == [900, 450, 900, 0]


def test_seconds_reported_with_values_are_observed() -> None:
    rows = values(
        {"time": T, "value": 10.0},
        {"time": T + 10 * MINUTE, "value": 20.0},
        quantity="temperature_c",
    ).with_columns(observed_s=pl.Series([600, 60], dtype=pl.Int32))
    hour = one(environment_hours(rows))
    assert (hour["mean"], hour["observed_s"]) == (15, 660)
