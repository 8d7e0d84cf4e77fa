"""How many messages a sensor may send: so that one that runs wild stops no other.

Each sensor has a bucket of tokens: it fills at the rate of the setting, up to what a
sensor may bring at once after an outage. Buckets are only for registered sensors, so
there are never more than those. They are looked at once a batch, not once a message.

Workers that share a subscription get about the same part of each sensor's messages, so
each allows its part of the limit.
"""

import time
from collections import Counter
from collections.abc import Callable

from ingest.batch import Batch
from verkehrspuls.settings import Ingest


class RateLimit:
    """The tokens of all sensors, as one worker counts them.

    `workers`: how many share the messages.
    """

    def __init__(
        self, settings: Ingest, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = settings.sensor_messages_per_minute / 60
        self._burst = float(settings.sensor_burst)
        self._clock = clock
        self.workers = 1
        #: tokens left by sensor, and when that was
        self._buckets: dict[int, tuple[float, float]] = {}

    def beyond(self, batch: Batch) -> dict[int, int]:
        """Tell how many messages of which sensors are to be refused; takes tokens.

        Nearly always none.
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
