"""Try a message: what ingest would make of it, without storing anything.

The message takes the usual way up to the rows for the database, which are staged,
compared with stored readings, and rolled back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches

from msgspec import structs

from ingest import formats
from ingest.batch import Batch, Collector, Message, Reject, content_of
from ingest.check import Limits
from ingest.formats import EnvironmentReading, Reading
from ingest.reasons import ADVICE, DROPPED, PAYLOAD_ADVICE, Detail, explain
from ingest.resolve import Feed, RegisteredSensor, Registry, read_registry
from ingest.store import copy_rows
from verkehrspuls.classes import SCHEMES
from verkehrspuls.model import Sensor, StatusFields, Town
from verkehrspuls.registry import device_profiles
from verkehrspuls.registry.device_profiles import DeviceProfile, Example
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, read_records
from verkehrspuls.storage.named import queries
from verkehrspuls.text import mark, translate
from verkehrspuls.wire import StatusMessage, parse_topic

#: What a status says of the device.
_SAID = StatusFields.__struct_fields__
#: Number of names proposed.
MAX_PROPOSALS = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message, or readings in it, would be rejected."""

    reason: str
    why: str
    advice: str
    #: number of readings; None if the whole message cannot be read
    readings: int


@dataclass(frozen=True, slots=True)
class TriedReading:
    """A reading of the message, and what storing it would do."""

    site: str
    channel: str
    time: datetime
    interval_s: int
    #: by vehicle class or environment quantity; also speeds and other fields
    values: Mapping[str, object]
    #: stored, known already, or corrects what is known
    outcome: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A field that is left out of readings."""

    field: str
    fields: int
    why: str
    #: the last one
    value: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The expected outcome of a message."""

    #: accepted, partly accepted, rejected, or unknown sensor
    outcome: str
    #: municipality/sensor
    sensor: str | None
    readings: Sequence[TriedReading]
    #: the status that would be stored of the sensor
    status: StatusMessage | None
    problem: Problem | None
    left_out: Sequence[LeftOut]


def attempt(connection: Connection, settings: Ingest, message: Message) -> Trial:
    """Process a message as ingest would, without storing anything."""
    known = formats.formats()
    registry = read_registry(connection, known)
    limits = Limits.at(message.received_at, settings)
    batch = Collector(registry, known, limits).collect([message])
    return _trial(batch, registry, _staged(connection, batch))


def preview(
    town: Town, settings: Ingest, message: Message, *, language: str = "en"
) -> Trial:
    """Return what a message would become if this town were what is registered.

    All readings are new. Nothing is read from a database, so a stateful format knows
    only this message.
    """
    known = formats.formats()
    registry = Registry()
    fed: dict[int, tuple[str, str]] = {}
    quantities = {
        (site.key, channel.key): channel.quantity
        for site in town.sites
        for channel in site.channels
    }
    for number, sensor in enumerate(town.sensors, 1):
        feeds: dict[str, list[Feed]] = {}
        for each in sensor.installations:
            place = each.site, each.channel
            fed[len(fed) + 1] = place
            until = each.until or datetime.max.replace(tzinfo=UTC)
            feed = Feed(len(fed), quantities[place], each.since, until, each.mapping)
            feeds.setdefault(each.output, []).append(feed)
        registry[town.key, sensor.key] = _registered(number, sensor, feeds)
    limits = Limits.at(message.received_at, settings)
    collector = Collector(registry, known, limits)
    batch = collector.collect([message])
    readings = []
    for feed, reading in collector.readings(message):
        site, channel = fed[feed.channel_id]
        readings.append(
            TriedReading(
                site=site,
                channel=channel,
                time=reading.time,
                interval_s=reading.interval_s,
                values=_values(feed, reading),
                outcome="stored",
            )
        )
    return _trial(batch, registry, readings, language)


def _values(feed: Feed, reading: Reading) -> dict[str, object]:
    """Return what a reading holds, as `TriedReading` names it."""
    if isinstance(reading, EnvironmentReading):
        return {feed.quantity: reading.value}
    values: dict[str, object] = dict(content_of(reading))
    if reading.observed_s is not None:
        values["observed_s"] = reading.observed_s
    return values


def _registered(
    number: int, sensor: Sensor, feeds: dict[str, list[Feed]]
) -> RegisteredSensor:
    return RegisteredSensor(
        number,
        sensor.payload_format,
        frozenset(SCHEMES.get(sensor.class_scheme or "", ())),
        feeds,
        topic=sensor.topic,
        interval_s=sensor.interval_s,
        profile=sensor.profile,
    )


def judge(profile: DeviceProfile, settings: Ingest) -> Iterator[str]:
    """Yield what is different from what the examples of a device profile say."""
    for number, example in enumerate(profile.examples):
        for sent in device_profiles.messages(profile, example):
            town = device_profiles.sample(profile, sent.payload_format, example.ids)
            message = Message(sent.topic, sent.payload, example.received_at)
            found = preview(town, settings, message)
            wrong = _differences(profile, example, found)
            for text in wrong:
                yield f"examples[{number}], {sent.payload_format}: {text}"


def _differences(
    profile: DeviceProfile, example: Example, found: Trial
) -> Iterator[str]:
    if found.problem is not None:
        yield f"{found.outcome}: {found.problem.why}"
        return
    channels = {one.output: one.channel for one in profile.outputs}
    wanted: dict[tuple[str, datetime], object] = {
        (channels[one.output], one.time): (
            one.interval_s or profile.interval_s,
            one.values,
        )
        for one in example.readings
    }
    made: dict[tuple[str, datetime], object] = {
        (one.channel, one.time): (one.interval_s, dict(one.values))
        for one in found.readings
    }
    for key in sorted({*wanted, *made}):
        if made.get(key) != wanted.get(key):
            channel, time = key
            yield (
                f"{channel} at {time.isoformat()} becomes {made.get(key)}, and "
                f"{wanted.get(key)} is expected"
            )
    told = structs.asdict(found.status) if found.status else {}
    status = {name: told[name] for name in _SAID if told.get(name) is not None}
    if status != example.status:
        yield f"the status is {status}, and {example.status} is expected"


def _trial(
    batch: Batch,
    registry: Registry,
    readings: list[TriedReading],
    language: str = "en",
) -> Trial:
    outcomes = batch.outcomes
    named = {each.sensor_id: key for key, each in registry.items()}
    takers = [named[sensor_id] for sensor_id, _ in batch.ledger if sensor_id]
    sensor = registry[takers[0]] if takers else None
    status = next(iter(batch.status.values()), None)
    return Trial(
        # the worst outcome, if several sensors take it
        outcome=next(name for name, messages in outcomes.items() if messages),
        sensor=", ".join(map("/".join, takers)) or None,
        readings=readings,
        status=status[1] if status else None,
        problem=_problem(batch.rejects[0], sensor, registry, language)
        if batch.rejects
        else None,
        left_out=[
            LeftOut(name, number, DROPPED[fault], tally.dropped_values[name, fault])
            for tally in batch.ledger.values()
            for (name, fault), number in tally.dropped.items()
        ],
    )


def _staged(connection: Connection, batch: Batch) -> list[TriedReading]:
    """Stage the rows of a batch, return the result of storing them, and roll back."""
    found: list[TriedReading] = []
    with connection.transaction(force_rollback=True):
        connection.execute(queries()["make_staging"])
        for kind, rounds in batch.packed().items():
            for each in rounds:
                connection.execute(queries()["empty_staging"])
                copy_rows(connection, f"copy_{kind}", each)
                found += read_records(connection, TriedReading, f"tried_{kind}")
    return found


def _problem(
    reject: Reject,
    sensor: RegisteredSensor | None,
    registry: Registry,
    language: str,
) -> Problem:
    advice = translate(ADVICE.get(reject.reason, PAYLOAD_ADVICE), language)
    existing = _existing_names(reject, sensor, registry)
    return Problem(
        reason=reject.reason,
        why=explain(reject.reason, reject.detail, language),
        advice=f"{advice} {existing.in_language(language)}".rstrip(),
        readings=reject.readings,
    )


def _existing_names(
    reject: Reject, sensor: RegisteredSensor | None, registry: Registry
) -> Detail:
    """List the existing names in place of the one not found."""
    if reject.reason == "not-meant":
        of_topic = {each.sensor_id for each in registry.listen(reject.message.topic)}
        sharing = ["/".join(k) for k, s in registry.items() if s.sensor_id in of_topic]
        return Detail(mark("They are {}."), [", ".join(sharing[:MAX_PROPOSALS])])
    if sensor is None:
        topic = parse_topic(reject.message.topic)
        given = "/".join(topic[:2]) if topic else reject.message.topic
        known = ["/".join(key) for key in registry] if topic else _topics(registry)
        near = get_close_matches(given, known, MAX_PROPOSALS, cutoff=0.4)
        text = (
            mark("Registered sensors with a similar name: {}.")
            if topic
            else mark("Registered topics with a similar name: {}.")
        )
        return Detail(text, [", ".join(near)]) if near else Detail()
    if reject.reason == "unknown-output":
        outputs = "; ".join(
            f"{output!r} ({feed.days})"
            for output, feeds in sorted(sensor.feeds.items())
            for feed in feeds
        )
        if not outputs:
            return Detail(mark("It has no output yet."))
        return Detail(mark("Its outputs are {}."), [outputs])
    if reject.reason in ("class-not-in-scheme", "unknown-class"):
        return Detail(mark("The scheme has {}."), [", ".join(sorted(sensor.classes))])
    return Detail()


def _topics(registry: Registry) -> list[str]:
    return [sensor.topic for sensor in registry.values() if sensor.topic]
