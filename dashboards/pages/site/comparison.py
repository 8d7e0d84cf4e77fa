"""The change of a site's traffic against another period or another site."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

from analytics.reports.site.comparison import compared
from analytics.reports.site.counted import Counted
from analytics.reports.sources import counting
from analytics.studies.change import Change
from analytics.studies.pairs import YEAR
from verkehrspuls.errors import BadParameter
from verkehrspuls.language import Language
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import Site
from verkehrspuls.text import mark

PERIODS: Final = {
    "previous": mark("the period before"),
    "last-year": mark("the same weeks of last year"),
}
NOTHING: Final = mark("There is nothing to compare with")
#: maximum number of other sites offered
MAX_SITES: Final = 100


def is_choice(asked: str) -> bool:
    """Return whether that is a period, or could be a site, to compare with."""
    return asked in PERIODS or asked.startswith("site:")


@dataclass(frozen=True, slots=True)
class Choices:
    """The periods and sites to compare with: keys with names, and the choice."""

    names: Sequence[tuple[str, str]]
    asked: str


def choices(
    site: Site,
    quantity: str,
    asked: str,
    language: Language,
    *,
    sites: Sequence[Site],
) -> Choices:
    """Offer periods, and the municipality's other sites that count the same.

    Of more than MAX_SITES the nearest, and the one that is asked for. `sites` are all
    of the municipality.
    """
    others = {
        f"site:{other.key}": other
        for other in counting(sites, quantity)
        if other.key != site.key
    }
    offered = set(
        heapq.nsmallest(MAX_SITES, others, key=lambda key: _apart(site, others[key]))
    ) | {asked}
    names = [(key, language.phrase(name)) for key, name in PERIODS.items()]
    names += [(key, other.name) for key, other in others.items() if key in offered]
    if asked and asked not in dict(names):
        raise BadParameter(parameter="compare", detail=NOTHING)
    return Choices(names, asked)


def _apart(one: Site, other: Site) -> float:
    """Return a measure of the distance; infinite if a site has no coordinates."""
    if (
        one.latitude is None
        or one.longitude is None
        or other.latitude is None
        or other.longitude is None
    ):
        return math.inf
    return math.hypot(
        other.latitude - one.latitude,
        (other.longitude - one.longitude) * math.cos(math.radians(one.latitude)),
    )


def comparison(
    counted: Counted,
    chosen: Choices,
    language: Language,
    *,
    school_holidays: pl.DataFrame,
    reader: Reader,
) -> str:
    """Return the change and its interval as a sentence; empty without a comparison."""
    if not chosen.asked:
        return ""
    name = dict(chosen.names)[chosen.asked]
    if counted.first > counted.ended:
        return language.phrase("Only whole days that have ended are compared.")
    key = chosen.asked.removeprefix("site:") if ":" in chosen.asked else ""
    shift = timedelta(0)
    if not key:
        # whole weeks, so that each day has a partner of its weekday
        weeks = math.ceil(((counted.ended - counted.first).days + 1) / 7)
        shift = timedelta(weeks=weeks) if chosen.asked == "previous" else YEAR
    before = (counted.first - shift, counted.ended - shift)
    if not key:
        name = f"{name} ({language.days(*before)})"
    both = compared(counted, before, reader, other=key, school_holidays=school_holidays)
    sentence = _sentence(both.found, name, language)
    if both.trusted is None:
        return sentence
    text = language.phrase(
        "Without hours in which a fault is suspected: %(sentence)s",
        sentence=_sentence(both.trusted, name, language),
    )
    return f"{sentence} {text}"


def _sentence(found: Change, name: str, language: Language) -> str:
    if found.reason or found.value is None:
        why = found.reason.text(language.key) if found.reason else ""
        return language.phrase(
            "Compared with %(name)s the change is unknown. %(why)s", name=name, why=why
        )
    text = (
        mark(
            "Compared with %(name)s %(change)s (with 95 %% between %(low)s and "
            "%(high)s)."
        )
        if found.clear
        else mark(
            "Compared with %(name)s no clear change: %(change)s (with 95 %% between "
            "%(low)s and %(high)s). One of %(detectable)s would have been found."
        )
    )
    sentence = language.phrase(
        text,
        name=name,
        change=_signed(found.value, language),
        low=_signed(found.lower, language),
        high=_signed(found.upper, language),
        detectable=language.percent(found.detectable, 1),
    )
    return f"{sentence} {_paired(found, language)}"


def _paired(found: Change, language: Language) -> str:
    """Describe how many days were compared, and why not more."""
    sentence = language.phrase(
        "%(days)s days were compared, each with its partner of the same weekday.",
        days=language.number(found.days_paired),
    )
    if found.days_unlike:
        sentence += " " + language.phrase(
            "%(days)s were left out: they or their partners are public holidays or in "
            "school holidays, and the other is not.",
            days=language.number(found.days_unlike),
        )
    return sentence


def _signed(share: float | None, language: Language) -> str:
    sign = "+" if share is not None and share > 0 else ""
    return sign + language.percent(share, 1)
