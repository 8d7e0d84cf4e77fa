"""Mean daily traffic by day type, its factors, heavy share and directional split."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from analytics.calendar import MEMBERS, Terms
from analytics.flow.figure import Figure, Reason, Result, ratio
from analytics.frames import FLOW_DAYS, check
from analytics.quality.passport import SHARES, Passport, of_days, shares_of
from analytics.quality.validity import DEFAULT, Rules

METHOD: Final = "means-2"

#: Names of a year's means, and the mean of the same days of any period.
YEARLY: Final = {
    "dtv": "mean_day",
    "dtv_w5": "mean_workday",
    "dtv_w3": "mean_tue_thu",
}
#: Days of the shortest month: a month cut by a period counts as at least this long.
_MIN_MONTH_DAYS: Final = 28

#: If it is unknown whether a workday is a school holiday, it is in neither of the
#: means.
_KNOWN: Final = (pl.col("day_type") != "workday") | pl.col(
    "school_holiday"
).is_not_null()
_MEMBERS: Final = {
    **MEMBERS,
    "school_holiday_workday": pl.when(_KNOWN).then(MEMBERS["school_holiday_workday"]),
}
#: Days of normal weeks that are compared.
_WEEKDAYS: Final = {
    "tue_thu": pl.col("weekday").is_in([2, 3, 4]),
    "fr": pl.col("weekday") == 5,
    "so": pl.col("weekday") == 7,
}


def means(
    days: pl.DataFrame,
    *,
    unit: str,
    rules: Rules = DEFAULT,
    terms: Terms | None = None,
) -> Result:
    """Compute the means of FLOW_DAYS by day type, and their ratios.

    mean_day, mean_workday, mean_tue_thu, saturday, sunday_or_holiday,
    school_holiday_workday: arithmetic mean of the normalised volumes of the valid days
        of the type, in vehicles per 24 h. Null below two valid days or half of the
        calendar's days.
    dtv, dtv_w5, dtv_w3: the first three for a year or more, under the names reserved
        for a year; null if one of the twelve months has too few valid days.
    b_fr, b_so: mean Friday, mean Sunday over mean Tuesday to Thursday, in normal weeks:
        complete ones of the period, without public and without school holidays.
    fer: mean workday (Mon-Fr) of the school holidays over `mean_workday`.
    heavy_share: heavy vehicles over all, on the valid days with a known number (a ratio
        of sums); null if a sensor does not distinguish them.

    A day that is missing or not valid is left out, and never zero. `terms` is the
    period of known school holidays, for the reason if they are unknown. Source: day
    types and gate of DAVe, factors of the BASt station yearbook (DOMAIN.md 4.2).
    """
    days = check(days, FLOW_DAYS)
    found = _means(days, _MEMBERS, unit=unit, rules=rules, terms=terms)
    found |= {
        of_any: replace(found[name], name=of_any) for name, of_any in YEARLY.items()
    }
    lacking = _lacking_year(days, rules)
    found |= {
        name: replace(found[name], value=None, reason=found[name].reason or lacking)
        for name in YEARLY
        if lacking
    }
    normal = _normal_weeks(days)
    of_weekdays = _means(normal, _WEEKDAYS, unit=unit, rules=rules)
    tuesdays, fridays, sundays = (of_weekdays[name] for name in _WEEKDAYS)
    unknown = _unknown(days, terms) if normal.is_empty() else None
    return Result(
        (
            *found.values(),
            _over("b_fr", fridays, tuesdays, reason=unknown),
            _over("b_so", sundays, tuesdays, reason=unknown),
            _over("fer", found["school_holiday_workday"], found["mean_workday"]),
            _heavy_share(days, rules),
        )
    )


def directional_split(
    directions: Mapping[str, pl.DataFrame], *, rules: Rules = DEFAULT
) -> Result:
    """Split the volume by direction, from the FLOW_DAYS of each.

    share = its volume over that of all directions, summed over the days that are valid
    in each of them; null below the gate, or with a single direction.
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


def _means(
    days: pl.DataFrame,
    members: Mapping[str, pl.Expr],
    *,
    unit: str,
    rules: Rules,
    terms: Terms | None = None,
) -> dict[str, Figure]:
    """Compute the mean of each type of days, all at once."""
    sums = days.select(
        pl.struct(
            pl.col(SHARES).filter(member).sum(),
            days=member.sum(),
            used=(member & pl.col("valid")).sum(),
            mean=pl.col("volume").filter(member & pl.col("valid")).mean(),
        ).alias(name)
        for name, member in members.items()
    ).row(0, named=True)
    # membership of a day is unknown only if its school holidays are
    doubtful = days["school_holiday"].has_nulls()
    found = {}
    for name, row in sums.items():
        unknown = None
        if doubtful:
            unknown = _unknown(days.filter(members[name].is_null()), terms)
        reason = unknown or _gate(row["used"], row["days"], rules)
        found[name] = Figure(
            name=name,
            unit=f"{unit}/24 h",
            passport=Passport(
                **shares_of(row, row["days"]),
                days_used=row["used"],
                days_required=rules.days_required(row["days"]),
                method=METHOD,
            ),
            value=None if reason else row["mean"],
            reason=reason,
        )
    return found


def _gate(valid: int, calendar_days: int, rules: Rules) -> Reason | None:
    need = rules.days_required(calendar_days)
    return None if valid >= need else Reason("too-few-days", valid, need)


def _lacking_year(days: pl.DataFrame, rules: Rules) -> Reason | None:
    """Return the reason if not all months of a year have enough valid days."""
    months = (
        days.group_by(month=pl.col("day").dt.month())
        .agg(pl.len(), pl.col("valid").sum())
        .iter_rows()
    )
    enough = {
        month
        for month, length, valid in months
        if not _gate(valid, max(length, _MIN_MONTH_DAYS), rules)
    }
    lacking = tuple(month for month in range(1, 13) if month not in enough)
    return Reason("less-than-a-year", len(enough), 12, lacking) if lacking else None


def _normal_weeks(days: pl.DataFrame) -> pl.DataFrame:
    """Return the days of weeks without public or school holidays.

    Only complete weeks, because days beyond the period are unknown.
    """
    plain = ~pl.col("holiday") & ~pl.col("school_holiday")
    normal = plain.all(ignore_nulls=False) & (pl.len() == 7)
    return days.filter(normal.over(pl.col("day").dt.truncate("1w")))


def _unknown(days: pl.DataFrame, terms: Terms | None) -> Reason | None:
    """Return the reason if it is unknown whether days are school holidays."""
    unknown = days.filter(~_KNOWN)["day"]
    if unknown.is_empty():
        return None
    if terms is None or terms.until is None or (unknown <= terms.until).any():
        return Reason("school-holidays-unknown", unknown.len())
    years = unknown.dt.year().unique().sort().to_list()
    span = "–".join(str(year) for year in dict.fromkeys((years[0], years[-1])))
    return Reason(
        "school-holidays-unpublished",
        unknown.len(),
        facts=(("years", span), ("state", terms.state)),
    )


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
    known = days.filter(pl.col("valid") & pl.col("heavy").is_not_null())
    valid = int(days["valid"].sum())
    reason = _gate(valid, days.height, rules)
    if reason is None and known.is_empty():
        reason = Reason("class-scheme")
    reason = reason or _gate(known.height, days.height, rules)
    return ratio(
        "heavy_share",
        float(known["heavy"].sum()),
        float(known["volume"].sum()),
        passport=of_days(
            days, method=METHOD, days_expected=days.height, days_used=known.height
        ),
        reason=reason,
    )
