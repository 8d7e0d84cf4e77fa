"""Travel times of sections and corridors from the speeds at their stations, and delay.

Stored speeds are means over time, which exceed means over space: so travel times are
slightly too short, by some percent if speeds differ much.
"""

from typing import Final

import polars as pl

from analytics.frames import TIME, Schema, check
from analytics.sections.stations import FREE_SPEEDS, STATION_INTERVALS

#: A section is between a station and the next one, and has the number of the first.
#: `travel_s`, `speed_kmh` and `flow` are null if one of the stations lacks them.
SECTION_INTERVALS: Final[Schema] = {
    "section": pl.Int32(),
    "time": TIME,
    "length_m": pl.Float64(),
    "travel_s": pl.Float64(),
    "free_s": pl.Float64(),
    "speed_kmh": pl.Float64(),
    "flow": pl.Float64(),
}
#: Intervals of a whole corridor; null if a section is unknown.
CORRIDOR_INTERVALS: Final[Schema] = {
    "time": TIME,
    "length_m": pl.Float64(),
    "travel_s": pl.Float64(),
    "free_s": pl.Float64(),
    "speed_kmh": pl.Float64(),
    "sections_known": pl.Int32(),
    "sections": pl.Int32(),
}
#: Sums over the intervals of a section with known flow and speed: kilometres driven,
#: hours spent, hours lost (vehicle kilometres and vehicle hours).
SECTION_DELAYS: Final[Schema] = {
    "section": pl.Int32(),
    "intervals": pl.Int32(),
    "vehicle_km": pl.Float64(),
    "vehicle_h": pl.Float64(),
    "delay_h": pl.Float64(),
    "travel_time_index": pl.Float64(),
}


def section_intervals(intervals: pl.DataFrame, free: pl.DataFrame) -> pl.DataFrame:
    """Compute SECTION_INTERVALS from STATION_INTERVALS and FREE_SPEEDS.

    Each station's speed holds for the half of the section next to it: travel = length/2
    · (1/v₁ + 1/v₂); speed = length / travel; flow is the mean of both. Source: the
    half-distance (instantaneous) method, FHWA Travel Time Data Collection Handbook.
    Only consecutive stations form a section: if one is silent, both of its sections are
    unknown, and no longer section replaces them.
    """
    stations = check(intervals, STATION_INTERVALS).join(
        check(free, FREE_SPEEDS).drop("chainage_m"), on="station", how="left"
    )
    following = stations.with_columns(station=pl.col("station") - 1)
    length = pl.col("chainage_m_2") - pl.col("chainage_m")

    def seconds(speed: str) -> pl.Expr:
        slowness = (1 / pl.col(speed) + 1 / pl.col(f"{speed}_2")) * 3.6
        return pl.col("length_m") / 2 * slowness

    return check(
        stations.join(following, on=["station", "time"], suffix="_2")
        .with_columns(length_m=length, section="station")
        .with_columns(
            travel_s=seconds("speed_kmh"),
            free_s=seconds("free_kmh"),
            flow=(pl.col("flow") + pl.col("flow_2")) / 2,
        )
        .with_columns(speed_kmh=3.6 * pl.col("length_m") / pl.col("travel_s"))
        .sort("time", "section"),
        SECTION_INTERVALS,
    )


def corridor_intervals(sections: pl.DataFrame, *, count: int) -> pl.DataFrame:
    """Add sections up to the corridor's travel time (CORRIDOR_INTERVALS).

    `count` is the number of its sections. The sum is instantaneous: a vehicle that
    departs then meets other speeds further on.
    """
    known = pl.col("travel_s").count()

    def total(name: str) -> pl.Expr:
        there = pl.col(name).count() == count
        return pl.when(there).then(pl.col(name).sum()).alias(name)

    return check(
        check(sections, SECTION_INTERVALS)
        .group_by("time")
        .agg(
            *(total(name) for name in ("length_m", "travel_s", "free_s")),
            known.cast(pl.Int32).alias("sections_known"),
            pl.lit(count, pl.Int32).alias("sections"),
        )
        .with_columns(speed_kmh=3.6 * pl.col("length_m") / pl.col("travel_s"))
        .sort("time"),
        CORRIDOR_INTERVALS,
    )


def delays(
    sections: pl.DataFrame, *, interval_s: int, reference_kmh: float | None = None
) -> pl.DataFrame:
    """Sum up distance, time and delay on each section (SECTION_DELAYS).

    vehicle_km = Σ flow·length; vehicle_h = Σ flow·travel; delay_h = Σ flow·max(0,
    travel - reference); travel_time_index = Σ spent / Σ spent at free speed: sums
    first, then the ratio. The reference is the section's free speed, or one for all.
    Source: PeMS (Caltrans), docs/data/performance-calcs.
    """
    vehicles = pl.col("flow") * interval_s / 3600
    km = pl.col("length_m") / 1000
    travel_h, free_h = pl.col("travel_s") / 3600, pl.col("free_s") / 3600
    reference = free_h if reference_kmh is None else km / reference_kmh
    spent_free = (vehicles * free_h).sum()
    return check(
        check(sections, SECTION_INTERVALS)
        .drop_nulls(["flow", "travel_s", "free_s"])
        .group_by("section")
        .agg(
            pl.len().cast(pl.Int32).alias("intervals"),
            vehicle_km=(vehicles * km).sum(),
            vehicle_h=(vehicles * travel_h).sum(),
            delay_h=(vehicles * (travel_h - reference).clip(0)).sum(),
            travel_time_index=pl.when(spent_free > 0).then(
                (vehicles * travel_h).sum() / spent_free
            ),
        )
        .sort("section"),
        SECTION_DELAYS,
    )
