"""What is shown of a sensor that is brought into service."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from fastapi import Request, Response

from dashboards import trials
from dashboards.forms import Form
from dashboards.render import database_of, render
from dashboards.trials import Tried
from ingest.batch import Message
from ingest.reasons import Detail, explain
from ingest.trial import preview
from verkehrspuls.language import Language
from verkehrspuls.model import Town
from verkehrspuls.registry import checklist, commissioning, edit, replays
from verkehrspuls.registry.checklist import Checked, State
from verkehrspuls.registry.commissioning import Reading
from verkehrspuls.registry.replays import Replay
from verkehrspuls.settings import Settings
from verkehrspuls.storage import ledger
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark

#: readings and rejected messages shown
_READINGS: Final = 40
_REJECTS: Final = 10
MAX_PASTED: Final = 100_000
#: the sign of a point's state, and its word
_STATES: Final[Mapping[State, tuple[str, str]]] = {
    "done": ("✓", mark("done")),
    "failed": ("✗", mark("to be mended")),
    "waiting": ("…", mark("waiting")),
    "none": ("–", mark("does not apply")),
}
_DONE: Final = {
    "adopted": mark("The sensor is registered. What it had sent is being taken over."),
}
_OUTCOMES: Final = {
    "accepted": mark("used"),
    "partly accepted": mark("used in part"),
    "rejected": mark("not used"),
}
_CAME: Final = {"imported": mark("from a file"), "replayed": mark("processed again")}
_TOO_LONG: Final = mark("That is too long: paste at most 100,000 characters.")
_EMPTY: Final = mark("Paste a message, and say under which topic it comes.")


class Point(NamedTuple):
    """A point of the checklist."""

    name: str
    state: State
    sign: str
    word: str
    found: str


class Row(NamedTuple):
    """A message of the newest ones."""

    at: str
    outcome: str
    readings: Sequence[tuple[str, str, str]]
    #: readings that are not shown; empty: none
    number: str
    reason: str


class Kept(NamedTuple):
    """A rejected message that is kept."""

    at: str
    reason: str
    payload: str
    #: only the beginning is kept, so that it cannot be processed again
    cut: bool


@dataclass
class Trying:
    """A sensor, and a message of it that is tried."""

    municipality: str
    sensor: str
    language: Language
    form: Form


def page(
    request: Request, trying: Trying, now: datetime, *, done: str = ""
) -> Response:
    """Show how far a sensor is in service."""
    settings: Settings = request.app.state.settings
    language, form = trying.language, trying.form
    with database_of(request).connection() as connection:
        town = edit.read(connection, trying.municipality)
        found = checklist.read_checklist(connection, town.key, trying.sensor, now=now)
        sensor_id = found.sensor.facts.sensor_id
        read = commissioning.readings(connection, sensor_id, limit=_READINGS)
        kept = _kept(connection, town, trying, now)
        asked = replays.last(connection, town.key, trying.sensor)
    topics = [one.replace("+", "1").replace("#", "1") for one in found.sensor.topics]
    tried = _tried(trying, town, settings, now) if form.values else None
    form.values = {"topic": topics[0] if topics else "", **form.values}
    response = render(
        request,
        language,
        "pages/commissioning/commissioning.html",
        town=town,
        sensor=found.sensor.facts,
        topics=found.sensor.topics,
        installations=_places(town, found, language),
        points=_points(found, language),
        counted=_counted(town, found),
        is_done=found.is_done,
        messages=_rows(found, read, town, language, now),
        kept=kept,
        replay=asked,
        said=_said_of(asked, language) if asked else "",
        form=form,
        tried=tried,
        done=language.phrase(_DONE[done]) if done in _DONE else "",
        at=language.at(now, town.time_zone, now=now),
    )
    response.status_code = form.status
    return response


def _points(found: Checked, language: Language) -> list[Point]:
    return [
        Point(
            language.phrase(one.name),
            one.state,
            _STATES[one.state][0],
            language.phrase(_STATES[one.state][1]),
            one.found.in_language(language.key),
        )
        for one in found.points
    ]


def _places(
    town: Town, found: Checked, language: Language
) -> list[tuple[str, str, str, str]]:
    """Return where it is installed: site, channel, direction, and what it measures."""
    names = {site.key: site.name for site in town.sites}
    return [
        (
            names.get(each.site, each.site),
            each.name,
            each.direction_name or each.direction,
            language.quantity(each.quantity),
        )
        for each in found.course
    ]


def _counted(town: Town, found: Checked) -> list[tuple[str, str]]:
    """Return keys and names of the sites where it counts."""
    places = {each.site for each in found.course if each.counts}
    return [(site.key, site.name) for site in town.sites if site.key in places]


def _rows(
    found: Checked,
    read: Sequence[Reading],
    town: Town,
    language: Language,
    now: datetime,
) -> list[Row]:
    channels = {
        (site.key, channel.key): channel.name
        for site in town.sites
        for channel in site.channels
    }
    of_message: dict[datetime, list[tuple[str, str, str]]] = {}
    for one in read:
        of_message.setdefault(one.received_at, []).append(
            (
                channels.get((one.site, one.channel), one.channel),
                language.moment(one.time, town.time_zone),
                trials.values(one.values, language),
            )
        )
    # messages that were processed again together cannot be told apart
    alike = Counter(message.received_at for message in found.sensor.messages)
    rows = []
    for message in found.sensor.messages:
        became = of_message.get(message.received_at, ())
        detail = Detail(message.detail, message.detail_values)
        reason = message.reason and explain(message.reason, detail, language.key)
        came = _CAME.get(message.came)
        outcome = language.phrase(_OUTCOMES[message.outcome])
        rows.append(
            Row(
                language.at(message.received_at, town.time_zone, now=now),
                f"{outcome}, {language.phrase(came)}" if came else outcome,
                became if alike[message.received_at] == 1 else (),
                language.plural(
                    "%(count)s reading", "%(count)s readings", message.readings
                )
                if message.readings
                else "",
                reason or "",
            )
        )
    return rows


def _kept(
    connection: Connection, town: Town, trying: Trying, now: datetime
) -> list[Kept]:
    """Return rejected messages that can be processed again, the newest first."""
    language = trying.language
    rejects = ledger.rejects(
        connection,
        limit=_REJECTS,
        municipality=town.key,
        sensor=trying.sensor,
        topic=None,
        reason=None,
        start=None,
        end=None,
        open=True,
    )
    found = (ledger.reject(connection, one.rejected_message_id) for one in rejects)
    return [
        Kept(
            language.at(one.received_at, town.time_zone, now=now),
            _why(one, language),
            trials.text_of(one.payload),
            one.cut,
        )
        for one in found
        if one is not None
    ]


def _why(one: ledger.Rejected, language: Language) -> str:
    """Return why a message was rejected, at its last replay if there was one."""
    reason, text, values = one.reason, one.detail, one.detail_values
    if one.last_reason is not None:
        reason, text = one.last_reason, one.last_detail or ""
        values = one.last_detail_values
    return explain(reason, Detail(text, values or ()), language.key)


def _said_of(replay: Replay, language: Language) -> str:
    """Say what a replay came to."""
    if replay.done_at is None:
        return language.phrase(mark("The kept messages are being processed again."))
    if replay.failed:
        return language.phrase(
            mark("Processing the kept messages again failed: %(error)s."),
            error=replay.failed,
        )
    text = mark(
        "Processed again: %(messages)s messages, of which %(used)s were used and "
        "%(rejected)s were not."
    )
    told: dict[str, Any] = {
        name: language.number(getattr(replay, name))
        for name in ("messages", "used", "rejected")
    }
    return language.phrase(text, **told)


def _tried(
    trying: Trying, town: Town, settings: Settings, now: datetime
) -> Tried | None:
    """Return what a pasted message would become."""
    form, language = trying.form, trying.language
    payload = form.values.get("payload", "").strip()
    topic = form.values.get("topic", "").strip()
    if not payload or not topic or len(payload) > MAX_PASTED:
        text = _TOO_LONG if len(payload) > MAX_PASTED else _EMPTY
        form.errors["payload"] = language.phrase(text)
        form.status = 422
        return None
    message = Message(topic, payload.encode(), now)
    found = preview(town, settings.ingest, message, language=language.key)
    return trials.tried(payload, found, town, settings, language)
