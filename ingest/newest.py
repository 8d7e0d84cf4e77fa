"""Outcomes of the newest messages of a sensor, for commissioning it.

They are written after the commit of their batch and may be lost; the ledger is the
authoritative record.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import psycopg

from ingest.batch import Batch, MessageOutcome
from verkehrspuls.storage.database import Connection, execute

log = logging.getLogger(__name__)

#: Messages kept per sensor and slot.
MAX_KEPT: Final = 10
#: Share of the time that writing may take; meanwhile outcomes accumulate.
MAX_TIME_SHARE: Final = 1 / 50
#: Batches of up to this many messages are written at once: the load is low.
LOW_LOAD_MESSAGES: Final = 10


class Newest:
    """The newest messages that are not written yet, by sensor."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock()
        self._came: dict[int, deque[MessageOutcome]] = {}

    def add(self, batch: Batch) -> None:
        """Add the messages of a committed batch."""
        for (sensor_id, _), tally in batch.ledger.items():
            if sensor_id is None:
                continue
            outcomes = self._came.get(sensor_id)
            if outcomes is None:
                outcomes = self._came[sensor_id] = deque(maxlen=MAX_KEPT)
            outcomes.extend(tally.outcomes[-MAX_KEPT:])

    def note(self, connection: Connection, *, slot: int, late: bool = False) -> None:
        """Write waiting outcomes if due, or if `late`: no more messages come."""
        began = self._clock()
        if not self._came or (began < self._due and not late):
            return
        found = [
            (key, _encoded(one))
            for key, outcomes in self._came.items()
            for one in outcomes
        ]
        self._came.clear()
        try:
            with connection.transaction():
                execute(
                    connection,
                    "put_newest_messages",
                    slot=slot,
                    sensors=[sensor_id for sensor_id, _ in found],
                    # JSON contains no line breaks of its own
                    messages="\n".join(encoded for _, encoded in found),
                    most=MAX_KEPT,
                )
        except psycopg.Error as error:
            # the batch is committed and must not be written again because of this error
            log.warning("newest_not_noted", extra={"reason": str(error).strip()})
        ended = self._clock()
        self._due = ended + (ended - began) / MAX_TIME_SHARE


def _encoded(outcome: MessageOutcome) -> str:
    """Encode a message as JSON: receipt, readings used, and why others were not."""
    received_at, readings, why = outcome
    encoded = f'["{received_at.isoformat()}",{readings}'
    if why is None:
        return f"{encoded}]"
    refused, reason, detail = why
    rest = msgspec.json.encode([refused, reason, detail.text, detail.values])
    return f"{encoded},{rest.decode()[1:]}"
