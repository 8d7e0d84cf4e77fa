"""From a topic to a sensor, and from its output to a channel, by the registry."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from ingest.reasons import Unusable
from verkehrspuls.classes import SCHEMES
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.database import Connection, execute


@dataclass(frozen=True, slots=True)
class Feed:
    """What an output feeds in the period `[since, until)`."""

    channel_id: int
    quantity: str
    since: datetime
    until: datetime

    @property
    def counts(self) -> bool:
        """Whether the channel counts, rather than measures the environment."""
        return self.quantity in COUNTED


@dataclass(frozen=True, slots=True)
class RegisteredSensor:
    """A sensor as ingest needs it."""

    sensor_id: int
    payload_format: str
    #: the classes that its scheme has
    classes: frozenset[str]
    feeds: dict[str, list[Feed]] = field(default_factory=dict)

    def feed(self, output: str, time: datetime) -> Feed:
        """Find the channel an output feeds at a time."""
        for feed in self.feeds.get(output, ()):
            if feed.since <= time < feed.until:
                return feed
        raise Unusable("unknown-output", f"{output!r} at {time.isoformat()}")


#: Sensors by (municipality, sensor).
Registry = dict[tuple[str, str], RegisteredSensor]

_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def read_registry(connection: Connection) -> Registry:
    """Read all sensors with what they feed."""
    registry: Registry = {}
    for row in execute(connection, "outputs"):
        sensor = registry.setdefault(
            (row["municipality"], row["sensor"]),
            RegisteredSensor(
                row["sensor_id"],
                row["payload_format"],
                frozenset(SCHEMES.get(row["class_scheme"], ())),
            ),
        )
        if row["channel_id"] is not None:
            sensor.feeds.setdefault(row["output"], []).append(
                Feed(
                    row["channel_id"],
                    row["quantity"],
                    row["since"] or _EVER[0],
                    row["until"] or _EVER[1],
                )
            )
    connection.commit()
    return registry
