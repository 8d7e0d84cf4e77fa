"""Publish the readings of simulated sensors: history as back-fill, then live.

History arrives as from real sensors after an outage: arrays of messages, oldest first
across all sensors, so that days become complete in order.

Where the sensors have no credentials of their own, they share one MQTT connection,
which can have only one last will. So each sensor's status is published, retained, as
`online` at the start and as `offline` at an orderly stop; after a crash it stays
`online`, and only silence reveals it.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from simulators.sensor import kind, messages
from simulators.world import DAY_S, World
from verkehrspuls import wire
from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.model import Sensor

#: span of one back-fill message; below 64 kB for each of the sensors
BLOCK_S: Final = 6 * 3600
#: live data starts this far back: intervals that ended while history was published
CATCH_UP_S: Final = 900

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Payload:
    """A message to publish, with the number of its intervals."""

    topic: str
    payload: bytes
    intervals: int


def sensors(world: World) -> Iterator[tuple[str, Sensor]]:
    """List all sensors with the key of their municipality."""
    for town in world.towns:
        for sensor in town.town.sensors:
            yield town.key, sensor


def backfill(
    world: World,
    start: int,
    until: int,
    *,
    newest: Mapping[tuple[str, str], int],
    there: Mapping[tuple[str, str], Set[int]] | None = None,
) -> Iterator[Payload | None]:
    """Return messages on intervals from `start` that ended by `until`, oldest first.

    `newest` is the start of the newest stored interval by municipality and sensor, and
    `there` its blocks with stored readings: only missing blocks are generated. Without
    `there` nothing is missing before the newest. Yields once per sensor and block, None
    if there is nothing to send, so that progress can be counted.
    """
    for block in blocks(start, until):
        for municipality, sensor in sensors(world):
            step = sensor.interval_s
            first = max(block, start // step * step)
            key = municipality, sensor.key
            if key in newest and (
                there is None or _whole(there.get(key, set()), block)
            ):
                first = max(first, newest[key] + step)
            last = min(block + BLOCK_S, until // step * step)
            yield _payload(world, municipality, sensor, first, last)


def _whole(there: Set[int], block: int) -> bool:
    """Return whether a block is complete up to its end or the newest interval.

    A block next to a gap may be incomplete: it is generated again, and its stored
    readings count as duplicates. With less than a day stored, there are no gaps.
    """
    if len(there) * BLOCK_S < DAY_S:
        return True
    after = block + BLOCK_S
    ends = after in there or max(there, default=block) <= block
    return ends and {block - BLOCK_S, block} <= there


def blocks(start: int, until: int) -> range:
    """List the starts of the blocks that cover `[start, until)`."""
    return range(start // BLOCK_S * BLOCK_S, until, BLOCK_S)


def ended(world: World, after: int, until: int) -> Iterator[Payload]:
    """Return messages on intervals that ended within `(after, until]`, each alone."""
    for municipality, sensor in sensors(world):
        step = sensor.interval_s
        for end in range((after // step + 1) * step, until + 1, step):
            found = _payload(world, municipality, sensor, end - step, end)
            if found:
                yield found


def statuses(world: World, state: str, now: float) -> Iterator[Payload]:
    """Return the status messages of all sensors."""
    text = datetime.fromtimestamp(int(now), UTC)
    body = _encode({"state": state, "time": text, "firmware": "simulator"})
    for municipality, sensor in sensors(world):
        yield Payload(wire.topic(municipality, sensor.key, "status"), body, 0)


class Sender(Protocol):
    """What publishes: one for all sensors, or each device its own."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> object:
        """Send a message."""

    def flush(self, timeout_s: float = 60) -> None:
        """Wait for all acknowledgements; `BrokerUnavailable` after the timeout."""


def live(
    world: World,
    publisher: Sender,
    *,
    on_ready: Callable[[], None],
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Publish each interval of each sensor when it ends, until interrupted."""
    tick = math.gcd(*(sensor.interval_s for _, sensor in sensors(world)))
    try:
        _send_all(publisher, statuses(world, "online", clock()), retain=True)
        publisher.flush()
        on_ready()
        done = int(clock()) - CATCH_UP_S
        while True:
            now = int(clock())
            _send_all(publisher, ended(world, done, now))
            done = now
            sleep((done // tick + 1) * tick - clock())
    except KeyboardInterrupt:
        _publish_offline(world, publisher, clock())


def _publish_offline(world: World, publisher: Sender, now: float) -> None:
    try:
        # fails while the broker is away, when nothing can be sent
        publisher.flush(1)
        _send_all(publisher, statuses(world, "offline", now), retain=True)
        publisher.flush(2)
    except BrokerUnavailable:
        return


def _send_all(
    publisher: Sender, payloads: Iterator[Payload], *, retain: bool = False
) -> None:
    for one in payloads:
        publisher.publish(one.topic, one.payload, retain=retain)


def _payload(
    world: World, municipality: str, sensor: Sensor, first: int, last: int
) -> Payload | None:
    found = messages(world, municipality, sensor, first, last) if first < last else []
    if not found:
        return None
    topic = wire.topic(municipality, sensor.key, kind(sensor))
    body = _encode(found[0] if len(found) == 1 else found)
    return Payload(topic, body, len(found))
