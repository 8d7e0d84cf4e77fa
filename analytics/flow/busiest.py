"""The busiest hours of profiles, where enough was observed to name them."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import polars as pl

#: known days of an hour required to call it the busiest
MIN_DAYS: Final = 3
#: known hours of a day required to name its busiest one; in spring a day has no more
MIN_DAY_HOURS: Final = 23
#: known hours of a single week required to name its busiest one
MIN_WEEK_HOURS: Final = 3 * 24

#: what has to be observed first: an hour, a whole day, MIN_DAYS, MIN_WEEK_HOURS
Lacking = Literal["hour", "day", "days", "hours of the week"]


class OfWeek(NamedTuple):
    """The busiest and the quietest hour of a week, rows of its profile."""

    most: Mapping[str, Any]
    least: Mapping[str, Any]
    #: whether it is an average week, not one that was counted
    is_average: bool


def of_day_types(profile: pl.DataFrame) -> dict[str, Mapping[str, Any]] | Lacking:
    """Return the busiest row of each day type of a DAY_PROFILE that is whole."""
    known = profile.drop_nulls("mean")
    if known.is_empty():
        return "hour"
    whole = known.filter(pl.len().over("day_type") >= MIN_DAY_HOURS)
    if whole.is_empty():
        return "day"
    enough = whole.filter(pl.col("samples").min().over("day_type") >= MIN_DAYS)
    if enough.is_empty():
        return "days"
    # the earliest of equal ones
    ranked = enough.sort("mean", "hour", descending=[False, True])
    return {row["day_type"]: row for row in ranked.to_dicts()}


def of_week(profile: pl.DataFrame) -> OfWeek | Lacking:
    """Return the busiest and the quietest row of a WEEK_PROFILE."""
    known = profile.drop_nulls("mean").sort("weekday", "hour")
    if known.is_empty():
        return "hour"
    is_average = known.filter(pl.col("samples") < MIN_DAYS).is_empty()
    if not is_average and known.height < MIN_WEEK_HOURS:
        return "hours of the week"
    return OfWeek(
        known.row(known["mean"].arg_max() or 0, named=True),
        known.row(known["mean"].arg_min() or 0, named=True),
        is_average,
    )


def of_directions(profiles: pl.DataFrame) -> dict[str, int | None]:
    """Return the busiest hour of each direction; None where too few are known."""
    return {
        str(direction): rows["hour"][rows["mean"].arg_max() or 0]
        if rows.filter(pl.col("samples") >= MIN_DAYS).height >= MIN_DAY_HOURS
        else None
        for (direction,), rows in profiles.sort("hour")
        .partition_by("direction", as_dict=True)
        .items()
    }
