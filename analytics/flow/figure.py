"""Common types of flow figures: a value with unit and passport, or a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Unpack

import polars as pl

from analytics.quality.passport import Passport, Touching
from verkehrspuls.text import mark, translate

#: Reasons for a missing value. `{have}` and `{need}` are numbers, `{months}` are names,
#: others are `facts`.
REASONS: Final = {
    "too-few-days": mark("Valid days: {have}; at least {need} are needed."),
    "too-few-months": mark("Months with data: {have}; at least {need} are needed."),
    "too-few-weekdays": mark(
        "Weekdays with enough months: {have}; at least {need} are needed."
    ),
    "needs-quarters": mark(
        "Quarter-hours are needed; here whole hours are counted, no shorter intervals."
    ),
    "needs-hours": mark(
        "Hours are needed; here longer intervals are counted, such as daily totals."
    ),
    "less-than-a-year": mark(
        "Twelve months with enough valid days are needed; {have} are there. "
        "These lack: {months}."
    ),
    "too-few-hours": mark(
        "There are {have} hours that were observed well enough; at least {need} are "
        "needed."
    ),
    "too-few-weeks": mark("Weeks: {have}; at least {need} are needed."),
    "too-few-references": mark(
        "There are {have} permanent counters with the same hours; at least {need} are "
        "needed."
    ),
    "too-few-pairs": mark(
        "Days with a partner in the other period: {have}; at least {need} are needed, "
        "so that like is compared with like."
    ),
    "periods-overlap": mark("The periods overlap."),
    "too-long": mark(
        "The period has {have} days; a year's figure takes {need} at most."
    ),
    "school-holidays-unknown": mark(
        "The school holidays are not known for {have} workdays of the period."
    ),
    "school-holidays-unpublished": mark(
        "The school holidays of {years} in {state} are not published yet ({have} "
        "workdays of the period)."
    ),
    "class-scheme": mark(
        "The sensors do not distinguish these vehicles; with two "
        "classes, lorries include cars with trailer."
    ),
    "no-total": mark("The sensors report no total to compare with the classes."),
    "no-traffic": mark("Nothing was counted, so there is nothing to divide by."),
    "no-speeds": mark("The sensors report no speeds."),
    "no-histograms": mark("The sensors report no speed histograms."),
    "no-limit": mark("The site has no recorded speed limit; enter one."),
    "open-bin": mark(
        "The histograms end at {have} km/h: higher speeds are not distinguished."
    ),
    "one-direction": mark("There is only one direction."),
    "lanes-unknown": mark("The number of lanes is not recorded; enter a capacity."),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why there is no value, and what is required."""

    code: str
    have: float | None = None
    need: float | None = None
    #: of the calendar, 1 is January
    months: Sequence[int] = ()
    #: other values of its text
    facts: tuple[tuple[str, str], ...] = ()

    def text(self, language: str) -> str:
        """Return the text in a language."""
        sentence = translate(REASONS[self.code], language)
        numbers = {"have": self.have, "need": self.need}
        return sentence.format(
            **{
                key: f"{value:g}" for key, value in numbers.items() if value is not None
            },
            months=", ".join(month_names(self.months, language)),
            **dict(self.facts),
        )


def month_names(months: Sequence[int], language: str) -> list[str]:
    """Return the names of calendar months in a language."""
    from babel.dates import get_month_names

    names = get_month_names("wide", context="stand-alone", locale=language)
    return [names[month] for month in months]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure: its value is null if it has a reason.

    `lower` and `upper` are an interval of 95 %, if there is one. `above` means that the
    true value is greater than `value`, which is then the end of a histogram. `at` is
    the time, for peaks.
    """

    name: str
    unit: str
    passport: Passport
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    above: bool = False
    at: datetime | None = None
    reason: Reason | None = None
    #: the same without suspected sensor faults; None if nothing is suspected
    without_suspected: "Figure | None" = None

    def __post_init__(self) -> None:
        if (self.value is None) != (self.reason is not None):
            raise ValueError(f"{self.name}: either a value or a reason")


@dataclass(frozen=True, slots=True)
class Result:
    """Figures, with a table and its passport if there is one."""

    figures: tuple[Figure, ...]
    table: pl.DataFrame | None = None
    passport: Passport | None = None
    #: the same without suspected sensor faults; None if nothing is suspected
    without_suspected: "Result | None" = None


def ratio(
    name: str,
    over: float | None,
    under: float | None,
    *,
    passport: Passport,
    reason: Reason | None = None,
    unit: str = "1",
) -> Figure:
    """Divide; null with the given reason, or `no-traffic` if `under` is zero."""
    if reason is not None:
        return Figure(name=name, unit=unit, passport=passport, reason=reason)
    if over is None or not under:
        nothing = Reason("no-traffic")
        return Figure(name=name, unit=unit, passport=passport, reason=nothing)
    return Figure(name=name, unit=unit, passport=passport, value=over / under)


def touched_by(result: Result, **touching: Unpack[Touching]) -> Result:
    """Add to each passport what touches the period."""
    if not any(touching.values()):
        return result

    def with_touching(passport: Passport) -> Passport:
        return replace(passport, **touching)

    return Result(
        tuple(replace(f, passport=with_touching(f.passport)) for f in result.figures),
        result.table,
        result.passport and with_touching(result.passport),
    )
