"""How many messages a sensor may send, to one worker and to several."""

from datetime import UTC, datetime

from ingest.batch import Batch, Tally
from ingest.rate import RateLimit
from verkehrspuls.settings import Ingest

HOUR = datetime(2026, 11, 21, 20, tzinfo=UTC)
SENSOR = 7
SETTINGS = Ingest(sensor_messages_per_minute=60, sensor_burst=100)


def arrived(messages: int) -> Batch:
    return Batch(ledger={(SENSOR, HOUR): Tally(HOUR, accepted=messages)})


class Limited:
    """A rate limit with a clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rate = RateLimit(SETTINGS, clock=lambda: self.now)

    def allowed(self, messages: int) -> int:
        return messages - self.rate.beyond(arrived(messages)).get(SENSOR, 0)


def test_a_burst_passes_and_then_the_rate() -> None:
    limited = Limited()
    assert limited.allowed(130) == 100
    limited.now = 10
    assert limited.allowed(130) == 10


def test_workers_that_share_messages_share_the_limit() -> None:
    several = [Limited() for _ in range(4)]
    for limited in several:
        limited.rate.workers = len(several)
    assert sum(limited.allowed(130) for limited in several) == 100
    for limited in several:
        limited.now = 60
    assert sum(limited.allowed(130) for limited in several) == 60


def test_a_worker_that_joins_takes_its_part_of_what_is_left() -> None:
    limited = Limited()
    assert limited.allowed(10) == 10
    limited.rate.workers = 2
    assert limited.allowed(130) == 50
