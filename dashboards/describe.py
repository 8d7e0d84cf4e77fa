"""One sentence for each chart and case, made from the data."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from analytics.cases import sentences
from analytics.cases.states import STATES
from analytics.environment import gauges
from analytics.environment.summary import summarise
from analytics.flow import busiest
from analytics.flow.series import change_from_usual
from analytics.frames import highest
from analytics.reports.site_now import LATE_AFTER
from dashboards.period import Period
from verkehrspuls.cases import Case, Change
from verkehrspuls.classes import CLASS_NAMES
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.storage.case_lists import Counts
from verkehrspuls.text import mark

#: maximum deviation that is described as "about as much as usual"
MAX_USUAL_DEVIATION: Final = 0.05

_HOUR: Final = timedelta(hours=1)

_NOTHING: Final = mark("No data yet in this period.")

_NO_HOUR: Final = mark("No whole hour has been observed yet.")
_NO_DAY: Final = mark("No whole day has been observed yet.")
_LACKING: Final[dict[busiest.Lacking, str]] = {
    "hour": _NO_HOUR,
    "day": _NO_DAY,
    "days": mark(
        "Too few days are observed to show a usual day: %(count)s days of a type are "
        "needed."
    ),
    "hours of the week": mark(
        "Too few hours are observed to name the busiest of the week."
    ),
}
#: texts for periods with counts, but without a whole step
_UNFINISHED: Final = {
    "PT15M": mark("No whole quarter-hour has been observed yet."),
    "PT1H": _NO_HOUR,
    "P1D": _NO_DAY,
}


def series(
    frame: pl.DataFrame, language: Language, *, period: Period, unit: str, names: Any
) -> str:
    """Return the peak, and the comparison with what is usual."""
    known = frame.drop_nulls("value")
    if known.is_empty():
        counted = frame["volume"].null_count() < frame.height
        return language.phrase(_UNFINISHED[period.bin] if counted else _NOTHING)
    peaks = highest(known, "value").sort("x")
    peak = peaks.row(0, named=True)
    sentence = language.phrase(
        "Peak %(value)s on %(when)s%(direction)s.",
        value=f"{language.number(peak['value'])} {unit}",
        when=_when(peak, language, period, times=peaks.height),
        direction=f" ({names[peak['direction']]})" if names[peak["direction"]] else "",
    )
    return " ".join(filter(None, (sentence, _compared(known, language))))


def day_profile(profile: pl.DataFrame, language: Language, *, unit: str) -> str:
    """Return the peak hour of each day type; skip types with missing hours."""
    peaks = busiest.of_day_types(profile)
    if isinstance(peaks, str):
        return language.phrase(_LACKING[peaks], count=busiest.MIN_DAYS)
    texts = {
        "workday": mark("On workdays the busiest hour is %(hours)s with %(value)s."),
        "saturday": mark("On Saturdays it is %(hours)s with %(value)s."),
        "sunday_or_holiday": mark(
            "On Sundays and holidays it is %(hours)s with %(value)s."
        ),
    }
    return " ".join(
        language.phrase(
            text,
            hours=language.hours(peaks[day_type]["hour"]),
            value=f"{language.number(peaks[day_type]['mean'])} {unit}",
        )
        for day_type, text in texts.items()
        if day_type in peaks
    )


def week(means: pl.DataFrame, language: Language, *, unit: str) -> str:
    """Return the busiest hour of the week and the quietest."""
    found = busiest.of_week(means)
    if isinstance(found, str):
        return language.phrase(_LACKING[found])
    most, least = found.most, found.least
    text = (
        mark(
            "Busiest is %(day)s, %(hours)s, with %(value)s on average; quietest is "
            "%(quiet_day)s, %(quiet_hours)s, with %(quiet_value)s."
        )
        if found.is_average
        else mark(
            "In this period it was busiest on %(day)s, %(hours)s, with %(value)s; "
            "quietest on %(quiet_day)s, %(quiet_hours)s, with %(quiet_value)s."
        )
    )
    return language.phrase(
        text,
        day=language.weekday(most["weekday"] - 1),
        hours=language.hours(most["hour"]),
        value=f"{language.number(most['mean'])} {unit}",
        quiet_day=language.weekday(least["weekday"] - 1),
        quiet_hours=language.hours(least["hour"]),
        quiet_value=f"{language.number(least['mean'])} {unit}",
    )


def directions(
    means: pl.DataFrame,
    counted: pl.DataFrame,
    language: Language,
    *,
    names: Sequence[tuple[str, str]],
) -> str:
    """Return each direction's share of the period and its busiest hour on workdays."""
    if means.is_empty():
        return language.phrase("No workday has been observed yet.")
    shares = dict(counted.select("direction", "share").iter_rows())
    hours = busiest.of_directions(means)
    parts = []
    for key, name in names:
        if key not in hours or shares.get(key) is None:
            continue
        told = {"name": name, "share": language.percent(shares[key])}
        text = mark("%(name)s: %(share)s of the traffic")
        if (hour := hours[key]) is not None:
            told["hours"] = language.hours(hour)
            text = mark(
                "%(name)s: %(share)s of the traffic, on workdays most at %(hours)s"
            )
        parts.append(language.phrase(text, **told))
    return "; ".join(parts) + "." if parts else language.phrase(_NO_HOUR)


def classes(counted: pl.DataFrame, language: Language, *, heavy: str) -> str:
    """Return the most frequent class and the `heavy` share, where there is one."""
    known = counted.drop_nulls("share").sort("share")
    if known.is_empty():
        return language.phrase("No vehicle of a known class was counted.")
    most = known.row(-1, named=True)
    name = CLASS_NAMES[most["name"]]
    sentence = language.phrase(
        "Most are %(name)s with %(share)s.",
        name=language.phrase(name),
        share=language.percent(most["share"], 1),
    )
    if heavy == UNKNOWN_FIGURE:
        return sentence
    return f"{sentence} " + language.phrase(
        "Heavy traffic (lorries and buses) is %(share)s.", share=heavy
    )


def environment(
    frame: pl.DataFrame, language: Language, *, period: Period, quantity: str
) -> str:
    """Return the mean if there is one, the highest value, and the observed share."""
    found = summarise(frame, quantity)
    if found is None:
        return language.phrase(_NOTHING)
    kind, unit = ENVIRONMENT[quantity].mean, ENVIRONMENT[quantity].unit
    if found.mean is None:
        sentence = language.phrase(
            "Newest: %(value)s on %(when)s (0° is north, 90° east).",
            value=f"{language.number(found.newest['mean'])}{unit}",
            when=_when(found.newest, language, period),
        )
    else:
        sentence = language.phrase(
            _MEANS[kind, "day" if "day" in frame.columns else "hour"],
            mean=f"{language.number(found.mean, 1)} {unit}",
            value=f"{language.number(found.highest['mean'], 1)} {unit}",
            when=_when(found.highest, language, period, times=found.times_highest),
        )
    observed = language.phrase(
        "%(share)s of the period is observed.", share=language.percent(found.observed)
    )
    return f"{sentence} {observed}"


#: by how a quantity is averaged, and the step
_MEANS: Final = {
    ("arithmetic", "hour"): mark(
        "On average %(mean)s; highest hour %(value)s on %(when)s."
    ),
    ("arithmetic", "day"): mark(
        "On average %(mean)s; highest day %(value)s on %(when)s."
    ),
    ("sum", "hour"): mark(
        "In total %(mean)s; most in one hour: %(value)s on %(when)s."
    ),
    ("sum", "day"): mark("In total %(mean)s; most on one day: %(value)s on %(when)s."),
    ("energetic", "hour"): mark(
        "Energetic mean %(mean)s; loudest hour %(value)s on %(when)s."
    ),
    ("energetic", "day"): mark(
        "Energetic mean %(mean)s; loudest day %(value)s on %(when)s."
    ),
}


def thresholds(
    frame: pl.DataFrame,
    language: Language,
    *,
    quantity: str,
    thresholds: Mapping[str, float],
    period: Period,
    now: datetime,
) -> str:
    """Return the highest threshold that is reached; empty without thresholds.

    By the newest hour if it is current, else by the highest one of the period.
    """
    found = summarise(frame, quantity) if thresholds else None
    if found is None:
        return ""
    newest = found.newest
    is_now = period.end > now and now - newest["time"] <= _HOUR + LATE_AFTER
    shown = newest if is_now else found.highest
    reached = gauges.reached(shown["mean"], thresholds)

    def at(number: float) -> str:
        return f"{language.number(number)} {ENVIRONMENT[quantity].unit}"

    named = reached or min(thresholds, key=lambda name: thresholds[name])
    return language.phrase(
        _THRESHOLDS[is_now, bool(reached)],
        value=at(shown["mean"]),
        when=_when(shown, language, period),
        name=named,
        threshold=at(thresholds[named]),
    )


#: by whether the value is current, and whether a threshold is reached
_THRESHOLDS: Final = {
    (True, True): mark("Now %(value)s: %(name)s (%(threshold)s) is reached."),
    (True, False): mark(
        "Now %(value)s: no threshold is reached, the lowest is %(name)s at "
        "%(threshold)s."
    ),
    (False, True): mark(
        "In this period %(name)s (%(threshold)s) was reached: %(value)s on %(when)s."
    ),
    (False, False): mark(
        "In this period no threshold was reached, the lowest is %(name)s at "
        "%(threshold)s."
    ),
}


SEVERITIES: Final = {
    "low": mark("low"),
    "medium": mark("medium"),
    "high": mark("high"),
}


def severity(case: Case | Change, language: Language) -> str:
    """Return in a word how soon a person should look at a case."""
    word = SEVERITIES[case.severity]
    return language.phrase(word)


def case_word(reason: str, language: Language) -> str:
    """Return the word for a reason; its code if it has none."""
    return language.phrase(sentences.word(reason))


def case_state(case: Case | Change, language: Language) -> str:
    """Name a case's state."""
    state = STATES[case.state]
    return language.phrase(state)


def open_cases(counts: Counts, language: Language) -> str:
    """Return the number of open cases as a phrase; empty if there is none.

    Historical cases need no action, so they are separate, see `history`.
    """
    current, older = map(language.number, (counts.current, counts.older))
    if not counts.older:
        text = mark("open cases: %(current)s of the last week")
        return language.phrase(text, current=current) if counts.current else ""
    if not counts.current:
        return language.phrase(
            mark("open cases: %(older)s older than a week"), older=older
        )
    text = mark("open cases: %(current)s of the last week, %(older)s older")
    return language.phrase(text, current=current, older=older)


def open_cases_sentence(counts: Counts, language: Language) -> str:
    """Return the same as a sentence."""
    text = open_cases(counts, language)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def history(counts: Counts, language: Language) -> str:
    """Return the number of historical cases with an explanation; empty if none."""
    if not counts.history:
        return ""
    return language.plural(
        "%(count)s case is historical: it had ended a week before it was found.",
        "%(count)s cases are historical: they had ended a week before they were found.",
        counts.history,
    )


def case(found: Case, language: Language, *, zone: str) -> str:
    """Describe a case, without its site."""
    return sentences.sentence(
        replace(found, site_name=""),
        language.key,
        moment=lambda time: language.moment(time, zone),
    )


def _when(
    row: Mapping[str, Any], language: Language, period: Period, *, times: int = 1
) -> str:
    """Write when a row is, the first of several `times`."""
    local = row["local"]
    when = language.day(local)
    if "day" not in row and (period.bin != "P1D" or "time" in row):
        when += f", {local:%H:%M}" + (f" {row['fold']}" if row["fold"] else "")
    if times > 1:
        return language.phrase(mark("%(when)s, and as much again later"), when=when)
    return when


def _compared(known: pl.DataFrame, language: Language) -> str:
    if "usual" not in known.columns:
        return ""
    change = change_from_usual(known)
    if change is None:
        return ""
    if abs(change) < MAX_USUAL_DEVIATION:
        return language.phrase("In total about as much as usual.")
    text = (
        mark("In total %(percent)s more than usual.")
        if change > 0
        else mark("In total %(percent)s less than usual.")
    )
    return language.phrase(text, percent=language.percent(abs(change)))
