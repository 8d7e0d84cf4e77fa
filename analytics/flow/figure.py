"""What all flow figures share: a value with unit and passport, or a reason."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import polars as pl

from analytics.passport import Passport
from verkehrspuls.text import mark, translate

#: Why a figure has no value. `{have}` and `{need}` are numbers.
REASONS: Final = {
    "too-few-days": mark("Valid days: {have}; at least {need} are needed."),
    "too-few-months": mark("Months with data: {have}; at least {need} are needed."),
    "too-few-weekdays": mark(
        "Weekdays with enough months: {have}; at least {need} are needed."
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
    "periods-overlap": mark("The periods overlap."),
    "too-long": mark(
        "The period has {have} days; a year's figure takes {need} at most."
    ),
    "school-holidays-unknown": mark(
        "The school holidays are not known for {have} workdays of the period."
    ),
    "class-scheme": mark("The sensors do not tell these vehicle classes apart."),
    "no-total": mark("The sensors tell no sum beside the classes, to compare with."),
    "no-traffic": mark("Nothing was counted, so there is nothing to divide by."),
    "no-speeds": mark("The sensors told no speeds."),
    "no-histograms": mark("The sensors told no speed histograms, only means."),
    "no-limit": mark("The site has no speed limit on record; give one."),
    "open-bin": mark(
        "The histograms end at {have} km/h: what is above is not told apart."
    ),
    "one-direction": mark("There is only one direction."),
    "lanes-unknown": mark(
        "How many lanes there are is not on record; give a capacity."
    ),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why there is no value, and what would be needed."""

    code: str
    have: float | None = None
    need: float | None = None

    def text(self, language: str) -> str:
        """Say it in a language."""
        sentence = translate(REASONS[self.code], language)
        numbers = {"have": self.have, "need": self.need}
        return sentence.format(
            **{key: f"{value:g}" for key, value in numbers.items() if value is not None}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure: its value is null where there is a reason.

    `lower` and `upper` are an interval of 95 %, where there is one. `above` says that
    the true value is greater than `value`, which is then the end of a histogram.
    `at` is when it was, for peaks.
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

    def __post_init__(self) -> None:
        if (self.value is None) != (self.reason is not None):
            raise ValueError(f"{self.name}: either a value or a reason")


@dataclass(frozen=True, slots=True)
class Result:
    """What is answered: figures, and a table where there is one, with its passport."""

    figures: tuple[Figure, ...]
    table: pl.DataFrame | None = None
    passport: Passport | None = None


def ratio(
    name: str,
    over: float | None,
    under: float | None,
    *,
    passport: Passport,
    reason: Reason | None = None,
    unit: str = "1",
) -> Figure:
    """Divide; the figure has the reason given, or `no-traffic` where under is zero."""
    if reason is not None:
        return Figure(name=name, unit=unit, passport=passport, reason=reason)
    if over is None or not under:
        nothing = Reason("no-traffic")
        return Figure(name=name, unit=unit, passport=passport, reason=nothing)
    return Figure(name=name, unit=unit, passport=passport, value=over / under)


def with_cases(result: Result, cases: tuple[int, ...]) -> Result:
    """Name the open cases that touch the period in each passport."""
    if not cases:
        return result
    return Result(
        tuple(
            replace(figure, passport=replace(figure.passport, cases=cases))
            for figure in result.figures
        ),
        result.table,
        result.passport and replace(result.passport, cases=cases),
    )
