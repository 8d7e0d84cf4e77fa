"""A worker of which one part dies ends as a whole, and says why."""

import threading
from collections import Counter
from datetime import UTC, datetime

import pytest

from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import Registry
from ingest.worker import Collected, Worker
from tests.parts import PATIENCE_S
from tests.towns import COUNTS_TOPIC
from tests.unit.ingest.test_batch import REGISTRY, counts, message, reasons
from verkehrspuls.settings import Settings

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)


class Broken(Exception):
    """What the parts die of."""


class FakeWriter:
    """A database that takes everything, or nothing."""

    hangs = False

    def __init__(
        self, *, broken: bool = False, registry: Registry | None = None
    ) -> None:
        self.broken = broken
        self._registry = Registry() if registry is None else registry
        self.read = 0
        self.written: list[Message] = []
        self.rejected: list[str] = []

    def registry(self) -> Registry:
        self.read += 1
        return self._registry

    def workers(self) -> int:
        return 1

    def session(self) -> str:
        return "session"

    def group(self) -> str:
        return "group"

    def slot_is_known(self) -> bool:
        return False

    def write(self, batch: Batch, collector: Collector) -> Counter[str]:
        if self.broken:
            raise Broken
        self.written += batch.messages
        self.rejected += reasons(batch)
        return Counter()

    def note_newest(self) -> None: ...
    def note_certificate(self, ends: datetime | None) -> None: ...
    def note_lost_session(self) -> None: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...


def worker(writer: FakeWriter, messages: int) -> Worker:
    """Make a worker that has messages in its inbox, and no network."""
    urls = {"database": "postgresql://nowhere/x", "broker": "mqtt://nowhere"}
    made = Worker(
        Settings.model_validate({part: {"url": url} for part, url in urls.items()}),
        writer=writer,
    )

    def step(timeout_s: float = 0.5) -> None:
        threading.Event().wait(0.01)

    made._receiver.step = step  # type: ignore[method-assign]  # no network
    made._inbox.put([Message("a/b", b"{}", NOW) for _ in range(messages)])
    return made


def test_dead_writer_ends_the_worker() -> None:
    with pytest.raises(Broken):
        worker(FakeWriter(broken=True), 3).run()


def test_dead_collector_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def add(*_: object) -> None:
        raise Broken

    monkeypatch.setattr(Collector, "add", add)
    with pytest.raises(Broken):
        worker(FakeWriter(), 3).run()


def test_stopped_worker_writes_what_it_has_and_leaves_no_thread() -> None:
    writer = FakeWriter()
    made = worker(writer, 25_000)
    threading.Timer(0.2, made.stop).start()
    made.run()
    assert len(writer.written) == made.written == 25_000
    assert not made._inbox.full
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"ingest.writer", "ingest.collector"}


@pytest.mark.parametrize("read_since", [Registry(), REGISTRY])
def test_batch_of_an_old_registry_is_collected_again(read_since: Registry) -> None:
    """The registry was read since then, before or after the sensor was registered."""
    made = worker(writer := FakeWriter(registry=REGISTRY), 0)
    limits = Limits.at(NOW, made._settings)
    before = Collector(Registry(), formats(), limits)
    batch = before.collect([message(COUNTS_TOPIC, counts())])
    assert reasons(batch) == ["unknown-sensor"]
    made._registry = read_since
    made._write(Collected(batch, before))
    made._receiver.stop()
    assert writer.rejected == []
    assert made.written == 1


def test_sensor_that_stays_unknown_is_looked_up_once_and_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.worker.REGISTRY_REREAD_S", PATIENCE_S)
    made = worker(writer := FakeWriter(), 0)
    collector = Collector(made._registry, formats(), Limits.at(NOW, made._settings))
    for _ in range(3):
        batch = collector.collect([message(COUNTS_TOPIC, counts())])
        made._write(Collected(batch, collector))
    made._receiver.stop()
    assert writer.rejected == 3 * ["unknown-sensor"]
    assert writer.read == 1


def test_there_is_room_when_the_receiver_is_woken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It reads on at once, and does not look around half a second later."""
    waiting = worker(FakeWriter(), 0)
    messages = [
        Message("a/b", b"", NOW) for _ in range(waiting._settings.queue_messages)
    ]
    waiting._inbox.put(messages)
    taken = waiting._inbox.take(0, at_most=len(messages))
    assert waiting._inbox.full
    full = []
    monkeypatch.setattr(
        waiting._receiver, "committed", lambda _: full.append(waiting._inbox.full)
    )
    collector = Collector(Registry(), formats(), Limits.at(NOW, waiting._settings))
    waiting._write(Collected(collector.collect(taken), collector))
    waiting._receiver.stop()
    assert full == [False]
