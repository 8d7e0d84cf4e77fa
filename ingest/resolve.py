"""Find the sensor of a topic, and the channel of an output, in the registry.

A native topic names its sensor. A foreign topic is matched against the topics and topic
filters of registered sensors. Several sensors may share a topic and be distinguished
by their payloads (`only`): the most specific topic comes first, an exact one before a
filter.
"""

import logging
from collections.abc import Collection
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from paho.mqtt.client import topic_matches_sub
from paho.mqtt.matcher import MQTTMatcher

from ingest.formats import Formats, foreign_formats
from ingest.formats.record import Entry
from ingest.reasons import Detail, Unusable
from ingest.rows import Layout, before_time
from verkehrspuls import wording
from verkehrspuls.classes import SCHEMES
from verkehrspuls.model import Mapping, Profile
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.database import Connection, execute
from verkehrspuls.text import mark as _
from verkehrspuls.wire import Topic, parse_topic

log = logging.getLogger(__name__)

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Feed:
    """The channel that an output feeds in the period `[since, until)`."""

    channel_id: int
    quantity: str
    since: datetime
    until: datetime
    #: of a foreign format; also None if the stored mapping is invalid
    mapping: Mapping | None = None
    #: layouts of checked counts, by the classes that they contain
    layouts: dict[tuple[str, ...], Layout] = field(
        default_factory=dict, compare=False, repr=False
    )
    #: see `ingest.rows`
    before: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        packed = before_time(self.channel_id, counts=self.counts)
        object.__setattr__(self, "before", packed)

    @property
    def counts(self) -> bool:
        """Whether the channel counts traffic, rather than measures the environment."""
        return self.quantity in COUNTED

    @property
    def days(self) -> str:
        """Return the period in any language; without a second day it is open."""
        until = "" if self.until.year >= OPEN_END_YEAR else f" {self.until:%Y-%m-%d}"
        return f"{self.since:%Y-%m-%d} –{until}"


@dataclass(frozen=True, slots=True)
class RegisteredSensor:
    """A sensor with the data that ingest needs."""

    sensor_id: int
    payload_format: str
    #: the classes of its scheme
    classes: frozenset[str]
    feeds: dict[str, list[Feed]] = field(default_factory=dict)
    #: topic filter of a foreign format
    topic: str | None = None
    interval_s: int = 0
    profile: Profile = Profile()  # noqa: RUF009 - a frozen struct

    def feed(self, output: str, time: datetime) -> Feed:
        """Find the channel that an output feeds at a time."""
        for feed in self.feeds.get(output, ()):
            if feed.since <= time < feed.until:
                return feed
        if output in self.feeds:
            spans = ", ".join(feed.days for feed in self.feeds[output])
            raise Unusable(
                "unknown-output",
                _("{} at {}; it is installed {}"),
                *(repr(output), time.isoformat(), spans),
            )
        if not self.feeds:
            raise Unusable(
                "unknown-output",
                _("{} at {}; the sensor is attached to no channel"),
                *(repr(output), time.isoformat()),
            )
        text, values = wording.suggestion(output, sorted(self.feeds))
        raise Unusable(
            "unknown-output",
            _("{} at {}; {}"),
            *(repr(output), time.isoformat(), Detail.of(text, *values)),
        )


Sensors = tuple[RegisteredSensor, ...]


#: Cached topics with their sensors; the cache is cleared beyond this.
TOPIC_CACHE_SIZE: Final = 10_000
#: Maximum characters of a topic; no filter is longer.
MAX_TOPIC_LENGTH: Final = 1024


class Registry(dict[tuple[str, str], RegisteredSensor]):
    """Sensors by (municipality, sensor), and by the topics of foreign formats.

    Must not be changed after the first lookup of a topic.
    """

    def __init__(self, sensors: Map[tuple[str, str], RegisteredSensor] = {}) -> None:
        super().__init__(sensors)
        #: foreign sensors by exact topics, and by filters
        self._foreign: tuple[dict[str, Sensors], MQTTMatcher] | None = None
        self._remembered: dict[str, Sensors] = {}
        #: municipalities by the topics beside those of their sensors
        self._owners: MQTTMatcher | None = None
        self._senders: dict[str, tuple[Topic | None, Sensors]] = {}

    def senders(self, topic: str) -> tuple[Topic | None, Sensors]:
        """Find the sensors of a topic, and its parts if it is a native topic.

        A native topic has at most one sensor.
        """
        found = self._senders.get(topic)
        if found is not None:
            return found
        parts = parse_topic(topic)
        if parts is None:
            return None, self.listen(topic)
        sensor = self.get(parts[:2])
        if sensor is None:
            return parts, ()
        # bounded by the number of sensors and kinds of message
        self._senders[topic] = found = parts, (sensor,)
        return found

    def listen(self, topic: str) -> Sensors:
        """Find the sensors of a foreign topic, the most specific topic first."""
        if self._foreign is None:  # completed before other threads see it
            self._foreign = self._sort()
        if topic in self._remembered:
            return self._remembered[topic]
        if len(topic) > MAX_TOPIC_LENGTH:
            return ()
        exact, filters = self._foreign
        # specific filters before wider ones
        matches = filters.iter_match(topic)  # type: ignore[no-untyped-call]  # paho's
        found = exact.get(topic, ()) + tuple(each for one in matches for each in one)
        if len(self._remembered) >= TOPIC_CACHE_SIZE:  # a flood of topics
            self._remembered.clear()
        self._remembered[topic] = found
        return found

    def owner(self, topic: str) -> str | None:
        """Find the only municipality beside whose foreign topics one lies."""
        if self._owners is None:
            self._owners = self._by_owner()
        if len(topic) > MAX_TOPIC_LENGTH:
            return None
        matches = self._owners.iter_match(topic)  # type: ignore[no-untyped-call]  # paho's
        found = {town for towns in matches for town in towns}
        return found.pop() if len(found) == 1 else None

    def _by_owner(self) -> MQTTMatcher:
        towns: dict[str, set[str]] = {}
        levels = _device_levels()
        for key, sensor in self.items():
            if sensor.topic:
                place = _any_device(sensor.topic, levels.get(sensor.payload_format))
                towns.setdefault(place, set()).add(key[0])
        matcher = MQTTMatcher()  # type: ignore[no-untyped-call]  # paho's
        for place, found in towns.items():
            matcher[place] = found
        return matcher

    def _sort(self) -> tuple[dict[str, Sensors], MQTTMatcher]:
        by_topic: dict[str, Sensors] = {}
        for sensor in self.values():
            if sensor.topic is not None:
                by_topic[sensor.topic] = (*by_topic.get(sensor.topic, ()), sensor)
        filters = MQTTMatcher()  # type: ignore[no-untyped-call]  # paho's
        for topic, sensors in by_topic.items():
            if "+" in topic or topic.endswith("#"):
                filters[topic] = sensors
        return by_topic, filters


def filters(registry: Registry, municipalities: Collection[str] = ()) -> set[str]:
    """Return the topics of foreign formats, of these municipalities or of all."""
    return {
        sensor.topic
        for (municipality, _), sensor in registry.items()
        if sensor.topic and (not municipalities or municipality in municipalities)
    }


def beside(registry: Registry) -> set[str]:
    """Return the topics of foreign sensors with a wildcard in place of the device.

    Messages there without a sensor come from devices that are registered under a wrong
    topic, or not at all.
    """
    levels = _device_levels()
    return {
        _any_device(sensor.topic, levels.get(sensor.payload_format))
        for sensor in registry.values()
        if sensor.topic
    }


def is_beside(topic: str, other: str, payload_format: str) -> bool:
    """Return whether a topic differs from that of a sensor by the device only."""
    place = _any_device(other, _device_levels().get(payload_format))
    return bool(topic_matches_sub(place, topic))


def _device_levels() -> dict[str, Collection[int] | None]:
    """Return at which levels of their topics the formats name the device."""
    return {name: one.device_levels for name, one in foreign_formats().items()}


def _any_device(topic: str, levels: Collection[int] | None) -> str:
    first, *others = topic.split("/")
    named = range(1, len(others) + 1) if levels is None else levels
    return "/".join(
        [
            first,
            *(
                "+" if number in named and level != "#" else level
                for number, level in enumerate(others, 1)
            ),
        ]
    )


#: The end year that the query `outputs` returns for an installation without an end.
OPEN_END_YEAR: Final = 2200

_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def read_registry(connection: Connection, formats: Formats | None = None) -> Registry:
    """Read all sensors with the channels they feed, and what `formats` remember."""
    registry = Registry()
    for row in execute(connection, "outputs"):
        sensor = registry.get((row["municipality"], row["sensor"]))
        if sensor is None:
            sensor = registry[row["municipality"], row["sensor"]] = RegisteredSensor(
                row["sensor_id"],
                row["payload_format"],
                frozenset(SCHEMES.get(row["class_scheme"], ())),
                topic=row["topic"],
                interval_s=row["interval_s"],
                profile=_valid(row["profile"], Profile, row) or Profile(),
            )
        if row["channel_id"] is not None:
            sensor.feeds.setdefault(row["output"], []).append(
                Feed(
                    row["channel_id"],
                    row["quantity"],
                    row["since"] or _EVER[0],
                    row["until"] or _EVER[1],
                    _valid(row["mapping"], Mapping, row),
                )
            )
    if formats is not None:
        _restore_memories(connection, registry, formats)
    return registry


def _restore_memories(
    connection: Connection, registry: Registry, formats: Formats
) -> None:
    """Pass the stored memories to the formats in use."""
    used = {sensor.payload_format for sensor in registry.values()}
    for name, (how, memory) in formats.memories.items():
        if name in used:
            rows = execute(connection, how.read, most=how.most)
            memory.learn(Entry(row["key"], row["at"], row["content"]) for row in rows)


def _valid(value: object, kind: type[S], row: dict[str, Any]) -> S | None:
    """Convert a stored value; log an invalid one, which was edited, and return None."""
    if value is None:
        return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        log.error(  # noqa: TRY400 - no traceback
            "registry_not_valid",
            extra={"sensor": row["sensor"], "what": kind.__name__, "reason": error},
        )
        return None
