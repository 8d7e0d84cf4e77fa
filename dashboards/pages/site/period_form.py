"""The form that chooses what a site's page shows, with what was entered.

It survives mistakes: what was entered stays, and the message stands at its field.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from dashboards.pages.site.comparison import Choices
from dashboards.period import BINS, PRESETS, Period, is_day
from verkehrspuls.errors import BadParameter
from verkehrspuls.language import Language
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.sites import Site
from verkehrspuls.text import is_translated, mark

#: what presets keep, besides the period
_KEPT: Final = ("quantity", "compare", "bin")
#: steps of environment quantities
_HOURLY: Final = ("PT1H", "P1D")
_UNFIT: Final = mark("Please check your input")

#: (value, name, whether it is chosen)
Options = Sequence[tuple[str, str, bool]]


@dataclass(frozen=True, slots=True)
class Form:
    """What the template shows."""

    #: addresses of presets
    presets: Options
    #: the preset that is shown, sent along so that it stays where no day is changed
    preset: str
    first: str
    last: str
    quantities: Options
    bins: Options
    comparisons: Options
    #: what is wrong, by field
    errors: Mapping[str, str]
    #: the days in words, by field: a date field follows the browser's language
    words: Mapping[str, str]

    @property
    def general(self) -> Sequence[str]:
        """What is wrong and belongs to no field that is shown."""
        shown = ("from", "until", "quantity", "bin", "compare")
        return [text for field, text in self.errors.items() if field not in shown]


def form(
    site: Site,
    query: Mapping[str, str],
    language: Language,
    *,
    period: Period | None = None,
    choices: Choices | None = None,
    error: BadParameter | None = None,
) -> Form:
    """Fill the form from what is shown; after a mistake from what was entered."""
    kept = {name: query[name] for name in _KEPT if query.get(name)}
    wrong = error.parameter if error else ""
    measured = list(dict.fromkeys(c.quantity for c in site.channels))
    asked = query.get("quantity", "")
    counts = (
        (asked in COUNTED) if asked in measured else bool(set(measured) & {*COUNTED})
    )
    bins = [(key, name) for key, name in BINS.items() if counts or key in _HOURLY]
    first, last = (str(period.first), str(period.last)) if period else _entered(query)
    preset = period.preset if period else ""
    return Form(
        presets=[
            (
                "?"
                + urlencode(
                    {k: v for k, v in kept.items() if k != wrong} | {"period": key}
                ),
                language.phrase(name),
                key == preset,
            )
            for key, name in PRESETS.items()
        ],
        preset=preset,
        first=first,
        last=last,
        quantities=_options(
            [(key, language.quantity(key)) for key in measured],
            query.get("quantity", ""),
            language.phrase("all"),
        )
        if len(measured) > 1 or wrong == "quantity"
        else (),
        bins=_options(
            [(key, language.phrase(name)) for key, name in bins],
            period.asked_bin if period else query.get("bin", ""),
            _fitting(period, bins, language),
        ),
        comparisons=_options(
            choices.names if choices else (),
            query.get("compare", ""),
            language.phrase("nothing"),
        )
        if choices or wrong == "compare"
        else (),
        errors={_field(wrong): _error_text(error, language)} if error else {},
        words={
            field: language.day_in_words(date.fromisoformat(day))
            if is_day(day)
            else "…"
            for field, day in (("from", first), ("until", last))
        },
    )


def _options(names: Sequence[tuple[str, str]], chosen: str, default: str) -> Options:
    return [("", default, chosen not in dict(names))] + [
        (key, name, key == chosen) for key, name in names
    ]


def _fitting(
    period: Period | None, bins: Sequence[tuple[str, str]], language: Language
) -> str:
    """Return the default step with its current value: at least the finest one."""
    word = language.phrase("automatic")
    if period is None or period.asked_bin:
        return word
    shown = dict(bins).get(period.bin, bins[0][1])
    return f"{word} ({language.phrase(shown)})"


def _entered(query: Mapping[str, str]) -> tuple[str, str]:
    """Return what was entered as first and last day."""
    last = query.get("until", "")
    if not last and query.get("to"):
        last = query["to"]
        with suppress(ValueError, OverflowError):
            last = str(date.fromisoformat(last) - timedelta(days=1))
    return query.get("from", ""), last


def _field(parameter: str) -> str:
    return "until" if parameter == "to" else parameter


def _error_text(error: BadParameter | None, language: Language) -> str:
    detail = error.detail.removesuffix(".") if error else ""
    return language.phrase(detail if is_translated(detail, "de") else _UNFIT) + "."
