"""From a topic to a sensor, and from its output to a channel, by the registry.

A native topic names its sensor. A foreign one is looked for among the topics and topic
filters that sensors are registered with. Several sensors may have one topic, told apart
by what their payloads hold (`only`): the most particular topic goes first, an exact one
before a filter.
"""

import logging
from collections.abc import Collection
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec
from paho.mqtt.matcher import MQTTMatcher

from ingest.formats import DEVICE_LEVELS, sparkplug_b
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

#: How many topics are remembered with the sensor found for them.
REMEMBERED: Final = 10_000
#: Characters of a topic; no filter is longer.
LONGEST: Final = 1024

#: The year in which the query `outputs` lets an installation without an end end.
FOR_EVER: Final = 2200


@dataclass(frozen=True, slots=True)
class Feed:
    """What an output feeds in the period `[since, until)`."""

    channel_id: int
    quantity: str
    since: datetime
    until: datetime
    #: of a foreign format; None also where the database holds one that is not valid
    mapping: Mapping | None = None
    #: of counts that were checked: by the classes that they name
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
        """Whether the channel counts, rather than measures the environment."""
        return self.quantity in COUNTED

    @property
    def days(self) -> str:
        """The period in words of any language; without a second day it goes on."""
        until = "" if self.until.year >= FOR_EVER else f" {self.until:%Y-%m-%d}"
        return f"{self.since:%Y-%m-%d} –{until}"


@dataclass(frozen=True, slots=True)
class RegisteredSensor:
    """A sensor as ingest needs it."""

    sensor_id: int
    payload_format: str
    #: the classes that its scheme has
    classes: frozenset[str]
    feeds: dict[str, list[Feed]] = field(default_factory=dict)
    #: topic filter of a foreign format
    topic: str | None = None
    interval_s: int = 0
    profile: Profile = Profile()  # noqa: RUF009 - a frozen struct

    def feed(self, output: str, time: datetime) -> Feed:
        """Find the channel an output feeds at a time."""
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
        text, values = wording.told(output, sorted(self.feeds))
        raise Unusable(
            "unknown-output",
            _("{} at {}; {}"),
            *(repr(output), time.isoformat(), Detail.of(text, *values)),
        )


Sensors = tuple[RegisteredSensor, ...]


class Registry(dict[tuple[str, str], RegisteredSensor]):
    """Sensors by (municipality, sensor), and by the topics of foreign formats.

    Not to be changed once a topic was looked up.
    """

    def __init__(self, sensors: Map[tuple[str, str], RegisteredSensor] = {}) -> None:
        super().__init__(sensors)
        #: foreign sensors by exact topics, and by filters
        self._foreign: tuple[dict[str, Sensors], MQTTMatcher] | None = None
        self._remembered: dict[str, Sensors] = {}
        self._senders: dict[str, tuple[Topic | None, Sensors]] = {}

    def senders(self, topic: str) -> tuple[Topic | None, Sensors]:
        """Find who may publish under a topic, with its parts where it is a native one.

        Under a native one that is one sensor at most.
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
        # no more than there are sensors and kinds of message
        self._senders[topic] = found = parts, (sensor,)
        return found

    def listen(self, topic: str) -> Sensors:
        """Find the sensors of a foreign topic, those of the most particular first."""
        if self._foreign is None:  # made whole, and then shown to other threads
            self._foreign = self._sort()
        if topic in self._remembered:
            return self._remembered[topic]
        if len(topic) > LONGEST:
            return ()
        exact, filters = self._foreign
        # the more particular before the wider ones
        matches = filters.iter_match(topic)  # type: ignore[no-untyped-call]
        found = exact.get(topic, ()) + tuple(each for one in matches for each in one)
        if len(self._remembered) >= REMEMBERED:  # whoever floods us with topics
            self._remembered.clear()
        self._remembered[topic] = found
        return found

    def _sort(self) -> tuple[dict[str, Sensors], MQTTMatcher]:
        by_topic: dict[str, Sensors] = {}
        for sensor in self.values():
            if sensor.topic is not None:
                by_topic[sensor.topic] = (*by_topic.get(sensor.topic, ()), sensor)
        filters = MQTTMatcher()  # type: ignore[no-untyped-call]
        for topic, sensors in by_topic.items():
            if "+" in topic or topic.endswith("#"):
                filters[topic] = sensors
        return by_topic, filters


def filters(registry: Registry, municipalities: Collection[str] = ()) -> set[str]:
    """Tell the topics of foreign formats, of these municipalities or of all."""
    return {
        sensor.topic
        for (municipality, _), sensor in registry.items()
        if sensor.topic and (not municipalities or municipality in municipalities)
    }


def beside(registry: Registry) -> set[str]:
    """Return the topics of foreign sensors with any device in place of the registered.

    What arrives under them and belongs to nobody is from a device that was registered
    under a wrong topic, or not at all.
    """
    return {
        _any_device(sensor.topic, DEVICE_LEVELS.get(sensor.payload_format))
        for sensor in registry.values()
        if sensor.topic
    }


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


_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def read_registry(connection: Connection) -> Registry:
    """Read all sensors with what they feed."""
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
    if any(each.payload_format == "sparkplug-b" for each in registry.values()):
        rows = execute(connection, "births", most=sparkplug_b.DEVICES)
        sparkplug_b.learn((row["device"], _birth(row)) for row in rows)
    connection.commit()
    return registry


def _birth(row: dict[str, Any]) -> sparkplug_b.Birth:
    return sparkplug_b.Birth(row["born_at"], _names.decode(row["names"]))


_names: Final = msgspec.json.Decoder(dict[int, tuple[str, int]])


def _valid(value: object, kind: type[S], row: dict[str, Any]) -> S | None:
    """Convert what the database holds; somebody may have edited it there."""
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
