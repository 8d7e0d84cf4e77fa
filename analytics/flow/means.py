"""Mean daily traffic by day type, its factors, heavy share and directional split."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analytics.calendar import MEMBERS
from analytics.flow.figure import Figure, Reason, Result, ratio
from analytics.frames import FLOW_DAYS, check, mean
from analytics.passport import of_days
from analytics.quality.validity import DEFAULT, Rules

METHOD: Final = "means-1"

#: A workday is in none of the means of workdays, or outside of them, where it is not
#: known whether it is a school holiday.
_KNOWN: Final = (pl.col("day_type") != "workday") | pl.col(
    "school_holiday"
).is_not_null()
_MEMBERS: Final = {
    **MEMBERS,
    "school_holiday_workday": pl.when(_KNOWN).then(MEMBERS["school_holiday_workday"]),
}


def means(days: pl.DataFrame, *, unit: str, rules: Rules = DEFAULT) -> Result:
    """Compute the means of FLOW_DAYS by day type, and what is divided from them.

    dtv, dtv_w5, dtv_w3, saturday, sunday_or_holiday, school_holiday_workday:
        arithmetic mean of the normalised volumes of the valid days of the type, in
        vehicles per 24 h. Null below two valid days or half of the calendar's days.
    b_fr, b_so: mean Friday, mean Sunday over mean Tuesday to Thursday, in normal weeks:
        whole ones of the period, without public and without school holidays.
    fer: mean workday (Mon-Fr) of the school holidays over `dtv_w5`.
    heavy_share: heavy vehicles over all, on the valid days that tell them (a ratio of
        sums); null where a sensor does not tell them.

    A day that is missing or not valid is left out, and never zero. Source: day types
    and gate of DAVe, factors of the BASt station yearbook (DOMAIN.md 4.2).
    """
    days = check(days, FLOW_DAYS)
    found = {
        name: _mean(name, days, member, unit=unit, rules=rules)
        for name, member in _MEMBERS.items()
    }
    normal = _normal_weeks(days)
    tuesdays, fridays, sundays = (
        _mean(
            name,
            normal,
            pl.col("weekday").is_in(weekdays),
            unit=unit,
            rules=rules,
        )
        for name, weekdays in (("tue_thu", [2, 3, 4]), ("fr", [5]), ("so", [7]))
    )
    unknown = _unknown(days) if normal.is_empty() else None
    return Result(
        (
            *found.values(),
            _over("b_fr", fridays, tuesdays, reason=unknown),
            _over("b_so", sundays, tuesdays, reason=unknown),
            _over("fer", found["school_holiday_workday"], found["dtv_w5"]),
            _heavy_share(days, rules),
        )
    )


def directional_split(
    directions: Mapping[str, pl.DataFrame], *, rules: Rules = DEFAULT
) -> Result:
    """Split the volume by direction, from the FLOW_DAYS of each.

    share = its volume over that of all directions, summed over the days that are valid
    in each of them; null below the gate, or where there is only one direction.
    """
    frames = [
        check(days, FLOW_DAYS).with_columns(direction=pl.lit(key))
        for key, days in directions.items()
    ]
    rows = pl.concat(frames)
    both = pl.col("valid").all().over("day")
    used = rows.filter(both)
    count = used["day"].n_unique()
    calendar = rows["day"].n_unique()
    passport = of_days(
        rows,
        method=METHOD,
        days_expected=rows.height,
        days_used=count,
        days_required=rules.days_required(calendar),
    )
    reason = (
        Reason("one-direction")
        if len(directions) < 2
        else _gate(count, calendar, rules)
    )
    sums = dict(used.group_by("direction").agg(pl.col("volume").sum()).iter_rows())
    total = sum(sums.values())
    return Result(
        tuple(
            ratio(
                f"share_{key}",
                sums.get(key),
                total,
                passport=passport,
                reason=reason,
            )
            for key in sorted(directions)
        )
    )


def _mean(
    name: str, days: pl.DataFrame, member: pl.Expr, *, unit: str, rules: Rules
) -> Figure:
    of_type = days.filter(member)
    valid = of_type.filter("valid")
    passport = of_days(
        of_type,
        method=METHOD,
        days_expected=of_type.height,
        days_used=valid.height,
        days_required=rules.days_required(of_type.height),
    )
    reason = _unknown(days.filter(member.is_null())) or _gate(
        valid.height, of_type.height, rules
    )
    return Figure(
        name=name,
        unit=f"{unit}/24 h",
        passport=passport,
        value=None if reason else mean(valid["volume"]),
        reason=reason,
    )


def _gate(valid: int, calendar_days: int, rules: Rules) -> Reason | None:
    need = rules.days_required(calendar_days)
    return None if valid >= need else Reason("too-few-days", valid, need)


def _normal_weeks(days: pl.DataFrame) -> pl.DataFrame:
    """The days of weeks without public or school holidays.

    Of a week that the period cuts off nobody knows, so it has to be whole.
    """
    plain = ~pl.col("holiday") & ~pl.col("school_holiday")
    normal = plain.all(ignore_nulls=False) & (pl.len() == 7)
    return days.filter(normal.over(pl.col("day").dt.truncate("1w")))


def _unknown(days: pl.DataFrame) -> Reason | None:
    """The reason where it is not known whether days are school holidays."""
    count = days.filter(~_KNOWN).height
    return Reason("school-holidays-unknown", count) if count else None


def _over(
    name: str, over: Figure, under: Figure, *, reason: Reason | None = None
) -> Figure:
    return ratio(
        name,
        over.value,
        under.value,
        passport=over.passport,
        reason=reason or over.reason or under.reason,
    )


def _heavy_share(days: pl.DataFrame, rules: Rules) -> Figure:
    told = days.filter(pl.col("valid") & pl.col("heavy").is_not_null())
    valid = days.filter("valid").height
    reason = _gate(valid, days.height, rules)
    if reason is None and told.is_empty():
        reason = Reason("class-scheme")
    reason = reason or _gate(told.height, days.height, rules)
    return ratio(
        "heavy_share",
        float(told["heavy"].sum()),
        float(told["volume"].sum()),
        passport=of_days(
            days, method=METHOD, days_expected=days.height, days_used=told.height
        ),
        reason=reason,
    )
