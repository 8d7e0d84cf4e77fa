"""Limit the message rate of each sensor, so that none can block the others.

Each sensor has a token bucket: it fills at the configured rate, up to the number of
messages that a sensor may send at once after an outage. Only registered sensors have
buckets, which bounds their number. Buckets are checked once per batch, not per message.

Workers that share a subscription receive about equal parts of each sensor's messages,
so each worker allows its part of the limit.
"""

import time
from collections import Counter
from collections.abc import Callable

from ingest.batch import Batch
from verkehrspuls.settings import Ingest


class RateLimit:
    """Token buckets of all sensors in one worker.

    `workers` is the number of workers that share the messages.
    """

    def __init__(
        self, settings: Ingest, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = settings.sensor_messages_per_minute / 60
        self._burst = float(settings.sensor_burst)
        self._clock = clock
        self.workers = 1
        #: remaining tokens by sensor, and the time of that count
        self._buckets: dict[int, tuple[float, float]] = {}

    def beyond(self, batch: Batch) -> dict[int, int]:
        """Take tokens; return the number of messages to refuse by sensor.

        Usually empty.
        """
        now = self._clock()
        burst, per_s = self._burst / self.workers, self._per_s / self.workers
        refused = {}
        arrived: Counter[int] = Counter()
        for (sensor_id, _), tally in batch.ledger.items():
            if sensor_id is not None:
                arrived[sensor_id] += tally.messages
        for sensor_id, messages in arrived.items():
            left, since = self._buckets.get(sensor_id, (burst, now))
            left = min(burst, left + (now - since) * per_s)
            allowed = min(messages, int(left))
            if allowed < messages:
                refused[sensor_id] = messages - allowed
            self._buckets[sensor_id] = (left - allowed, now)
        return refused
