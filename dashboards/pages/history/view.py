"""The history of a site, its last day, and a trace, as the page shows them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from analytics.cases import sentences
from analytics.health.verdicts import words
from analytics.reports.site_history import LastDay
from analytics.reports.trace import Trace
from dashboards import addresses
from dashboards.charts.charts import Chart, Table
from dashboards.figures.history import Point, Span, history
from dashboards.figures.layout import plain
from dashboards.period import Period
from ingest.reasons import Detail, explain
from verkehrspuls.language import Language
from verkehrspuls.model import Town
from verkehrspuls.registry.maintenance import WORKS, Entry
from verkehrspuls.storage.sites import Channel, Site
from verkehrspuls.storage.trace import OfMessage
from verkehrspuls.text import mark

#: what a message came to
_OUTCOMES: Final = {
    "accepted": mark("used"),
    "partly accepted": mark("used in part"),
    "rejected": mark("rejected"),
}
#: how it came, unless by the broker
_WAYS: Final = {"imported": mark("from a file"), "replayed": mark("replayed")}
#: what was done, in the table
_KINDS: Final = {
    "installation": mark("device"),
    "calibration": mark("calibration"),
    "maintenance": mark("maintenance"),
}


class Event(NamedTuple):
    """A line of the history: when, on which channel, of which kind, and what."""

    at: datetime
    line: str
    kind: str
    text: str
    until: datetime | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom something is written."""

    language: Language
    zone: str
    now: datetime

    def moment(self, at: datetime) -> str:
        """Write a moment of the site."""
        return self.language.moment(at, self.zone)


def events(
    town: Town, site: Site, log: Iterable[Entry], reader: Reader
) -> Iterator[Event]:
    """Yield what is registered of the devices of a site, and what was done there."""
    language = reader.language
    names = {channel.key: channel_name(channel, language) for channel in site.channels}
    here = {
        sensor.key: next(
            (each.channel for each in sensor.installations if each.site == site.key),
            None,
        )
        for sensor in town.sensors
    }
    for sensor in town.sensors:
        for each in sensor.installations:
            if each.site != site.key or each.channel not in names:
                continue
            line = names[each.channel]
            name = f"{sensor.name} ({sensor.key})"
            yield Event(each.since, line, "installation", name, each.until, sensor.key)
            for one in each.calibrations:
                factor = language.phrase(
                    mark("%(sensor)s: factor %(factor)s"),
                    sensor=sensor.name,
                    factor=language.number(one.factor, 3),
                )
                yield Event(one.since, line, "calibration", factor)
    for entry in log:
        what = language.phrase(WORKS[entry.kind])
        text = f"{what}: {entry.note}" if entry.note else what
        channel = here.get(entry.sensor or "")
        line = names.get(channel or "", site.name)
        yield Event(entry.done_at, line, "maintenance", text)


def channel_name(channel: Channel, language: Language) -> str:
    """Name a channel within its site."""
    what = channel.direction_name or language.quantity(channel.quantity)
    if channel.lane:
        return language.phrase(
            mark("%(direction)s, lane %(lane)s"), direction=what, lane=channel.lane
        )
    return what


def chart(found: Sequence[Event], period: Period, reader: Reader) -> Chart:
    """Draw and list the history of a site in a period."""
    language = reader.language
    end = min(period.end, reader.now)
    shown = [
        event
        for event in sorted(found, key=lambda event: event.at, reverse=True)
        if event.at < period.end and (event.until or reader.now) > period.start
        if event.kind == "installation" or event.at >= period.start
    ]
    spans = [
        Span(
            event.line,
            event.name,
            event.at,
            event.until or end,
            f"<b>{plain(event.text)}</b><br>"
            f"{language.installed(event.at, event.until, reader.zone)}",
        )
        for event in shown
        if event.kind == "installation"
    ]
    points = [
        Point(
            event.line,
            event.at,
            event.kind,
            f"<b>{plain(event.text)}</b><br>{reader.moment(event.at)}",
        )
        for event in shown
        if event.kind != "installation"
    ]
    return Chart(
        key="history",
        heading=language.phrase(mark("Which devices, and what was done?")),
        sentence=_sentence(spans, points, language),
        figure=history(
            spans,
            points,
            language,
            zone=reader.zone,
            start=period.start,
            end=period.end,
        )
        if shown
        else None,
        table=Table(
            [
                language.phrase(text)
                for text in (
                    mark("From"),
                    mark("Channel"),
                    mark("What"),
                    mark("Details"),
                )
            ],
            [
                (
                    reader.moment(event.at),
                    event.line,
                    language.phrase(_KINDS[event.kind]),
                    event.text,
                )
                for event in shown[:200]
            ],
        ),
        note=language.phrase(
            mark("A bar is a device, a diamond a calibration, a square maintenance.")
        ),
    )


def _sentence(
    spans: Sequence[Span], points: Sequence[Point], language: Language
) -> str:
    devices = len({span.name for span in spans})
    done = sum(point.kind == "maintenance" for point in points)
    return " ".join(
        (
            language.plural("%(count)s device.", "%(count)s devices.", devices),
            language.plural(
                "%(count)s entry of the maintenance log.",
                "%(count)s entries of the maintenance log.",
                done,
            ),
        )
    )


class Hours(NamedTuple):
    """What came of a sensor in the last day."""

    name: str
    link: str
    sentence: str
    table: Table
    messages: Sequence[tuple[str, str, str, str]]
    rejected: Sequence[tuple[str, str, str, str]]


def last_day(found: LastDay, reader: Reader, municipality: str) -> Hours:
    """Describe what came of a sensor in the last day."""
    language, facts = reader.language, found.sensor.facts
    received = sum(hour.messages_received for hour in found.hours)
    rejected = sum(
        hour.messages_rejected + hour.messages_partly_accepted for hour in found.hours
    )
    sentence = language.plural(
        "%(count)s message in the last day,",
        "%(count)s messages in the last day,",
        received,
    )
    sentence += " " + (
        language.plural(
            "of which %(count)s could not be used as a whole.",
            "of which %(count)s could not be used as a whole.",
            rejected,
        )
        if rejected
        else language.phrase(mark("all of them used."))
    )
    if not received:
        sentence = language.phrase(mark("No message in the last day."))
    heads = (
        *(mark("Hour of receipt"), mark("Messages"), mark("used"), mark("rejected")),
        *(mark("Readings stored"), mark("expected"), mark("Why")),
    )
    number = language.number
    rows = [
        (
            language.hour(hour.hour, reader.zone),
            number(hour.messages_received),
            number(hour.messages_accepted),
            number(hour.messages_rejected + hour.messages_partly_accepted),
            number(hour.readings_stored),
            number(hour.readings_expected),
            "; ".join(
                f"{number(count)} × {explain(reason, Detail(), language.key)}"
                for reason, count in hour.rejects.items()
            ),
        )
        for hour in found.hours
    ]
    return Hours(
        facts.name or facts.key,
        addresses.device(language.key, municipality, facts.key),
        sentence,
        Table([language.phrase(head) for head in heads], rows),
        [
            (
                reader.moment(message.received_at),
                language.phrase(_OUTCOMES[message.outcome])
                + (
                    f", {language.phrase(_WAYS[message.came])}"
                    if message.came in _WAYS
                    else ""
                ),
                language.plural(
                    "%(count)s reading", "%(count)s readings", message.readings
                ),
                message_query(facts.key, message.received_at),
            )
            for message in found.messages
        ],
        [
            (
                reader.moment(reject.received_at),
                reject.topic,
                explain(
                    reject.reason,
                    Detail(reject.detail, reject.detail_values or ()),
                    language.key,
                ),
                language.phrase(mark("replayed")) if reject.replayed_at else "",
            )
            for reject in found.rejected
        ],
    )


def message_query(sensor: str, received_at: datetime) -> str:
    """Return the query that traces a message."""
    return f"sensor={sensor}&received={received_at:%Y-%m-%dT%H:%M:%S.%fZ}"


class Step(NamedTuple):
    """A step of a reading's way: its name, whether it holds, and what is known."""

    name: str
    #: None: an earlier one fails
    holds: bool | None
    lines: Sequence[str]


#: the steps in their order, and what they are called
STEPS: Final = {
    "attached": mark("a device is attached"),
    "received": mark("received"),
    "decoded": mark("decoded"),
    "stored": mark("stored on the channel"),
    "figure": mark("in a figure"),
    "left-out": mark("not left out"),
}


def steps(trace: Trace, reader: Reader) -> list[Step]:
    """Describe a trace, step by step; after the first that fails nothing is known."""
    keys = list(STEPS)
    failing = keys.index(trace.fails) if trace.fails else len(keys)
    return [
        Step(
            reader.language.phrase(STEPS[key]),
            None if place > failing else place < failing,
            _LINES[key](trace, reader) if place <= failing else (),
        )
        for place, key in enumerate(keys)
    ]


def answer(trace: Trace, reader: Reader) -> str:
    """Say in a sentence why the reading is on the page, or is not."""
    return reader.language.phrase(_ANSWERS[trace.fails])


_ANSWERS: Final = {
    "": mark("It is in the figures of the page."),
    "attached": mark(
        "No device was attached to this channel then: register the installation, or "
        "its time."
    ),
    "received": mark(
        "No message came: look at the device, its network and its credential."
    ),
    "decoded": mark("Messages came, but could not be used: the reason is below."),
    "stored": mark(
        "Messages came and were used, but none had a reading of this time: look at the "
        "device's clock and interval, and at its outputs."
    ),
    "figure": mark("It is stored, and waits to be computed: look again in a minute."),
    "left-out": mark("It is stored and computed, and left out of figures on purpose."),
}


def _attached(trace: Trace, reader: Reader) -> list[str]:
    return [
        reader.language.phrase(
            mark("%(sensor)s, output %(output)s, every %(interval)s"),
            sensor=f"{one.name} ({one.sensor})",
            output=one.output,
            interval=reader.language.span(one.interval_s),
        )
        for one in trace.attached
    ]


def _received(trace: Trace, reader: Reader) -> list[str]:
    language = reader.language
    return [
        language.phrase(
            mark("%(hour)s: %(messages)s messages, %(readings)s readings in them"),
            hour=language.hour(hour.hour, reader.zone),
            messages=language.number(hour.messages_received),
            readings=language.number(hour.readings_received),
        )
        for hour in trace.received
        if hour.messages_received
    ]


def _decoded(trace: Trace, reader: Reader) -> list[str]:
    language = reader.language
    refused = [
        f"{language.number(count)} × {explain(reason, Detail(), language.key)}"
        for hour in trace.received
        for reason, count in hour.rejects.items()
    ]
    beside = [
        language.phrase(
            mark("channel %(channel)s has a reading of this time, received %(at)s"),
            channel=one.channel,
            at=reader.moment(one.received_at),
        )
        for one in trace.beside
    ]
    return refused + beside


def _stored(trace: Trace, reader: Reader) -> list[str]:
    language = reader.language
    return [
        language.phrase(
            mark("%(time)s, %(interval)s, from %(sensor)s, received %(received)s")
            if one.replaced_at is None
            else mark(
                "%(time)s, %(interval)s, from %(sensor)s, received %(received)s, "
                "replaced since"
            ),
            time=reader.moment(one.time),
            interval=language.span(one.interval_s),
            sensor=one.sensor or "?",
            received=reader.moment(one.received_at),
        )
        for one in trace.readings
    ]


def _figure(trace: Trace, reader: Reader) -> list[str]:
    language = reader.language
    return [
        language.phrase(
            mark("%(time)s, %(interval)s: %(share)s observed, not valid")
            if one.valid is False
            else mark("%(time)s, %(interval)s: %(share)s observed"),
            time=reader.moment(one.time),
            interval=language.span(one.interval_s),
            share=language.percent(one.observed_s / one.interval_s),
        )
        for one in trace.figures
    ]


def _left_out(trace: Trace, reader: Reader) -> list[str]:
    language = reader.language
    return [
        language.phrase(mark("a person excluded it"))
        if why == "excluded"
        else language.phrase(
            mark("suspected to be a fault: %(fault)s"),
            fault=language.phrase(words().get(why) or sentences.word(why)),
        )
        for why in trace.left_out
    ]


_LINES: Final = {
    "attached": _attached,
    "received": _received,
    "decoded": _decoded,
    "stored": _stored,
    "figure": _figure,
    "left-out": _left_out,
}


def of_message(
    found: Sequence[OfMessage], reader: Reader, municipality: str
) -> list[tuple[str, str, str]]:
    """List the readings of a message: where, when, and the address of their trace."""
    language = reader.language
    return [
        (
            f"{one.site_name}, {one.channel}",
            f"{reader.moment(one.time)}, {language.span(one.interval_s)}",
            f"{addresses.history(language.key, municipality, one.site)}"
            f"?channel={one.channel}&at={one.time:%Y-%m-%dT%H:%M:%SZ}#trace",
        )
        for one in found
    ]


def default_days(today: date) -> dict[str, str]:
    """Return the period of the history, unless another one is asked for: a year."""
    return {
        "from": f"{today - timedelta(days=365)}",
        "until": f"{today}",
    }
