"""The key figures of a site, each with its passport, or why it is unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.flow import means
from analytics.flow.figure import Figure, Reason, month_names
from analytics.reports.site.counted import Counted
from analytics.reports.site.reading import SPEED_DAYS
from dashboards import passports
from verkehrspuls.language import Language
from verkehrspuls.text import mark

_NAMES: Final = {
    "dtv": mark("Daily traffic DTV"),
    "mean_day": mark("Mean per day"),
    "dtv_w5": mark("Workday traffic DTVw5"),
    "mean_workday": mark("Mean per workday"),
    "peak_day": mark("Peak hour"),
    "clock_hour_day": mark("Busiest full hour"),
    "phf_day": mark("Peak hour factor"),
    "heavy_share": mark("Heavy traffic share"),
    "v85": mark("Speed V85"),
}
_BASES: Final = {
    "dtv": mark("mean of Monday to Sunday"),
    "mean_day": mark("mean of Monday to Sunday"),
    "dtv_w5": mark("mean of Monday to Friday, without public and school holidays"),
    "mean_workday": mark(
        "mean of Monday to Friday, without public and school holidays"
    ),
    "phf_day": mark("evenness of the peak hour: 1 is perfectly even"),
    "heavy_share": mark("lorries and buses, of what was counted"),
    "v85": mark("85 % of vehicles drive this speed or slower"),
}
WEEK_DAYS: Final = 7
#: known months required to name the missing ones
MIN_MONTHS: Final = 6
#: figures of motor traffic only
_OF_MOTORS: Final = ("heavy_share", "v85")


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A key figure: its name, its value, and what it is based on."""

    name: str
    value: str
    basis: str
    #: parts in words, each with its value
    passport: Sequence[tuple[str, str]]
    unit: str = ""
    #: name of the flow figure
    key: str = ""
    #: open cases that touch it
    cases: Sequence[int] = ()
    #: its value without what is suspected to be of a sensor's fault, where any is; and
    #: the words for it
    trusted: str = ""
    without: str = ""


def days_text(counted: Counted, language: Language) -> str:
    """Describe the days of the figures; empty if these are not whole days."""
    if counted.ended < counted.first:
        return ""
    days = language.days(counted.first, counted.ended)
    count = (counted.ended - counted.first).days + 1
    valid = counted.days.filter(pl.col("valid"), pl.col("day") <= counted.ended).height
    text = (
        mark(
            "The figures cover the days that have ended, without today: %(days)s. "
            "Means use the days that were observed well enough: %(valid)s of "
            "%(count)s."
        )
        if counted.runs
        else mark(
            "The figures cover %(days)s. Means use the days that were observed "
            "well enough: %(valid)s of %(count)s."
        )
    )
    return language.phrase(text, days=days, valid=valid, count=count)


def total(counted: Counted, language: Language) -> KeyFigure:
    """Return the total count of the period."""
    passport = counted.passport
    unit = language.counted(counted.quantity)
    without = ""
    if counted.trusted:
        known = counted.trusted.total
        without = _without(known, language.number(known), unit, language)
    return KeyFigure(
        name=language.phrase("Sum in the period"),
        value=language.number(counted.total),
        unit=unit,
        without=without,
        basis=language.phrase(
            mark("counted up to yesterday, not scaled up; %(share)s observed")
            if counted.runs
            else mark("counted, not scaled up; %(share)s observed"),
            share=language.percent(passport.observed),
        ),
        passport=passports.lines(passport, language, zone=counted.site.time_zone),
        cases=passport.cases,
    )


def basis_of(figure: Figure, language: Language) -> str:
    """Return the basis of a mean; below seven days it is not a whole week."""
    used = figure.passport.days_used
    if figure.name == "mean_day" and used is not None and used < WEEK_DAYS:
        return language.plural(
            "mean of %(count)s day, not of a whole week",
            "mean of %(count)s days, not of a whole week",
            used,
        )
    return language.phrase(_BASES[figure.name]) if figure.name in _BASES else ""


def of_flow(counted: Counted, language: Language) -> list[KeyFigure]:
    """Return the flow figures of the days that have ended; empty if none has."""
    if not counted.figures:
        return []
    without = counted.trusted.figures if counted.trusted else {}
    lacking = counted.figures["dtv"].reason
    return [
        _shown(
            counted.figures[name], without.get(name), counted, language, lacking=lacking
        )
        for name in _chosen(counted.figures)
        if counted.quantity == "motor" or name not in _OF_MOTORS
    ]


def _chosen(found: Mapping[str, Figure]) -> list[str]:
    """Choose the names to show: a year's figure if it is known, else the period's.

    Where the peak hour needs quarter-hours, the busiest clock hour is shown instead.
    """
    yearly = {name for name in means.YEARLY if name in found and found[name].value}
    left_out = {means.YEARLY[name] if name in yearly else name for name in means.YEARLY}
    if found["peak_day"].value is not None or found["clock_hour_day"].value is None:
        left_out.add("clock_hour_day")
    if found["peak_day"].value is None:
        left_out.add("phf_day")
    return [name for name in _NAMES if name in found and name not in left_out]


def _without(known: float | None, value: str, unit: str, language: Language) -> str:
    """Write a value without what is suspected; one that is not known has no unit."""
    if known is not None and unit:
        value = f"{value} {unit}"
    return language.phrase(
        "without hours in which a fault is suspected: %(value)s", value=value
    )


def _year_lacks(lacking: Reason, language: Language) -> str:
    """Return why the mean of the days is no DTV."""
    if (lacking.have or 0) < MIN_MONTHS:
        return language.phrase(mark("a DTV applies to a whole year"))
    return language.phrase(
        mark("no DTV, because months are missing: %(months)s"),
        months=", ".join(month_names(lacking.months, language.key)),
    )


def _shown(
    figure: Figure,
    trusted: Figure | None,
    counted: Counted,
    language: Language,
    *,
    lacking: Reason | None,
) -> KeyFigure:
    unit = _unit(figure, counted.quantity, language)
    basis = basis_of(figure, language)
    if figure.name == "mean_day" and lacking and lacking.code == "less-than-a-year":
        basis += "; " + _year_lacks(lacking, language)
    if figure.at and not basis:
        basis = language.moment(figure.at, counted.site.time_zone)
    if figure.name == "v85" and (counted.ended - counted.first).days >= SPEED_DAYS:
        basis += language.phrase(
            ", of the last %(days)s days of the period", days=SPEED_DAYS
        )
    if figure.reason:
        basis = figure.reason.text(language.key)
    value = _value(trusted, language) if trusted else ""
    return KeyFigure(
        key=figure.name,
        name=language.phrase(_NAMES[figure.name]),
        value=_value(figure, language),
        basis=basis,
        unit=unit,
        trusted=value,
        without=_without(trusted.value, value, unit, language)
        if trusted and figure.value is not None
        else "",
        passport=passports.lines(
            figure.passport, language, zone=counted.site.time_zone
        ),
        cases=figure.passport.cases,
    )


def _value(figure: Figure, language: Language) -> str:
    if figure.name == "heavy_share":
        return language.percent(figure.value, 1)
    digits = 2 if figure.unit == "1" else 0
    return (">\N{NO-BREAK SPACE}" if figure.above else "") + language.number(
        figure.value, digits
    )


def _unit(figure: Figure, quantity: str, language: Language) -> str:
    if figure.value is None or figure.unit == "1":
        return ""
    if figure.unit == "km/h":
        return "km/h"
    return language.unit(quantity, mark("day") if "24" in figure.unit else "h")
