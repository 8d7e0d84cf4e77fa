"""Decide which rejected messages are kept: all, while there is room for them.

The ledger counts each of them in any case. Without room, one example is kept for each
sensor, reason and hour, so that the problem can still be examined. Two settings bound
what is kept:

- `ingest.keep_rejects`, the total number of rows. The second half is reserved for
  messages of registered sensors within their rate, so that a flood does not take it.
  A message of a registered sensor is kept whole, so that it can be replayed; a message
  larger than `ingest.reject_bytes` counts as several rows. Only the unusable parts of
  an array of that size are kept, and at most `ingest.reject_bytes` of a message from an
  unknown sender.
- `ingest.keep_flood_per_minute`, for the messages of each sensor beyond its rate, and
  for those of all unknown senders together.

The broker delivers undated retained messages again at each subscription: only examples
of them are kept.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ingest.batch import Reject
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, execute

log = logging.getLogger(__name__)

#: Interval between counts of the kept rows, while messages are rejected.
COUNT_S: Final = 30.0


def bytes_of(reject: Reject, reject_bytes: int) -> bytes:
    """Return the message, or only the unusable parts of a large array."""
    payload = reject.message.payload
    return reject.parts if reject.parts and len(payload) > reject_bytes else payload


def kept_of(reject: Reject, reject_bytes: int) -> bytes:
    """Return the bytes to keep: cut for an unknown sender or a too large message."""
    payload = bytes_of(reject, reject_bytes)
    cut = reject.sensor_id is None or reject.reason == "too-large"
    return payload[:reject_bytes] if cut else payload


class Example(NamedTuple):
    """Key of an example, which is kept even without room."""

    sensor_id: int | None
    reason: str
    hour: datetime


class Keeper:
    """Chooses the messages to keep, for one worker.

    With several workers the bound may be exceeded by what they reject in half a minute.
    """

    def __init__(
        self, settings: Ingest, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rows = settings.keep_rejects
        self._flood = settings.keep_flood_per_minute
        self._bytes = settings.reject_bytes
        self._clock = clock
        self._kept = 0
        self._counted_at: float | None = None
        self._examples: set[Example] = set()
        self._minute = 0
        #: number kept in this minute, by sensor beyond its rate, and for unknown
        #: senders
        self._floods: dict[int | None, int] = {}
        self._full = False

    def choose(self, connection: Connection, rejects: Sequence[Reject]) -> list[Reject]:
        """Choose those to keep; query the number of kept rows from time to time."""
        now = self._clock()
        if self._counted_at is None or now - self._counted_at > COUNT_S:
            self._count(connection, rejects[0].message.received_at)
            self._counted_at = now
        if int(now // 60) != self._minute:
            self._minute = int(now // 60)
            self._floods.clear()
        return [reject for reject in rejects if self._keeps(reject)]

    def _keeps(self, reject: Reject) -> bool:
        hour = reject.message.received_at.replace(minute=0, second=0, microsecond=0)
        example = Example(reject.sensor_id, reject.reason, hour)
        size = max(1, -(-len(kept_of(reject, self._bytes)) // max(1, self._bytes)))
        room = self._has_room(reject, size)
        if not room and example in self._examples:
            return False
        self._examples.add(example)
        self._kept += size
        return True

    def _has_room(self, reject: Reject, size: int) -> bool:
        if reject.reason == "retained":  # it is delivered again at each subscription
            return False
        flood = reject.sensor_id is None or reject.reason == "rate-limited"
        if self._kept >= (self._rows // 2 if flood else self._rows):
            if not self._full:
                log.error("no_room_for_rejects", extra={"kept": self._kept})
            self._full = True
            return False
        if not flood:
            return True
        kept = self._floods.get(reject.sensor_id, 0)
        self._floods[reject.sensor_id] = kept + size
        return kept < self._flood

    def _count(self, connection: Connection, now: datetime) -> None:
        row = execute(
            connection,
            "count_kept_rejects",
            most=self._rows,
            reject_bytes=max(1, self._bytes),
        ).fetchone()
        self._kept = row["kept"] if row else 0
        if self._full and self._kept < self._rows // 2:
            log.info("room_for_rejects_again", extra={"kept": self._kept})
            self._full = False
        hour = now.replace(minute=0, second=0, microsecond=0)
        self._examples = {
            Example(found["sensor_id"], found["reason"], found["hour"])
            for found in execute(connection, "reject_examples", hour=hour)
        }
        connection.commit()
