"""What a case says: one sentence, in German and in English.

What is unusual and where, by how much, since when, and why it is believed.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal

from verkehrspuls.quantities import COUNTED, ENVIRONMENT, NOUNS, QUANTITIES
from verkehrspuls.text import mark, translate, translate_plural

#: What is unusual, by reason; `observed` and `usual` come with their unit.
WHAT: Final = {
    "above-usual": mark("more than usual, %(observed)s instead of %(usual)s"),
    "below-usual": mark("less than usual, %(observed)s instead of %(usual)s"),
    "day-above-usual": mark(
        "a day with more than usual, %(observed)s instead of %(usual)s"
    ),
    "day-below-usual": mark(
        "a day with less than usual, %(observed)s instead of %(usual)s"
    ),
    "incident": mark("a sudden fall, %(observed)s instead of %(usual)s"),
    "incident-speed": mark("sudden jam, %(observed)s km/h instead of %(usual)s km/h"),
    "congestion": mark("slow traffic, %(observed)s km/h instead of %(usual)s km/h"),
    "spike": mark("a sudden peak, %(observed)s instead of %(usual)s"),
    "no-traffic": mark("hardly anything counted, %(observed)s instead of %(usual)s"),
    "zeros": mark("nothing counted where usually %(usual)s are"),
    "stuck": mark("the same value again and again"),
    "silent": mark("no readings"),
    "level-up": mark("lastingly more than before, %(observed)s instead of %(usual)s"),
    "level-down": mark("lastingly less than before, %(observed)s instead of %(usual)s"),
    "drift-up": mark("more from day to day, now %(observed)s instead of %(usual)s"),
    "drift-down": mark("less from day to day, now %(observed)s instead of %(usual)s"),
    "above-limit": mark("%(observed)s, more than %(usual)s in an hour"),
    "noise-without-cars": mark(
        "noise without vehicles to match, %(observed)s instead of %(usual)s"
    ),
    "cars-without-noise": mark(
        "vehicles without noise to match, %(observed)s instead of %(usual)s"
    ),
}
#: Said where the reason is not known, or figures for it are missing.
OTHER: Final = mark("something unusual (%(reason)s)")
#: One word per reason, for marks in charts and lists.
WORDS: Final = {
    "above-usual": mark("more than usual"),
    "below-usual": mark("less than usual"),
    "day-above-usual": mark("unusual day"),
    "day-below-usual": mark("unusual day"),
    "incident": mark("incident"),
    "incident-speed": mark("incident"),
    "congestion": mark("congestion"),
    "spike": mark("spike"),
    "no-traffic": mark("drop-out"),
    "zeros": mark("only zeros"),
    "stuck": mark("stuck value"),
    "silent": mark("no readings"),
    "level-up": mark("shift of level"),
    "level-down": mark("shift of level"),
    "drift-up": mark("drift"),
    "drift-down": mark("drift"),
    "above-limit": mark("above a threshold"),
    "noise-without-cars": mark("noise without vehicles"),
    "cars-without-noise": mark("vehicles without noise"),
}
#: Why it is believed, by the detector that leads; `score` is its score.
WHY: Final = {
    "unusual-volume": mark("%(score)s times the usual spread"),
    "unusual-day": mark("%(score)s times the spread of such days"),
    "incident": mark("it came within a quarter of an hour"),
    "congestion": mark("measured speeds of at least half an hour"),
    "spike": mark("far outside of what the day before was like"),
    "drop-out": mark("messages come, but they hardly count anything"),
    "stuck": mark("chance would do this less than once in a million"),
    "silence": mark("%(score)s intervals in a row are missing"),
    "level-shift": mark("three days in a row, apart from the rest of the town"),
    "drift": mark("steadily over two weeks, apart from the rest of the town"),
    "exceedance": mark("hourly mean of the measured values"),
    "odd-pair": mark("traffic and noise of the site differ by %(score)s dB"),
}
#: Detectors whose figures are km/h.
_SPEEDS: Final = ("incident-speed", "congestion")
#: A score from here on is told without tenths.
_FAR: Final = 10
_LOCALES: Final = {"de": "de_DE", "en": "en_GB"}


def sentence(
    case: Mapping[str, Any],
    language: str,
    *,
    moment: Callable[[datetime], str] | None = None,
) -> str:
    """Say what a row of a case (`series.cases`) is about.

    `moment` writes a time; by default as day and time of the site's zone.
    """

    def say(text: str, **values: object) -> str:
        return translate(text, language) % values

    write = moment or (lambda time: _moment(time, case["time_zone"], language))
    whole = (case["began"], case["ended"])
    found = (case.get("found_began", whole[0]), case.get("found_ended", whole[1]))
    between = {"began": write(found[0]), "ended": write(found[1])}
    parts = [
        f"{_where(case, language)}: {_what(case, language)}",
        say(mark("from %(began)s to %(ended)s"), **between),
    ]
    if found != whole:
        between = {"began": write(whole[0]), "ended": write(whole[1])}
        parts.append(
            say(mark("with other findings from %(began)s to %(ended)s"), **between)
        )
    if case.get("channels", 1) > 1:
        parts.append(_reach(case, language))
    why = WHY.get(case.get("detector", ""))
    if why:
        # intervals are whole, and of what is far off no tenths matter
        whole = case["detector"] == "silence" or case["score"] >= _FAR
        parts.append(say(why, score=_number(case["score"], language, 1 - whole)))
    if len(case.get("detectors", ())) > 1:
        count = len(case["detectors"]) - 1
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


def _where(case: Mapping[str, Any], language: str) -> str:
    direction = case["direction_name"] if case.get("channels", 1) == 1 else ""
    quantity = QUANTITIES.get(case["quantity"])
    named = translate(quantity.name, language) if quantity else case["channel_name"]
    if language == "en" and case["quantity"] in COUNTED:
        named = named.lower()
    return ", ".join(filter(None, (case.get("site_name"), direction or named)))


def _what(case: Mapping[str, Any], language: str) -> str:
    reason = case["reason"]
    text = WHAT.get(reason, OTHER)
    unknown = ("observed", "usual")
    if any(f"%({name})s" in text and case[name] is None for name in unknown):
        text = OTHER
    quantity = case["quantity"]
    counted = quantity in COUNTED and reason not in _SPEEDS
    unit = ENVIRONMENT[quantity].unit if quantity in ENVIRONMENT else ""
    # 410 instead of 1,980 vehicles, but 31 µg/m³ instead of 12 µg/m³
    units = {
        "observed": unit,
        "usual": translate(NOUNS[quantity], language) if counted else unit,
    }
    return translate(text, language) % {
        "reason": translate(WORDS.get(reason, reason), language),
        **{
            name: f"{_number(case[name], language, 1 - counted)} {units[name]}".strip()
            for name in unknown
        },
    }


def _reach(case: Mapping[str, Any], language: str) -> str:
    text = mark("at %(channels)s channels of the site")
    if case["sites"] > 1:
        text = mark("at %(channels)s channels of %(sites)s sites")
    return translate(text, language) % case


def _number(value: float | None, language: str, digits: int) -> str:
    if value is None:
        return ""
    return str(format_decimal(round(value, digits), locale=_LOCALES[language]))


def _moment(time: datetime, zone: str, language: str) -> str:
    local = time.astimezone(ZoneInfo(zone))
    return f"{local:%d.%m.%Y %H:%M}" if language == "de" else f"{local:%-d %b %Y %H:%M}"
