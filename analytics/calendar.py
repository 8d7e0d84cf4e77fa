"""The calendar as columns: day types, holidays, bridge days and local events.

Day types after DAVe and the BASt station yearbook (DOMAIN.md 4.2). A day belongs to
several means: all days to DTV, a Tuesday outside school holidays to DTVw5 and DTVw3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from analytics.frames import EVENTS, SCHOOL_HOLIDAYS, check
from verkehrspuls import calendar

#: A larger distance between school holidays means missing data: the longest time of
#: school is from Christmas to a late Easter.
MAX_TERM: Final = timedelta(days=150)

_SCHOOL_DAY: Final = (pl.col("day_type") == "workday") & ~pl.col("school_holiday")

#: Conditions for a day to belong to a mean, on the columns of `with_calendar`. If
#: school holidays are unknown, a workday belongs to `dtv` alone.
MEMBERS: Final[Mapping[str, pl.Expr]] = {
    "dtv": pl.col("day").is_not_null(),
    "dtv_w5": _SCHOOL_DAY,
    "dtv_w3": _SCHOOL_DAY & pl.col("weekday").is_in([2, 3, 4]),
    "saturday": pl.col("day_type") == "saturday",
    "sunday_or_holiday": pl.col("day_type") == "sunday_or_holiday",
    "school_holiday_workday": pl.col("day_type") == "school_holiday_workday",
}


def with_calendar(
    frame: pl.DataFrame,
    *,
    school_holidays: pl.DataFrame,
    events: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Add the calendar's data on `day` in `state`.

    - weekday: 1 (Monday) to 7
    - holiday: a public holiday of the state
    - school_holiday: null where SCHOOL_HOLIDAYS do not tell; see `known_terms`
    - bridge_day: a workday between two days off
    - day_type: workday, school_holiday_workday, saturday or sunday_or_holiday; a public
      holiday counts as a Sunday, and a workday of unknown school holidays as a workday
    - event, where EVENTS are given: their names at `site_id`; null where there is none
    """
    days = frame.select("state", "day").unique()
    found = frame.join(
        _days(days, school_holidays), on=["state", "day"], how="left"
    ).with_columns(weekday=pl.col("day").dt.weekday())
    return found if events is None else _with_events(found, events)


def known_terms(school_holidays: pl.DataFrame) -> pl.DataFrame:
    """Return the periods `[first, last]` of each state whose school holidays are known.

    A period reaches from the first to the last school holiday; a distance of more than
    MAX_TERM between two holidays starts a new period, because data is missing.
    """
    before = pl.col("last").cum_max().shift(1).over("state")
    hole = (pl.col("first") - before > MAX_TERM).fill_null(value=True)
    return (
        check(school_holidays, SCHOOL_HOLIDAYS)
        .sort("state", "first")
        .with_columns(term=hole.cum_sum())
        .group_by("state", "term")
        .agg(pl.col("first").min(), pl.col("last").max())
        .drop("term")
    )


@dataclass(frozen=True, slots=True)
class Terms:
    """The last day of known school holidays of a state; None if none is known."""

    state: str
    until: date | None


def terms_of(school_holidays: pl.DataFrame, state: str) -> Terms:
    """Return a state's name and the last day of its known school holidays."""
    last = known_terms(school_holidays).filter(state=state)["last"].to_list()
    return Terms(calendar.state_name(state), max(last, default=None))


def _days(days: pl.DataFrame, school_holidays: pl.DataFrame) -> pl.DataFrame:
    """Return the calendar's data on days by state."""
    rows: list[tuple[str, date, bool, bool, str]] = [
        (
            state,
            day,
            day in calendar.public_holidays(state, day.year),
            calendar.is_bridge_day(day, state),
            calendar.day_type(day, state),
        )
        for state, day in days.iter_rows()
    ]
    of_public = pl.DataFrame(
        rows,
        schema={
            "state": pl.String,
            "day": pl.Date,
            "holiday": pl.Boolean,
            "bridge_day": pl.Boolean,
            "day_type": pl.String,
        },
        orient="row",
    )
    off = _within(days, check(school_holidays, SCHOOL_HOLIDAYS), "off")
    known = _within(days, known_terms(school_holidays), "known")
    school_holiday = pl.when("known").then(pl.col("off").fill_null(value=False))
    in_holidays = (pl.col("day_type") == "workday") & pl.col("school_holiday")
    return (
        of_public.join(off, on=["state", "day"], how="left")
        .join(known, on=["state", "day"], how="left")
        .with_columns(school_holiday=school_holiday)
        .with_columns(
            day_type=pl.when(in_holidays)
            .then(pl.lit("school_holiday_workday"))
            .otherwise("day_type")
        )
        .drop("off", "known")
    )


def _within(days: pl.DataFrame, periods: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the days within periods of their state, with a column that marks them."""
    return (
        days.join(periods, on="state")
        .filter(pl.col("day").is_between("first", "last"))
        .select("state", "day", pl.lit(value=True).alias(name))
        .unique()
    )


def _with_events(frame: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    names = (
        frame.select("site_id", "day")
        .unique()
        .join(check(events, EVENTS), on="site_id")
        .filter(pl.col("day").is_between("first", "last"))
        .group_by("site_id", "day")
        .agg(event=pl.col("name").unique().sort().str.join(", "))
    )
    return frame.join(names, on=["site_id", "day"], how="left")
