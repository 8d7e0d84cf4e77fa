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
    known = days_of(frame.select("state", "day").unique(), school_holidays)
    found = frame.join(known, on=["state", "day"], how="left")
    return found if events is None else _with_events(found, events)


def known_terms(school_holidays: pl.DataFrame) -> dict[str, list[tuple[date, date]]]:
    """Return the periods `(first, last)` of each state whose school holidays are known.

    A period reaches from the first to the last school holiday; a distance of more than
    MAX_TERM between two holidays starts a new period, because data is missing.
    """
    found: dict[str, list[tuple[date, date]]] = {}
    for state, spans in _spans(school_holidays).items():
        terms = found[state] = []
        for first, last in sorted(spans):
            if terms and first - terms[-1][1] <= MAX_TERM:
                first, before = terms.pop()
                last = max(last, before)
            terms.append((first, last))
    return found


@dataclass(frozen=True, slots=True)
class Terms:
    """The last day of known school holidays of a state; None if none is known."""

    state: str
    until: date | None


def terms_of(school_holidays: pl.DataFrame, state: str) -> Terms:
    """Return a state's name and the last day of its known school holidays."""
    terms = known_terms(school_holidays.filter(state=state)).get(state)
    return Terms(calendar.state_name(state), terms[-1][1] if terms else None)


def days_of(days: pl.DataFrame, school_holidays: pl.DataFrame) -> pl.DataFrame:
    """Return the calendar's data as `with_calendar`, of different `state` and `day`."""
    here = pl.col("state").is_in(days["state"].unique().implode())
    school_holidays = school_holidays.filter(here)
    known = known_terms(school_holidays)
    off = {
        state: {
            day for first, last in spans for day in calendar.days_between(first, last)
        }
        for state, spans in _spans(school_holidays).items()
    }
    rows: list[tuple[str, date, bool, bool, str, bool | None, int]] = []
    for state, day in days.iter_rows():
        day_type: str = calendar.day_type(day, state)
        covered = any(first <= day <= last for first, last in known.get(state, ()))
        school_holiday = day in off[state] if covered else None
        if school_holiday and day_type == "workday":
            day_type = "school_holiday_workday"
        rows.append(
            (
                state,
                day,
                day in calendar.public_holidays(state, day.year),
                calendar.is_bridge_day(day, state),
                day_type,
                school_holiday,
                day.isoweekday(),
            )
        )
    return pl.DataFrame(
        rows,
        schema={
            "state": pl.String,
            "day": pl.Date,
            "holiday": pl.Boolean,
            "bridge_day": pl.Boolean,
            "day_type": pl.String,
            "school_holiday": pl.Boolean,
            "weekday": pl.Int8,
        },
        orient="row",
    )


def _spans(school_holidays: pl.DataFrame) -> dict[str, list[tuple[date, date]]]:
    """Return the first and last day of each of the school holidays, by state."""
    found: dict[str, list[tuple[date, date]]] = {}
    for state, _, first, last in check(school_holidays, SCHOOL_HOLIDAYS).iter_rows():
        found.setdefault(state, []).append((first, last))
    return found


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
