"""The record of a manual count: a document for the page, and to be printed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import Response

from analytics.reports.manual_count import Report
from analytics.studies.manual_count import (
    ALL,
    Factor,
    Quarter,
    Spread,
    Sum,
    Verdict,
)
from verkehrspuls import __version__
from verkehrspuls.classes import CLASS_NAMES
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.manual_counts import Device, Way
from verkehrspuls.printing import (
    Block,
    Document,
    Facts,
    Heading,
    Signatures,
    Table,
    Text,
    to_pdf,
)
from verkehrspuls.text import mark

PDF: Final = "application/pdf"
VERDICTS: Final[Mapping[Verdict, str]] = {
    "kept": mark("kept"),
    "missed": mark("missed"),
    "few": mark("too few to say"),
}
_FOUND: Final = {
    True: mark("The sensor keeps all rates."),
    False: mark("The sensor misses a rate."),
    None: mark(
        "Too little was counted to say whether the sensor keeps its rates: count "
        "longer, or more vehicles."
    ),
}
#: words of what was decided
DECIDED: Final = {
    True: mark("accepted"),
    False: mark("not accepted"),
    None: mark("not decided"),
}


def document_of(report: Report, language: Language, *, now: datetime) -> Document:
    """Write the record of a manual count as a document."""
    count = report.count
    title = language.phrase(mark("Acceptance record: %(site)s"), site=count.site_name)
    footer = language.phrase(
        mark("Verkehrspuls %(version)s, made on %(at)s"),
        version=__version__,
        at=language.moment(now, count.time_zone),
    )
    blocks = [_facts(report, language), *compared(report, language)]
    blocks += [
        Heading(language.phrase(mark("Signatures"))),
        Signatures(
            [
                language.phrase(text)
                for text in (
                    mark("Place, date"),
                    mark("For the municipality"),
                    mark("For the contractor"),
                )
            ]
        ),
    ]
    return Document(language.key, title, footer, blocks)


def record_of(report: Report, language: Language, *, now: datetime) -> Response:
    """Answer with the record of a manual count as PDF/UA-1."""
    name = f"{report.count.site}_{report.count.number}.pdf"
    return Response(
        to_pdf(document_of(report, language, now=now)),
        media_type=PDF,
        headers={"Content-Disposition": f'inline; filename="{name}"'},
    )


def compared(report: Report, language: Language) -> Iterator[Block]:
    """Yield what both counted, what is judged of it, and the factors."""
    found, say = report.comparison, language.phrase
    yield Heading(say(mark("Result")))
    yield Text(say(_FOUND[found.accepted]))
    if not found.common:
        yield Text(
            say(
                mark(
                    "There is no whole quarter-hour that both counted completely. A "
                    "count begins at the next full quarter-hour, and the sensor's "
                    "readings have to be there. With a sensor whose intervals do not "
                    "divide a quarter-hour, whole hours are compared."
                )
            )
        )
        return
    for way in report.ways:
        yield from _of_way(way, report, language)
    for way in report.ways:
        yield from _quarters(way, report, language)


def _of_way(way: Way, report: Report, language: Language) -> Iterator[Block]:
    """Yield the sums of a direction, and its factor."""
    found, say = report.comparison, language.phrase
    words = _words_of(way, report)
    rows = [
        (
            class_name(each.name, language),
            language.number(each.counted),
            language.number(each.measured),
            _pct(each.deviation_pct, language),
            _judged(each.verdict, each.limit_pct, language),
        )
        for each in found.sums
        if _is_of(each, way)
    ]
    rows += [
        (
            say(words.each),
            "",
            "",
            _pct(each.deviation_pct, language, signed=False),
            _judged(each.verdict, each.limit_pct, language),
        )
        for each in found.spreads
        if _is_of(each, way)
    ]
    if not rows:
        return
    head = (mark("Class"), _BY_HAND, _BY_SENSOR, mark("Deviation"), mark("Limit"))
    name = way_name(way, report, language)
    yield Table(name, [*map(say, head)], rows, (1, 2, 3))
    for factor in found.factors:
        if _is_of(factor, way):
            yield Text(
                say(
                    words.factor,
                    factor=language.number(factor.factor, 3),
                    uncertainty=language.number(factor.uncertainty, 3),
                    quarters=language.number(factor.quarters),
                )
            )


class _Words(NamedTuple):
    """What names quarter-hours, or hours."""

    each: str
    factor: str
    caption: str


_WORDS: Final[Mapping[int, _Words]] = {
    900: _Words(
        mark("by quarter-hour"),
        mark(
            "Calibration factor: %(factor)s ± %(uncertainty)s (95 %%), from "
            "%(quarters)s quarter-hours."
        ),
        mark("%(direction)s, by class and quarter-hour"),
    ),
    3600: _Words(
        mark("by hour"),
        mark(
            "Calibration factor: %(factor)s ± %(uncertainty)s (95 %%), from "
            "%(quarters)s hours."
        ),
        mark("%(direction)s, by class and hour"),
    ),
}


def _words_of(way: Way, report: Report) -> _Words:
    """Return the words for what was compared of a direction."""
    lengths = [q.interval_s for q in report.comparison.quarters if _is_of(q, way)]
    return _WORDS[lengths[0] if lengths else 900]


_BY_HAND: Final = mark("by hand")
_BY_SENSOR: Final = mark("sensor")


def class_name(name: str, language: Language) -> str:
    """Return the name of a class, or of all that is counted."""
    return language.phrase(CLASS_NAMES.get(name, mark("all vehicles")))


def way_name(way: Way, report: Report, language: Language) -> str:
    """Return the name of a direction; with its quantity where several are counted."""
    if len({each.quantity for each in report.ways}) == 1:
        return way.name
    return f"{way.name}: {language.quantity_within(way.quantity)}"


def _facts(report: Report, language: Language) -> Facts:
    count, say = report.count, language.phrase
    began = language.moment(count.began, count.time_zone)
    ended = (
        language.moment(count.ended, count.time_zone)
        if count.ended
        else say(mark("goes on"))
    )
    rows = [
        (say(mark("Site")), f"{count.site_name} ({count.municipality}/{count.site})"),
        *((say(mark("Sensor")), _device(device)) for device in report.devices),
        (say(mark("Manual count")), language.number(count.number)),
        (say(mark("Counted from")), began),
        (say(mark("Counted until")), ended),
        (say(mark("Counted by")), count.counted_by or UNKNOWN_FIGURE),
        (say(mark("Common intervals")), language.number(report.comparison.common)),
        (say(mark("Decision")), _decision(report, language)),
    ]
    if count.note:
        rows.append((say(mark("Note")), count.note))
    if count.remark:
        rows.append((say(mark("Remark")), count.remark))
    return Facts((say(mark("Fact")), say(mark("Value"))), rows)


def _device(device: Device) -> str:
    facts = (device.model, device.serial, device.firmware)
    return ", ".join([f"{device.name} ({device.key})", *filter(None, facts)])


def _decision(report: Report, language: Language) -> str:
    count = report.count
    word = language.phrase(DECIDED[count.accepted])
    if count.decided_at is None:
        return word
    at = language.moment(count.decided_at, count.time_zone)
    return f"{word}, {count.decided_by}, {at}"


def _quarters(way: Way, report: Report, language: Language) -> Iterator[Table]:
    """Yield the quarter-hours of a direction, without classes that nobody saw."""
    zone = ZoneInfo(report.count.time_zone)
    rows = []
    for quarter in report.comparison.quarters:
        more = quarter.measured - quarter.counted
        if _is_of(quarter, way) and (
            quarter.counted or quarter.measured or quarter.name == ALL
        ):
            rows.append(
                (
                    language.clock(quarter.time.astimezone(zone)),
                    class_name(quarter.name, language),
                    language.number(quarter.counted),
                    language.number(quarter.measured),
                    f"{'+' if more > 0 else ''}{language.number(more)}",
                )
            )
    if rows:
        say = language.phrase
        head = (mark("From"), mark("Class"), _BY_HAND, _BY_SENSOR, mark("Difference"))
        caption = say(
            _words_of(way, report).caption, direction=way_name(way, report, language)
        )
        yield Table(caption, [*map(say, head)], rows, (2, 3, 4))


def _is_of(part: Sum | Spread | Factor | Quarter, way: Way) -> bool:
    return (part.quantity, part.direction) == (way.quantity, way.direction)


def _pct(value: float | None, language: Language, *, signed: bool = True) -> str:
    if value is None:
        return UNKNOWN_FIGURE
    sign = "+" if signed and round(value, 1) > 0 else ""
    return f"{sign}{language.number(value, 1)}\N{NARROW NO-BREAK SPACE}%"


def _judged(verdict: Verdict, limit: float, language: Language) -> str:
    """Write a limit, and whether it is kept."""
    digits = 0 if limit.is_integer() else 1
    word = language.phrase(VERDICTS[verdict])
    return f"{language.number(limit, digits)}\N{NARROW NO-BREAK SPACE}%: {word}"
