"""Density, utilisation, and level of service by a configurable profile."""

from typing import Final

import numpy as np
import polars as pl

from analytics.flow.figure import Figure, Reason, Result
from analytics.flow.histograms import as_matrix
from analytics.flow.inputs import passport_of_bins
from analytics.flow.parameters import ServiceProfile
from analytics.flow.speeds import space_mean
from analytics.frames import FLOW_BINS, SPEED_HISTOGRAMS, Schema, check
from analytics.quality.passport import Passport

METHOD: Final = "service-1"
LEVELS: Final = ("A", "B", "C", "D", "E", "F")
#: Local hours whose speeds represent free flow, the quantile used, and the hours
#: required.
NIGHT: Final = (22, 23, 0, 1, 2, 3, 4, 5)
FREE_FLOW_QUANTILE: Final = 0.85
MIN_NIGHT_HOURS: Final = 20

SERVICE_HOURS: Final[Schema] = {
    "level": pl.String(),
    "hours": pl.UInt32(),
    "share": pl.Float64(),
}


def service(
    hours: pl.DataFrame,
    histograms: pl.DataFrame,
    *,
    profile: ServiceProfile,
    lanes: int | None,
    capacity: float | None,
    limit_kmh: float | None,
    unit: str,
    expected: int,
) -> Result:
    """Judge each hour of FLOW_BINS of one direction, or of the cross-section.

    speed v of an hour: space mean of its SPEED_HISTOGRAMS if there are any, else the
        sensors' mean of spot speeds, which is greater, so that density is too small.
    density: k = q / v per lane, in vehicles/km; the maximum of the period.
    capacity: `capacity`, else lanes times that of the profile, in vehicles/h.
    utilisation: x = q / capacity; the greatest of the period.
    free_flow_speed: 0.85 quantile of the hourly speeds of the night (22-06), at most
        the limit; needs 20 hours.
    speed_index: v / free_flow_speed; the least of the period.
    level_e_or_f: share of the judged hours with level E or F.

    The table counts the hours by level, by the profile's measure and bounds. An unknown
    hour has no level. Vehicles are not converted to car units here. Source of the
    bounds: the profile; of k = q / v: DOMAIN.md 4.3.
    """
    passport = passport_of_bins(
        check(hours, FLOW_BINS), method=METHOD, expected=expected
    )
    total = capacity or (lanes and lanes * profile.capacity_per_lane)
    rows = _with_space_mean(hours, check(histograms, SPEED_HISTOGRAMS))
    free_flow = _free_flow(rows, limit_kmh)
    speed = pl.when(pl.col("v") > 0).then("v")
    rows = rows.drop_nulls("flow").with_columns(
        density=pl.col("flow") / speed / pl.lit(lanes, pl.Float64),
        utilisation=pl.col("flow") / pl.lit(total, pl.Float64),
        speed_index=speed / pl.lit(free_flow, pl.Float64),
    )
    judged = _levels(rows, profile)
    nothing = Reason("too-few-hours", 0, 1)
    no_lanes = Reason("lanes-unknown") if lanes is None else None
    no_capacity = Reason("lanes-unknown") if total is None else None
    no_speed = Reason("no-speeds") if rows["v"].count() == 0 else None
    no_night = Reason("no-speeds") if free_flow is None else None

    def extreme(
        name: str, its_unit: str, reason: Reason | None, *, least: bool
    ) -> Figure:
        found = rows.drop_nulls(name).sort(name, "time", descending=[not least, False])
        reason = reason or (nothing if found.is_empty() else None)
        value, time = (None, None) if reason else found.select(name, "time").row(0)
        return Figure(
            name=name,
            unit=its_unit,
            passport=passport,
            value=value,
            at=time,
            reason=reason,
        )

    worst = judged.filter(pl.col("level").is_in(["E", "F"]))["share"].sum()
    unjudged = nothing if not judged["hours"].sum() else None
    return Result(
        (
            extreme("density", f"{unit}/km", no_lanes or no_speed, least=False),
            _plain("capacity", f"{unit}/h", total, no_capacity, passport),
            extreme("utilisation", "1", no_capacity, least=False),
            _plain("free_flow_speed", "km/h", free_flow, no_night, passport),
            extreme("speed_index", "1", no_night, least=True),
            _plain("level_e_or_f", "1", float(worst), unjudged, passport),
        ),
        judged,
        passport,
    )


def _plain(
    name: str, unit: str, value: float | None, reason: Reason | None, passport: Passport
) -> Figure:
    value = None if reason else value
    return Figure(name=name, unit=unit, passport=passport, value=value, reason=reason)


def _with_space_mean(hours: pl.DataFrame, histograms: pl.DataFrame) -> pl.DataFrame:
    """Add the speed `v` of each hour."""
    if histograms.is_empty():
        return hours.with_columns(v="speed_kmh")
    by_lane = histograms.sort("time")
    times = by_lane.group_by("time", maintain_order=True).agg(lanes=pl.len())
    begins = times["lanes"].cum_sum().shift(1, fill_value=0).to_numpy()
    summed = np.add.reduceat(as_matrix(by_lane["counts"]), begins, axis=0)
    space = times.select("time", space=pl.Series(space_mean(summed)).fill_nan(None))
    return hours.join(space, on="time", how="left").with_columns(
        v=pl.coalesce("space", "speed_kmh")
    )


def _free_flow(rows: pl.DataFrame, limit_kmh: float | None) -> float | None:
    night = rows.filter(pl.col("hour").is_in(NIGHT))["v"].drop_nulls()
    free = night.quantile(FREE_FLOW_QUANTILE, interpolation="linear")
    if free is None or len(night) < MIN_NIGHT_HOURS:
        return None
    return min(free, limit_kmh or free)


def _levels(rows: pl.DataFrame, profile: ServiceProfile) -> pl.DataFrame:
    """Count the hours of each level."""
    value = pl.col(profile.measure)
    within = value.__ge__ if profile.measure == "speed_index" else value.__le__
    level = pl.lit(LEVELS[-1])
    for name, bound in reversed(list(zip(LEVELS, profile.bounds, strict=False))):
        level = pl.when(within(bound)).then(pl.lit(name)).otherwise(level)
    counted = rows.drop_nulls(profile.measure).group_by(level=level).agg(hours=pl.len())
    return check(
        pl.DataFrame({"level": LEVELS})
        .join(counted, on="level", how="left")
        .with_columns(pl.col("hours").fill_null(0).cast(pl.UInt32))
        .with_columns(
            share=pl.when(pl.col("hours").sum() > 0).then(
                pl.col("hours") / pl.col("hours").sum()
            )
        ),
        SERVICE_HOURS,
    )
