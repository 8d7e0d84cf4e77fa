"""Noise emission of traffic (RLS-19), compared with measured noise.

Source of the parameters: RLS-19 as implemented in matsim-libs; without additions for
surface, gradient, junctions and reflections, which are the same in every hour.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.frames import TIME, Schema, check


@dataclass(frozen=True, slots=True)
class Group:
    """Vehicles with the same sound power: L_W0(v) = a + 10·lg(1 + (v/b)^c) in dB(A)."""

    a: float
    b: float
    c: float
    classes: tuple[str, ...]
    #: speeds (km/h) for which the formula is valid
    slowest: float
    fastest: float


GROUPS: Final = {
    "cars": Group(
        88.0, 20.0, 3.06, ("car", "van", "car_trailer", "unclassified"), 30, 130
    ),
    "lorries": Group(100.3, 40.0, 4.33, ("truck", "bus"), 30, 90),
    "trains": Group(
        105.4, 50.0, 4.88, ("truck_trailer", "articulated", "motorcycle"), 30, 90
    ),
}
METHOD: Final = "rls-19-emission-1"

#: Flow (veh/h) by group, and speed (km/h), of hours of a cross-section.
TRAFFIC_HOURS: Final[Schema] = {
    "time": TIME,
    **dict.fromkeys(GROUPS, pl.Float64()),
    "speed_kmh": pl.Float64(),
}
#: `emitted` is the sound power level per metre, `measured` LAeq; `residual` is the
#: deviation of `measured - emitted` from its usual value at this site.
COMPARED_HOURS: Final[Schema] = {
    "time": TIME,
    "emitted": pl.Float64(),
    "measured": pl.Float64(),
    "residual": pl.Float64(),
}


def traffic_hours(volumes: pl.DataFrame) -> pl.DataFrame:
    """Add up hours of a site by group (TRAFFIC_HOURS).

    `volumes` has `time`, `observed` (share), the vehicle classes and `speed_kmh`, one
    row per direction, as returned by the reading layer. Hours observed by less than
    three quarters, and hours without any class, have no row. A class that no sensor
    distinguishes counts as zero: the emission is then too low, without a warning.
    """
    known = [name for group in GROUPS.values() for name in group.classes]
    passed = pl.sum_horizontal(known)
    speed = pl.col("speed_kmh").cast(pl.Float64)
    weight = passed.filter(speed.is_not_null())
    return check(
        volumes.filter(
            (pl.col("observed") >= 0.75)
            & pl.any_horizontal(pl.col(known).is_not_null())
        )
        .group_by("time")
        .agg(
            *(
                (pl.sum_horizontal(group.classes) / pl.col("observed"))
                .sum()
                .cast(pl.Float64)
                .alias(name)
                for name, group in GROUPS.items()
            ),
            pl.when(weight.sum() > 0)
            .then((speed * passed).sum() / weight.sum())
            .alias("speed_kmh"),
        )
        .sort("time"),
        TRAFFIC_HOURS,
    )


def emission(*, speed_kmh: pl.Expr | None = None) -> pl.Expr:
    """Sound power level per metre of road in dB(A), of TRAFFIC_HOURS.

    L_W' = 10·lg(Σ M_i·10^(L_W0,i(v_i)/10) / v_i) - 30, with flow M_i in veh/h and v_i
    in km/h; all groups have the hour's speed, limited to the valid range of the
    formula. Null without traffic or speed. `speed_kmh` replaces the measured speed.
    """
    speed = pl.col("speed_kmh") if speed_kmh is None else speed_kmh
    power = []
    for name, group in GROUPS.items():
        v = speed.clip(group.slowest, group.fastest)
        level = group.a + 10 * (1 + (v / group.b) ** group.c).log10()
        power.append(pl.col(name) * 10 ** (level / 10) / v)
    total = pl.sum_horizontal(power, ignore_nulls=False)
    return pl.when(total > 0).then(10 * total.log10() - 30)


def compare(traffic: pl.DataFrame, measured: pl.DataFrame) -> pl.DataFrame:
    """Compare the emission of TRAFFIC_HOURS with measured LAeq (COMPARED_HOURS).

    `measured` has `time` and `mean` (dB). The attenuation between road and device is
    nearly constant: the median of the difference over all hours. The deviation of an
    hour from it is its residual: caused by the sensor, the weather, another source, or
    uncounted traffic.
    """
    difference = pl.col("measured") - pl.col("emitted")
    return check(
        check(traffic, TRAFFIC_HOURS)
        .with_columns(emitted=emission())
        .drop_nulls("emitted")
        .join(measured.select("time", measured="mean"), on="time")
        .sort("time")
        .with_columns(residual=difference - difference.median()),
        COMPARED_HOURS,
    )
