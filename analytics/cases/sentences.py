"""The sentence of a case, in German and in English.

What is unusual and where, by how much, since when, and why it is believed.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import DateTimePattern, parse_pattern
from babel.numbers import format_decimal

from analytics.detectors import detectors, reasons
from verkehrspuls.cases import Case
from verkehrspuls.locales import locales, within_sentence
from verkehrspuls.quantities import COUNTED, ENVIRONMENT, QUANTITIES
from verkehrspuls.text import mark, translate, translate_plural

#: For a reason that is not known, or that lacks figures.
OTHER: Final = mark("something unusual (%(reason)s)")
#: A score from here on is written without tenths.
_MIN_WHOLE_SCORE: Final = 10


def words() -> dict[str, str]:
    """Name all reasons in a word, to be translated."""
    return {code: one.word for code, one in reasons().items()}


def word(reason: str) -> str:
    """Name a reason in a word, to be translated; by its code where it is not known."""
    known = reasons().get(reason)
    return known.word if known else reason


def sentence(
    case: Case,
    language: str,
    *,
    moment: Callable[[datetime], str] | None = None,
) -> str:
    """Return what a row of a case (`case_lists.list_cases`) is about.

    `moment` writes a time; by default as day and time of the site's zone.
    """

    def phrase(text: str, **values: object) -> str:
        return translate(text, language) % values

    write = moment or (lambda time: _moment(time, case.time_zone, language))
    whole = (case.began, case.ended)
    found = (case.found_began, case.found_ended)
    between = {"began": write(found[0]), "ended": write(found[1])}
    parts = [
        f"{_where(case, language)}: {_what(case, language)}",
        phrase(mark("from %(began)s to %(ended)s"), **between),
    ]
    if found != whole:
        between = {"began": write(whole[0]), "ended": write(whole[1])}
        parts.append(
            phrase(mark("with other findings from %(began)s to %(ended)s"), **between)
        )
    if case.channels > 1:
        parts.append(_reach(case, language))
    detector = detectors().get(case.detector)
    if detector:
        # of what is far off no tenths matter
        tenths = not detector.whole_score and case.score < _MIN_WHOLE_SCORE
        score = _number(case.score, language, int(tenths))
        parts.append(phrase(detector.evidence, score=score))
    if len(case.detectors) > 1:
        count = len(case.detectors) - 1
        parts.append(
            translate_plural(
                "%(count)s other detector agrees",
                "%(count)s other detectors agree",
                count,
                language,
            )
            % {"count": count}
        )
    return f"{', '.join(parts)}."


def _where(case: Case, language: str) -> str:
    direction = case.direction_name if case.channels == 1 else ""
    quantity = QUANTITIES.get(case.quantity)
    named = translate(quantity.name, language) if quantity else case.channel_name
    if quantity:
        named = within_sentence(named, language)
    return ", ".join(filter(None, (case.site_name, direction or named)))


def _what(case: Case, language: str) -> str:
    reason = reasons().get(case.reason)
    text = reason.sentence if reason else OTHER
    values = {"observed": case.observed, "usual": case.usual}
    if any(f"%({name})s" in text and values[name] is None for name in values):
        text = OTHER
    quantity = case.quantity
    counted = quantity in COUNTED and not (reason and reason.is_speed)
    unit = ENVIRONMENT[quantity].unit if quantity in ENVIRONMENT else ""
    # 410 instead of 1,980 vehicles, but 31 µg/m³ instead of 12 µg/m³
    units = {
        "observed": unit,
        "usual": translate(COUNTED[quantity].noun, language) if counted else unit,
    }
    return translate(text, language) % {
        "reason": translate(word(case.reason), language),
        **{
            name: f"{_number(value, language, 1 - counted)} {units[name]}".strip()
            for name, value in values.items()
        },
    }


def _reach(case: Case, language: str) -> str:
    text = mark("at %(channels)s channels of the site")
    if case.sites > 1:
        text = mark("at %(channels)s channels of %(sites)s sites")
    return translate(text, language) % {
        "channels": case.channels,
        "sites": case.sites,
    }


#: the same cases are written again and again
@lru_cache(maxsize=4096)
def _number(value: float | None, language: str, digits: int) -> str:
    if value is None:
        return ""
    return str(format_decimal(round(value, digits), locale=locales()[language].cldr))


#: the same cases are written again and again
@lru_cache(maxsize=4096)
def _moment(time: datetime, zone: str, language: str) -> str:
    local = time.astimezone(ZoneInfo(zone))
    pattern, locale = _moments(language)
    return str(pattern.apply(local, locale))


@cache
def _moments(language: str) -> tuple[DateTimePattern, Locale]:
    how = locales()[language]
    return parse_pattern(how.moment), Locale.parse(how.cldr)
