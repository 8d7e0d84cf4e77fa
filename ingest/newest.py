"""What became of the newest messages of a sensor, for whoever brings it into service.

Noted after the batch that holds them, and no proof of anything: that is the ledger.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import psycopg

from ingest.batch import Batch, Came
from verkehrspuls.storage.database import Connection, execute

log = logging.getLogger(__name__)

#: Messages that are kept of a sensor, by each slot.
MOST: Final = 10
#: Share of the time that noting may take; what comes meanwhile is noted together.
SHARE: Final = 1 / 50
#: Messages of a batch up to which it is noted at once: there is no load.
FEW: Final = 10


class Newest:
    """The newest messages that are not noted yet, by sensor."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock()
        self._came: dict[int, deque[Came]] = {}

    def add(self, batch: Batch) -> None:
        """Take the messages of a batch that has committed."""
        for (sensor_id, _), tally in batch.ledger.items():
            if sensor_id is None:
                continue
            came = self._came.get(sensor_id)
            if came is None:
                came = self._came[sensor_id] = deque(maxlen=MOST)
            came.extend(tally.came[-MOST:])

    def note(self, connection: Connection, *, slot: int, late: bool = False) -> None:
        """Write them down where it is time, or `late`: when no more come for now."""
        began = self._clock()
        if not self._came or (began < self._due and not late):
            return
        found = [(key, _told(one)) for key, came in self._came.items() for one in came]
        self._came.clear()
        try:
            with connection.transaction():
                execute(
                    connection,
                    "put_newest_messages",
                    slot=slot,
                    sensors=[sensor_id for sensor_id, _ in found],
                    # JSON has no line breaks of its own
                    messages="\n".join(told for _, told in found),
                    most=MOST,
                )
        except psycopg.Error as error:
            # the batch has committed, and must not be written again because of this
            log.warning("newest_not_noted", extra={"reason": str(error).strip()})
        ended = self._clock()
        self._due = ended + (ended - began) / SHARE


def _told(came: Came) -> str:
    """Write a message as JSON: when it came, readings used, and why others were not."""
    received_at, readings, why = came
    told = f'["{received_at.isoformat()}",{readings}'
    if why is None:
        return f"{told}]"
    refused, reason, detail = why
    rest = msgspec.json.encode([refused, reason, detail.text, detail.values])
    return f"{told},{rest.decode()[1:]}"
