"""The figures a site's page opens with, each with its passport or its reason."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl

from analytics.flow import means, peaks, speeds
from analytics.flow.figure import Figure, Result, with_cases
from analytics.frames import FLOW_BINS, empty
from analytics.passport import Passport, of_days
from api import figures
from api.extracts import ALL
from api.sources import Options, Source
from dashboards import passports
from dashboards.language import Language
from verkehrspuls.settings import Analytics
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark

#: V85 is of so many days at the end of a longer period: a page must not take seconds
SPEED_DAYS: Final = 31

_NAMES: Final = {
    "dtv": mark("Daily traffic DTV"),
    "dtv_w5": mark("Workday traffic DTVw5"),
    "peak_day": mark("Peak hour"),
    "phf_day": mark("Peak hour factor"),
    "heavy_share": mark("Heavy traffic share"),
    "v85": mark("Speed V85"),
}
_BASES: Final = {
    "dtv": mark("mean of Monday to Sunday"),
    "dtv_w5": mark("mean of Monday to Friday, without public and school holidays"),
    "phf_day": mark("how evenly the peak hour flows: 1 is quite even"),
    "heavy_share": mark("lorries and buses, of what was counted"),
    "v85": mark("85 of 100 drive at most so fast"),
}
#: told of motor traffic only
_OF_MOTORS: Final = ("heavy_share", "v85")


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A key figure: what it is, its value, and what it rests on."""

    name: str
    value: str
    basis: str
    #: its parts in words
    passport: Sequence[tuple[str, str]]
    unit: str = ""
    #: open cases that touch it
    cases: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted in which days of a site: what key figures are made of."""

    site: dict[str, Any]
    quantity: str
    #: local days, both included; flow figures are of the ended ones up to `ended`
    first: date
    last: date
    ended: date
    #: day figures of the cross-section
    days: pl.DataFrame
    #: open cases that touch them
    cases: tuple[int, ...] = ()
    #: where the period's hours come from, where it is not one of whole days
    of_hours: Passport | None = None

    @property
    def runs(self) -> bool:
        """Whether the passport is of the days up to yesterday, and today runs."""
        return self.first <= self.ended < self.last

    @property
    def passport(self) -> Passport:
        """Where the period's days come from; days without figures are missing."""
        if self.of_hours is not None:
            return self.of_hours
        last = self.ended if self.ended >= self.first else self.last
        known = self.days.filter(pl.col("day") <= last)
        return of_days(
            known,
            method=", ".join(sorted(known["method"].unique())),
            days_expected=(last - self.first).days + 1,
        )


def total(of: Counted, volume: int | None, language: Language) -> KeyFigure:
    """What was counted in the period."""
    passport = of.passport
    return KeyFigure(
        name=language.phrase("Sum in the period"),
        value=language.number(volume),
        unit=language.counted(of.quantity),
        basis=language.phrase(
            mark("counted, not scaled up; up to yesterday %(share)s observed")
            if of.runs
            else mark("counted, not scaled up; %(share)s observed"),
            share=language.percent(passport.observed),
        ),
        passport=passports.lines(passport, language),
        cases=of.cases,
    )


def of_flow(
    of: Counted,
    language: Language,
    *,
    connection: Connection,
    url: str,
    settings: Analytics,
    now: datetime,
) -> list[KeyFigure]:
    """The flow figures of the days that have ended; none where none has."""
    if of.first > of.ended:
        return []

    def source(kind: str, first: date, last: date) -> Source:
        selection = figures.select(
            of.site,
            kind,
            quantity=of.quantity,
            direction=ALL,
            start=first,
            end=last + timedelta(days=1),
            now=now,
        )
        return Source(
            selection,
            connection=connection,
            turn=lambda: nullcontext(url),
            settings=settings,
            options=Options(),
        )

    period = source("means", of.first, of.ended)
    results = [means.means(period.days(), unit=period.unit, rules=period.rules)]
    peaks_of_days = of.days.filter(pl.col("day") <= of.ended).drop_nulls("peak_volume")
    busiest = peaks_of_days.sort("peak_volume", descending=True)["day"].to_list()
    # the sliding peak of each day is stored: only the greatest one's day is read
    day = busiest[0] if busiest else of.ended
    peak = figures.compute("peaks", source("peaks", day, day))
    passport = replace(of.passport, method=peaks.METHOD, days_used=None)
    results.append(
        Result(tuple(replace(figure, passport=passport) for figure in peak.figures))
    )
    if of.quantity == "motor":
        since = max(of.first, of.ended - timedelta(days=SPEED_DAYS - 1))
        fast = source("speeds", since, of.ended)
        results.append(
            speeds.speeds(
                fast.histograms(),
                empty(FLOW_BINS),
                limit_kmh=fast.limit_kmh,
                expected=fast.hours_expected,
                lanes=len(fast.channels),
                excluded_s=fast.histograms_excluded_s,
            )
        )
    found = {
        figure.name: figure
        for result in results
        for figure in with_cases(result, of.cases).figures
    }
    return [
        _shown(found[name], of, language)
        for name in _NAMES
        if name in found and (of.quantity == "motor" or name not in _OF_MOTORS)
    ]


def _shown(figure: Figure, of: Counted, language: Language) -> KeyFigure:
    basis = language.phrase(_BASES[figure.name]) if figure.name in _BASES else ""
    if figure.at and not basis:
        basis = language.moment(figure.at, of.site["time_zone"])
    if figure.name == "v85" and (of.ended - of.first).days >= SPEED_DAYS:
        basis += language.phrase(
            ", of the last %(days)s days of the period", days=SPEED_DAYS
        )
    if figure.reason:
        basis = figure.reason.text(language.key)
    return KeyFigure(
        name=language.phrase(_NAMES[figure.name]),
        value=_value(figure, language),
        basis=basis,
        unit=_unit(figure, of.quantity, language),
        passport=passports.lines(figure.passport, language),
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
