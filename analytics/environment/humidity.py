"""Humidity correction of particulate matter from optical sensors.

Particles swell in moist air, and sensors that measure scattered light read too high.
The measured values stay unchanged; the corrected values are returned separately.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.environment.averages import valid_hours
from analytics.frames import TIME, Schema, check


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Parameters of the κ-Köhler correction; they depend on the particles."""

    #: hygroscopicity of the particles: 0.3 to 0.5 in European towns
    kappa: float = 0.4
    #: density of dry particles in g/cm³
    density: float = 1.65
    #: relative humidity (%) above which the correction is not valid
    limit_pct: float = 95.0


METHOD: Final = "kappa-koehler-1"

#: `beyond`: above the valid humidity; corrected as at the limit.
CORRECTED_HOURS: Final[Schema] = {
    "channel_id": pl.Int32(),
    "time": TIME,
    "measured": pl.Float64(),
    "corrected": pl.Float64(),
    "humidity": pl.Float64(),
    "beyond": pl.Boolean(),
}


def correct(
    particles: pl.DataFrame,
    humidity: pl.DataFrame,
    *,
    parameters: Parameters = Parameters(),
) -> pl.DataFrame:
    """Correct hours of PM (ENVIRONMENT_HOURS) by the humidity (%) of the same hours.

    PM / C with C = 1 + (κ/ρ) / (1/a - 1), a = humidity / 100. Without humidity there
    is no corrected value, and no row. Several humidity channels are averaged.

    Source: Crilley et al. 2018, doi 10.5194/amt-11-709-2018; Di Antonio et al. 2018,
    doi 10.3390/s18092790.
    """
    moist = (
        valid_hours(humidity)
        .filter(pl.col("mean").is_between(0, 100))
        .group_by("time")
        .agg(humidity=pl.col("mean").mean())
    )
    activity = pl.min_horizontal("humidity", pl.lit(parameters.limit_pct)) / 100
    growth = (parameters.kappa / parameters.density) * activity / (1 - activity)
    return check(
        valid_hours(particles)
        .join(moist, on="time")
        .with_columns(
            measured="mean",
            corrected=pl.col("mean") / (1 + growth),
            beyond=pl.col("humidity") > parameters.limit_pct,
        )
        .sort("channel_id", "time"),
        CORRECTED_HOURS,
    )
