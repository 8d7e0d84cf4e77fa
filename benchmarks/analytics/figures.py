"""Speed of baseline and detectors on volumes in memory.

Rates are in rows of the input of each function: hours, quarter-hours, readings or days.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import polars as pl

from analytics import frames
from analytics.baseline import quarter_hours
from analytics.baseline.hours import usual as usual_volumes
from analytics.detectors import (
    congestion,
    drift,
    drop_out,
    incident,
    level_shift,
    silence,
    spike,
    stuck,
    unusual_day,
    unusual_volume,
)
from analytics.volumes.volume import volumes
from benchmarks.analytics import made

WEEKS: Final = 8
#: for everybody, as every site here is
_PUBLIC: Final = pl.lit(0, pl.Int32)


def rates(hours: int) -> tuple[int, dict[str, int]]:
    """Measure the hours per second of the baseline, and the rows of each detector."""
    counted = pl.concat([volumes(chunk) for chunk in made.chunks(hours)])
    of_hour = counted.filter(pl.col("interval_s") == 3600)
    channels = (
        of_hour.select("channel_id")
        .unique()
        .sort("channel_id")
        .with_columns(
            site_id=(pl.col("channel_id") - 1) // made.LANES + 1,
            quantity=pl.lit("motor"),
            direction=pl.lit("in"),
            state=pl.lit("RP"),
            time_zone=pl.lit(made.ZONE),
        )
        .cast(pl.Schema(frames.CHANNELS))
    )
    began = time.perf_counter()
    usual = usual_volumes(
        counted,
        of_hour.select("channel_id", "time"),
        channels=channels,
        weeks=WEEKS,
    )
    rate = round(of_hour.height / (time.perf_counter() - began))
    key = ["channel_id", "time"]
    judged = of_hour.join(usual, on=key, how="left")
    last = counted.select(pl.max("time")).item() - timedelta(weeks=2)
    quarters = quarter_hours.with_usual(
        counted.filter(
            pl.col("interval_s") == quarter_hours.QUARTER_S, pl.col("time") >= last
        ),
        usual,
    )
    of_town = (
        judged.join(channels, on="channel_id")
        .with_columns(audience=_PUBLIC)
        .select(list(frames.USUAL_HOURS))
    )
    return rate, _detectors(judged, quarters, _days(judged), of_town)


def _days(hours: pl.DataFrame) -> pl.DataFrame:
    local = pl.col("time").dt.convert_time_zone(made.ZONE).dt.date()
    return (
        hours.group_by("channel_id", local.alias("day"))
        .agg(
            pl.len().alias("hours"),
            pl.col("volume").sum().alias("observed"),
            pl.col("usual").fill_null(pl.col("volume")).sum(),
        )
        .with_columns(
            site_id=(pl.col("channel_id") - 1) // made.LANES + 1,
            quantity=pl.lit("motor"),
            time_zone=pl.lit(made.ZONE),
            audience=_PUBLIC,
        )
        .cast(pl.Schema(frames.CHANNEL_DAYS))
    )


def _detectors(
    hours: pl.DataFrame,
    quarters: pl.DataFrame,
    days: pl.DataFrame,
    usual: pl.DataFrame,
) -> dict[str, int]:
    readings = made.readings(0, made.CHUNK_H).select(list(frames.INTERVALS))
    installed = readings.group_by("channel_id").agg(
        since=pl.col("time").min(),
        until=pl.col("time").max(),
        interval_s=pl.col("interval_s").first(),
    )
    detectors: dict[str, tuple[pl.DataFrame, Callable[[pl.DataFrame], object]]] = {
        stuck.DETECTOR.code: (hours, stuck.detect),
        unusual_volume.DETECTOR.code: (usual, unusual_volume.detect),
        spike.DETECTOR.code: (quarters, spike.detect),
        drop_out.DETECTOR.code: (quarters, drop_out.detect),
        incident.DETECTOR.code: (quarters, incident.detect),
        f"{incident.DETECTOR.code}-speed": (quarters, incident.detect_speeds),
        congestion.DETECTOR.code: (quarters, congestion.detect),
        silence.DETECTOR.code: (readings, lambda rows: silence.gaps(rows, installed)),
        unusual_day.DETECTOR.code: (days, unusual_day.detect),
        level_shift.DETECTOR.code: (days, level_shift.detect),
        drift.DETECTOR.code: (days, drift.detect),
    }
    found = {}
    for name, (rows, detect) in detectors.items():
        began = time.perf_counter()
        detect(rows)
        found[name] = round(rows.height / (time.perf_counter() - began))
    return found
