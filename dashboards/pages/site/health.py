"""Health of a site's sensors: verdicts of the last days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Final

from analytics.health.verdicts import GOOD, texts, words
from verkehrspuls.language import Language
from verkehrspuls.storage.health import HealthDay
from verkehrspuls.storage.sites import Channel, Site

#: number of days shown, including today
DAYS_SHOWN: Final = 14


@dataclass(frozen=True, slots=True)
class Cell:
    """A verdict: its sign and its word."""

    sign: str
    word: str


@dataclass(frozen=True, slots=True)
class Health:
    """Verdicts by day and channel, newest day first."""

    sentence: str
    #: "channel, time: finding", the newest first
    failures: Sequence[str]
    channels: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def health(
    site: Site,
    verdicts: Sequence[HealthDay],
    language: Language,
    *,
    today: date,
) -> Health:
    """Arrange the verdicts (`storage.health.days`) of the last `DAYS_SHOWN` days."""
    names = {c.key: _name(c, site, language) for c in site.channels}
    known = {(row.day, row.channel): row.verdict for row in verdicts}
    days = [today - timedelta(days=n) for n in range(DAYS_SHOWN)]
    bad = sum(verdict != GOOD for verdict in known.values())
    if not known:
        sentence = language.phrase("No day has been judged yet.")
    elif not bad:
        sentence = language.phrase(
            "No test found a fault on any channel in the last %(days)s days.",
            days=DAYS_SHOWN,
        )
    else:
        sentence = language.plural(
            "On %(count)s of %(all)s channel-days a test found a fault.",
            "On %(count)s of %(all)s channel-days a test found a fault.",
            bad,
            all=language.number(len(known)),
        )
    return Health(
        sentence=sentence,
        failures=_failures(names, known, days, language),
        channels=list(names.values()),
        rows=[
            (
                language.day(day),
                [_cell(known.get((day, key)), language) for key in names],
            )
            for day in days
        ]
        if known
        else [],
    )


def _name(channel: Channel, site: Site, language: Language) -> str:
    """Return the shortest distinct name of a channel."""
    alike = [
        c
        for c in site.channels
        if (c.quantity, c.direction) == (channel.quantity, channel.direction)
    ]
    if len(alike) > 1:
        return channel.name or channel.key
    return channel.direction_name or language.quantity(channel.quantity)


def _cell(verdict: str | None, language: Language) -> Cell:
    if verdict is None:
        return Cell("none", language.phrase("not judged"))
    word = language.phrase(words().get(verdict, verdict))
    return Cell("usual" if verdict == GOOD else "more", word)


def _failures(
    names: Mapping[str, str],
    known: Mapping[tuple[date, str], str],
    days: Sequence[date],
    language: Language,
) -> list[str]:
    """Describe the failures; consecutive days are joined."""
    found = []
    for key, name in names.items():
        of_days = [(day, known.get((day, key), GOOD)) for day in days]
        for verdict, run in groupby(of_days, key=lambda pair: pair[1]):
            if verdict != GOOD:
                span = [day for day, _ in run]
                when = language.days(span[-1], span[0])
                text = language.phrase(texts().get(verdict, verdict))
                found.append((span[0], f"{name}, {when}: {text}"))
    return [text for _, text in sorted(found, key=lambda run: run[0], reverse=True)]
