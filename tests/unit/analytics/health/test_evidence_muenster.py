"""The loops of Münster: what is wrong with real, uncontrolled data, counted exactly."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from analytics import frames
from analytics.health import out_of_range, zero_count
from analytics.health.evidence import Evidence
from analytics.health.frozen import MIN_RUN, repeats
from tests.health import LIMITS

#: Detectors looked at together, so that memory stays small.
CHUNK = 80


@pytest.fixture(scope="module")
def loops(data: Path) -> pl.LazyFrame:
    return pl.scan_parquet(data / "muenster_kfz" / "kfz_hourly_2015_2016.parquet")


def chunks(loops: pl.LazyFrame) -> Iterator[Evidence]:
    """Evidence of the motor-vehicle loops: readings of an hour on the wall clock."""
    name = pl.col("detector").cast(pl.String)
    motor = (
        loops.filter(name.str.starts_with("MQ_"))
        .with_columns(channel_id=pl.col("detector").to_physical().cast(pl.Int32))
        .drop("detector")
        .collect()
    )
    began = pl.col("date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    for _, part in motor.group_by(pl.col("channel_id") // CHUNK):
        yield _evidence(
            part.select(
                "channel_id",
                began=began,
                time=began + pl.duration(hours="hour"),
                interval_s=pl.lit(3600, pl.Int32),
                quantity=pl.lit("motor"),
                volume="count",
                occupancy=pl.lit(None, pl.Float32),
                speed_kmh=pl.lit(None, pl.Float32),
                value=pl.lit(None, pl.Float64),
                time_origin=pl.lit(0, pl.Int16),
                daytime=pl.col("hour").is_between(5, 22, closed="left"),
            )
        )


def _evidence(readings: pl.DataFrame) -> Evidence:
    frames.check(readings, frames.HEALTH_READINGS)
    periods = frames.check(
        readings.group_by("channel_id", "began")
        .agg(
            observed_s=(pl.col("volume").count() * 3600).cast(pl.Int32),
            expected_s=(pl.len() * 3600).cast(pl.Int32),
        )
        .with_columns(
            pl.lit(1, pl.Int32).alias(name)
            for name in ("municipality_id", "audience", "site_id", "sensor_id")
        )
        .with_columns(
            ended=pl.col("began") + pl.duration(days=1),
            since="began",
            until=pl.col("began") + pl.duration(days=1),
            day=pl.col("began").dt.date(),
            road=pl.lit(""),
            latitude=pl.lit(0.0),
            longitude=pl.lit(0.0),
            quantity=pl.lit("motor"),
            direction=pl.lit(""),
            complete=pl.lit(value=True),
        ),
        frames.PERIODS,
    )
    return Evidence(periods, periods, readings, frames.empty(frames.STORED_VOLUMES))


def test_known_counts_and_their_sum(loops: pl.LazyFrame) -> None:
    count = pl.col("count").cast(pl.Int64)
    known, total = (
        loops.select(count.count(), count.filter(count >= 0).sum().alias("total"))
        .collect()
        .row(0)
    )
    assert (known, total) == (9_948_521, 1_968_174_032)


def test_health_of_the_loops(loops: pl.LazyFrame) -> None:
    negative = days = frozen = 0
    for evidence in chunks(loops):
        outside = out_of_range.outside(evidence.readings)
        negative += outside.filter(pl.col("volume") < 0).height
        days += zero_count.find(evidence, LIMITS).height
        runs = repeats(evidence.readings, "volume")
        frozen += runs.filter(
            (pl.col("run") >= MIN_RUN) & (pl.col("volume") > 20)
        ).height
    assert (negative, days, frozen) == (126, 34, 438)
