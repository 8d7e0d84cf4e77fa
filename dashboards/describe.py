"""What a chart shows and what a case says, as one sentence made from the data."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from analytics import sentences
from analytics.case_states import STATES
from analytics.frames import mean
from dashboards.figures.classes import CLASS_NAMES
from dashboards.language import Language
from dashboards.period import Period
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.text import mark

#: nearer to what is usual than this is "about as much as usual"
ABOUT: Final = 0.05

#: hours of the day that must be known before one is called its busiest; in spring a
#: day has no more
_WHOLE_DAY_H: Final = 23

_NOTHING: Final = mark("No data yet in this period.")


def series(
    frame: pl.DataFrame, language: Language, *, period: Period, unit: str, names: Any
) -> str:
    """The peak, and the comparison with what is usual."""
    known = frame.drop_nulls("value")
    if known.is_empty():
        return language.phrase(_NOTHING)
    peak = known.sort("value").row(-1, named=True)
    sentence = language.phrase(
        "Peak %(value)s on %(when)s%(direction)s.",
        value=f"{language.number(peak['value'])} {unit}",
        when=_when(peak, language, period),
        direction=f" ({names[peak['direction']]})" if names[peak["direction"]] else "",
    )
    return " ".join(filter(None, (sentence, _compared(known, language))))


def day_profile(profile: pl.DataFrame, language: Language, *, unit: str) -> str:
    """When workdays and Sundays peak; nothing of kinds of days that are not whole."""
    known = profile.drop_nulls("mean")
    if known.is_empty():
        return language.phrase(_NOTHING)
    whole = known.filter(pl.len().over("day_type") >= _WHOLE_DAY_H)
    if whole.is_empty():
        return language.phrase("No whole day has been observed yet.")
    peaks = {row["day_type"]: row for row in whole.sort("mean").to_dicts()}
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
    """The busiest hour of the week and the quietest."""
    known = means.drop_nulls("mean").sort("mean")
    if known.is_empty():
        return language.phrase(_NOTHING)
    least, most = known.row(0, named=True), known.row(-1, named=True)
    return language.phrase(
        "Busiest is %(day)s, %(hours)s, with %(value)s on average; quietest is "
        "%(quiet_day)s, %(quiet_hours)s, with %(quiet_value)s.",
        day=language.weekday(most["weekday"]),
        hours=language.hours(most["hour"]),
        value=f"{language.number(most['mean'])} {unit}",
        quiet_day=language.weekday(least["weekday"]),
        quiet_hours=language.hours(least["hour"]),
        quiet_value=f"{language.number(least['mean'])} {unit}",
    )


def directions(
    means: pl.DataFrame,
    totals: Mapping[str, int],
    language: Language,
    *,
    names: Sequence[tuple[str, str]],
) -> str:
    """Each direction's share of the period and its busiest hour on workdays."""
    if means.is_empty():
        return language.phrase("No workday has been observed yet.")
    total = sum(totals.values())
    parts = []
    for key, name in names:
        rows = means.filter(pl.col("direction") == key).sort("mean")
        if rows.is_empty() or not total:
            continue
        parts.append(
            language.phrase(
                "%(name)s: %(share)s of the traffic, on workdays most at %(hours)s",
                name=name,
                share=language.percent(totals.get(key, 0) / total),
                hours=language.hours(rows["hour"][-1]),
            )
        )
    return "; ".join(parts) + "." if parts else language.phrase(_NOTHING)


def classes(counted: pl.DataFrame, language: Language) -> str:
    """The greatest class and the heavy share."""
    known = counted.drop_nulls("share").sort("share")
    if known.is_empty():
        return language.phrase(_NOTHING)
    most = known.row(-1, named=True)
    name = CLASS_NAMES[most["class"]]
    sentence = language.phrase(
        "Most are %(name)s with %(share)s.",
        name=language.phrase(name),
        share=language.percent(most["share"], 1),
    )
    heavy = known.filter("heavy")
    if heavy.is_empty():
        return sentence
    share = language.percent(float(heavy["share"].sum()), 1)
    return f"{sentence} " + language.phrase(
        "Heavy traffic (lorries and buses) is %(share)s.", share=share
    )


def environment(
    frame: pl.DataFrame, language: Language, *, period: Period, quantity: str
) -> str:
    """The mean where there is one to tell, the extremes, the share observed."""
    found = ENVIRONMENT[quantity]
    known = frame.drop_nulls("mean")
    if known.is_empty():
        return language.phrase(_NOTHING)

    def value(number: float) -> str:
        return f"{language.number(number, 1)} {found.unit}"

    highest = known.sort("mean").row(-1, named=True)
    when = _when(highest, language, period)
    if found.mean == "arithmetic":
        sentence = language.phrase(
            "On average %(mean)s; highest hour %(value)s on %(when)s.",
            mean=value(mean(known["mean"])),
            value=value(highest["mean"]),
            when=when,
        )
    elif found.mean == "sum":
        sentence = language.phrase(
            "In all %(sum)s; most in one hour %(value)s on %(when)s.",
            sum=value(float(known["mean"].sum())),
            value=value(highest["mean"]),
            when=when,
        )
    elif found.mean == "energetic":
        level = known.select((10 ** (pl.col("mean") / 10)).mean().log10() * 10).item()
        sentence = language.phrase(
            "Energetic mean %(mean)s; loudest hour %(value)s on %(when)s.",
            mean=value(level),
            value=value(highest["mean"]),
            when=when,
        )
    else:
        newest = known.sort("time").row(-1, named=True)
        sentence = language.phrase(
            "Newest: %(value)s on %(when)s (0° is north, 90° east).",
            value=f"{language.number(newest['mean'])}{found.unit}",
            when=_when(newest, language, period),
        )
    observed = language.phrase(
        "%(share)s of the period is observed.",
        share=language.percent(mean(frame["observed"]) if frame.height else 0),
    )
    return f"{sentence} {observed}"


def thresholds(
    frame: pl.DataFrame,
    language: Language,
    *,
    quantity: str,
    thresholds: Mapping[str, float],
) -> str:
    """The highest threshold that the newest value reaches; empty without thresholds."""
    known = frame.drop_nulls("mean")
    if not thresholds or known.is_empty():
        return ""
    newest = float(known["mean"][-1])
    reached = [name for name, value in thresholds.items() if newest >= value]

    def at(number: float) -> str:
        return f"{language.number(number)} {ENVIRONMENT[quantity].unit}"

    value = at(newest)
    if not reached:
        return language.phrase(
            "Now %(value)s: no threshold is reached, the lowest is %(name)s at "
            "%(least)s.",
            value=value,
            name=min(thresholds, key=lambda name: thresholds[name]),
            least=at(min(thresholds.values())),
        )
    highest = max(reached, key=lambda name: thresholds[name])
    return language.phrase(
        "Now %(value)s: %(name)s (%(threshold)s) is reached.",
        value=value,
        name=highest,
        threshold=at(thresholds[highest]),
    )


SEVERITIES: Final = {
    "low": mark("low"),
    "medium": mark("medium"),
    "high": mark("high"),
}


def severity(row: Mapping[str, Any], language: Language) -> str:
    """Say how soon a person should look at a case."""
    word = SEVERITIES[row["severity"]]
    return language.phrase(word)


def case_word(reason: str, language: Language) -> str:
    """Name a reason in a word; its code where no word is known."""
    return language.phrase(sentences.WORDS.get(reason, reason))


def case_state(row: Mapping[str, Any], language: Language) -> str:
    """Name a case's state."""
    state = STATES[row["state"]]
    return language.phrase(state)


def case(row: Mapping[str, Any], language: Language, *, zone: str) -> str:
    """Say what a case is about; its site is named beside it."""
    return sentences.sentence(
        {**row, "site_name": ""},
        language.key,
        moment=lambda time: language.moment(time, zone),
    )


def _when(row: Mapping[str, Any], language: Language, period: Period) -> str:
    local = row["local"]
    if "day" in row or (period.bin == "P1D" and "time" not in row):
        return language.day(local)
    fold = f" {row['fold']}" if row["fold"] else ""
    return f"{language.day(local)}, {local:%H:%M}{fold}"


def _compared(known: pl.DataFrame, language: Language) -> str:
    if "usual" not in known.columns:
        return ""
    both = known.drop_nulls("usual")
    usual = float(both["usual"].sum())
    if usual <= 0:
        return ""
    change = float(both["value"].sum()) / usual - 1
    if abs(change) < ABOUT:
        return language.phrase("In all about as much as usual.")
    text = (
        mark("In all %(percent)s more than usual.")
        if change > 0
        else mark("In all %(percent)s less than usual.")
    )
    return language.phrase(text, percent=language.percent(abs(change)))
