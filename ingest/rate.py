"""How many messages a sensor may send: so that one that runs wild stops no other.

Each sensor has a bucket of tokens: it fills at the rate of the setting, up to what a
sensor may bring at once after an outage. Buckets are only for registered sensors, so
there are never more than those. They are looked at once a batch, not once a message.
"""

import time
from collections import Counter
from collections.abc import Callable

from ingest.batch import Batch
from verkehrspuls.settings import Ingest


class RateLimit:
    """The tokens of all sensors, as one worker counts them."""

    def __init__(
        self, settings: Ingest, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = settings.sensor_messages_per_minute / 60
        self._burst = float(settings.sensor_burst)
        self._clock = clock
        #: tokens left by sensor, and when that was
        self._buckets: dict[int, tuple[float, float]] = {}

    def beyond(self, batch: Batch) -> dict[int, int]:
        """Tell how many messages of which sensors are to be refused; takes tokens.

        Nearly always none.
        """
        now = self._clock()
        refused = {}
        arrived: Counter[int] = Counter()
        for (sensor_id, _), tally in batch.ledger.items():
            if sensor_id is not None:
                arrived[sensor_id] += tally.messages
        for sensor_id, messages in arrived.items():
            left, since = self._buckets.get(sensor_id, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._per_s)
            allowed = min(messages, int(left))
            if allowed < messages:
                refused[sensor_id] = messages - allowed
            self._buckets[sensor_id] = (left - allowed, now)
        return refused
