"""The change of a site's traffic against another period or another site."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import polars as pl

from analytics.studies.change import Change
from analytics.studies.comparison import compare_periods, compare_sites
from api.errors import BadParameter
from api.sources import counting, read_days, school_holidays, sites_of
from dashboards.key_figures import Counted
from dashboards.language import Language
from verkehrspuls.storage import series
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark

PERIODS: Final = {
    "previous": mark("the period before"),
    "last-year": mark("the same weeks of last year"),
}
#: 52 weeks: the same weekdays
_YEAR: Final = timedelta(days=364)


@dataclass(frozen=True, slots=True)
class Choices:
    """What a site can be compared with: keys with names, and what was asked for."""

    names: Sequence[tuple[str, str]]
    asked: str


def choices(
    site: Mapping[str, Any],
    quantity: str,
    asked: str,
    language: Language,
    *,
    connection: Connection,
) -> Choices:
    """Offer periods, and the municipality's other sites that count the same."""
    sites = counting(sites_of(connection, site["municipality"]), quantity)
    names = [(key, language.phrase(name)) for key, name in PERIODS.items()]
    names += [
        (f"site:{other['key']}", other["name"])
        for other in sites
        if other["key"] != site["key"]
    ]
    if asked and asked not in dict(names):
        raise BadParameter(
            parameter="compare", detail=mark("There is nothing to compare with")
        )
    return Choices(names, asked)


def comparison(
    of: Counted,
    chosen: Choices,
    language: Language,
    *,
    connection: Connection,
    url: str,
) -> str:
    """Say the change and its interval in one sentence; empty where none is asked."""
    if not chosen.asked:
        return ""
    name = dict(chosen.names)[chosen.asked]
    if of.first > of.ended:
        return language.phrase("Only whole days that have ended are compared.")
    holidays = school_holidays(connection)

    def days(site: Mapping[str, Any], first: date, last: date) -> pl.DataFrame:
        return read_days(url, site, of.quantity, first, last, school_holidays=holidays)

    after = (of.first, of.ended)
    if chosen.asked.startswith("site:"):
        other = series.site(
            connection, of.site["municipality"], chosen.asked.removeprefix("site:")
        )
        return _said(
            compare_sites(days(other, *after), days(of.site, *after)), name, language
        )
    length = timedelta(days=(of.ended - of.first).days + 1)
    shift = length if chosen.asked == "previous" else _YEAR
    before = (of.first - shift, of.ended - shift)
    both = pl.concat([days(of.site, *before), days(of.site, *after)]).unique("day")
    found = compare_periods(both.sort("day"), before=before, after=after)
    return _said(found, f"{name} ({language.days(*before)})", language)


def _said(found: Change, name: str, language: Language) -> str:
    if found.reason or found.value is None:
        why = found.reason.text(language.key) if found.reason else ""
        return language.phrase(
            "Compared with %(name)s no change can be told. %(why)s", name=name, why=why
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
    return language.phrase(
        text,
        name=name,
        change=_signed(found.value, language),
        low=_signed(found.lower, language),
        high=_signed(found.upper, language),
        detectable=language.percent(found.detectable, 1),
    )


def _signed(share: float | None, language: Language) -> str:
    sign = "+" if share is not None and share > 0 else ""
    return sign + language.percent(share, 1)
