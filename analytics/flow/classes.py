"""Volumes by vehicle class and class group, if the class scheme separates them."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analytics.flow.figure import Figure, Reason, Result, ratio
from analytics.flow.inputs import passport_of_bins
from analytics.frames import FLOW_BINS, Schema, check
from analytics.quality.passport import Passport
from verkehrspuls.classes import (
    CONTENTS,
    HEAVY_CLASSES,
    VOLUME_CLASSES,
    columns_of,
)

METHOD: Final = "classes-1"

#: Groups of TLS 8+1 classes (DOMAIN.md 4.1). `car_trailer` is lorry-like in two-class
#: schemes, but not heavy.
GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "car_group": frozenset({"motorcycle", "car", "van"}),
    "car_like": frozenset({"unclassified", "motorcycle", "car", "van"}),
    "lorry_like": frozenset({"car_trailer", *HEAVY_CLASSES}),
    "road_trains": frozenset({"truck_trailer", "articulated"}),
    "goods": frozenset({"truck", "truck_trailer", "articulated"}),
    "heavy": frozenset(HEAVY_CLASSES),
}

CLASS_VOLUMES: Final[Schema] = {
    "name": pl.String(),
    "volume": pl.Float64(),
    "flow": pl.Float64(),
    "share": pl.Float64(),
}
CLASS_SHARES: Final[Schema] = {
    name: dtype for name, dtype in CLASS_VOLUMES.items() if name != "flow"
}


def summed(wanted: frozenset[str], scheme: str | None) -> pl.Expr | None:
    """Sum the columns of these classes; None if the scheme cannot separate them.

    A sum is null if one of its columns is.
    """
    columns = columns_of(scheme or "", wanted)
    return pl.sum_horizontal(columns, ignore_nulls=False) if columns else None


def car_units(scheme: str | None, units: Mapping[str, float]) -> pl.Expr | None:
    """Convert to car units (Pkw-Einheiten); None if the scheme cannot separate them.

    `units` are by class of TLS 8+1, bicycle and pedestrian. A column with classes of
    different units cannot be converted: null, not guessed.
    """
    contents = CONTENTS.get(scheme or "", {})
    values = {
        column: {units.get(name) for name in held} for column, held in contents.items()
    }
    if not values or any(None in found or len(found) > 1 for found in values.values()):
        return None
    return pl.sum_horizontal(
        (pl.col(column) * next(iter(found)) for column, found in values.items()),
        ignore_nulls=False,
    )


def classes(
    hours: pl.DataFrame,
    *,
    quantity: str,
    scheme: str | None,
    units: Mapping[str, float],
    unit: str,
    expected: int,
) -> Result:
    """Sum FLOW_BINS of hours by class and group: volume, mean flow, share of all.

    volume: what was counted, not scaled up, in vehicles. flow: volume over the observed
    time of the hours with a known class count, in vehicles/h. share: of the volume of
    the same hours (a ratio of sums). Classes and groups that the scheme cannot separate
    are not in the table; those without a count are null. `scheme` is None if it is
    unknown or differs between lanes.

    heavy_share, goods_share: as above, as figures, with a reason if null. car_units,
    car_unit_flow: the volume in car units (Pkw-E), and per hour. difference: sum of
    `total` minus the sum of classes in the hours with both: it is reported, and
    never distributed over the classes.
    """
    hours = check(hours, FLOW_BINS)
    passport = passport_of_bins(hours, method=METHOD, expected=expected)
    sums_by_name: dict[str, pl.Expr] = {
        "all": pl.col("volume"),
        **_distinct_classes(quantity, scheme),
    }
    groups = {name: summed(held, scheme) for name, held in GROUPS.items()}
    sums_by_name |= {name: sums for name, sums in groups.items() if sums is not None}
    converted = car_units(scheme, units)
    of_units = {} if converted is None else {"car_units": converted}
    rows = _rows(hours, sums_by_name | of_units)
    table, found = rows[: len(sums_by_name)], rows[len(sums_by_name) :]
    nothing = Reason("class-scheme") if found.is_empty() else Reason("no-traffic")
    figures = [
        share_of(hours, name, scheme=scheme, passport=passport)
        for name in ("heavy", "goods")
    ]
    for name, column, its_unit in (
        ("car_units", "volume", "Pkw-E"),
        ("car_unit_flow", "flow", "Pkw-E/h"),
    ):
        value = None if found.is_empty() else found[column].item()
        figures.append(
            Figure(
                name=name,
                unit=its_unit,
                passport=passport,
                value=value,
                reason=None if value is not None else nothing,
            )
        )
    parts = [name for name in VOLUME_CLASSES[quantity] if name != "total"]
    both = hours.filter(
        pl.col("total").is_not_null(), pl.any_horizontal(pl.col(parts).is_not_null())
    )
    sum_of_classes = pl.sum_horizontal(parts)
    difference = both.select((pl.col("total") - sum_of_classes).sum()).item()
    lacks = "class-scheme" if hours["total"].count() else "no-total"
    figures.append(
        Figure(
            name="difference",
            unit=unit,
            passport=passport,
            value=None if both.is_empty() else float(difference),
            reason=Reason(lacks) if both.is_empty() else None,
        )
    )
    return Result(tuple(figures), check(table, CLASS_VOLUMES), passport)


def shares(sums: pl.DataFrame, *, quantity: str, scheme: str | None) -> pl.DataFrame:
    """Sum CLASS_SUMS by class, like `classes`, without groups (CLASS_SHARES)."""
    rows = [
        (name, *_ratios(sums[name], sums["volume"]))
        for name in _distinct_classes(quantity, scheme)
    ]
    return pl.DataFrame(rows, schema=CLASS_SHARES, orient="row")


def share_of(
    sums: pl.DataFrame, group: str, *, scheme: str | None, passport: Passport
) -> Figure:
    """Compute the share of one of the GROUPS, as `classes` tells it.

    `sums` are CLASS_SUMS, or FLOW_BINS of hours.
    """
    group_sum = summed(GROUPS[group], scheme)
    return ratio(
        f"{group}_share",
        *sums_of(sums, group_sum),
        passport=passport,
        reason=None if group_sum is not None else Reason("class-scheme"),
    )


def _distinct_classes(quantity: str, scheme: str | None) -> dict[str, pl.Expr]:
    """The classes that a scheme tells apart."""
    columns = CONTENTS.get(scheme or "", {})
    return {name: pl.col(name) for name in VOLUME_CLASSES[quantity] if name in columns}


def sums_of(hours: pl.DataFrame, group_sum: pl.Expr | None) -> tuple[float, float]:
    """Sum a group (`summed`), and the volume of the hours with a known group."""
    if group_sum is None:
        return 0.0, 0.0
    known = hours.select(of=group_sum, volume="volume").drop_nulls()
    return float(known["of"].sum()), float(known["volume"].sum())


def _rows(hours: pl.DataFrame, sums: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Make CLASS_VOLUMES of sums by their name."""
    observed = hours.select(pl.col("observed").clip(0, 1)).to_series()
    found = hours.select(column.alias(name) for name, column in sums.items())
    rows = [(each.name, *_ratios(each, observed, hours["volume"])) for each in found]
    return pl.DataFrame(rows, schema=CLASS_VOLUMES, orient="row")


def _ratios(column: pl.Series, *others: pl.Series) -> tuple[float | None, ...]:
    """Sum where a class is known, and divide the sum by those of others there.

    Of columns, as frames are slow here.
    """
    if column.null_count() == column.len():
        return (None,) * (1 + len(others))
    if column.null_count():
        there = column.is_not_null()
        others = tuple(other.filter(there) for other in others)
    volume, *totals = (float(each.sum()) for each in (column, *others))
    return (volume, *(volume / total if total > 0 else None for total in totals))
