"""What ingest and analytics make of messages: at once, or by a worker at a broker."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, LiteralString, Self

from psycopg.rows import dict_row

from analytics.jobs import case_hours, claims
from analytics.jobs.store import open_store
from ingest import asked
from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.worker import Worker
from ingest.write import Writer
from tests.parts import PATIENCE_S, as_analytics, as_ingest, logins, patient
from verkehrspuls.settings import Analytics, Settings, load
from verkehrspuls.storage.database import connect


class Intake:
    """A migrated database, and a writer whose settings can be chosen."""

    def __init__(self, url: str, **ingest: object) -> None:
        self.url = url
        self.connection = connect(url, row_factory=dict_row, autocommit=True)
        settings = load(logins(url))
        chosen = settings.ingest.model_copy(update=ingest)
        self.settings = settings.model_copy(update={"ingest": chosen})
        self.formats = formats()
        self.writer = self._new_writer()

    def _new_writer(self) -> Writer:
        chosen = self.settings.ingest
        return Writer(
            as_ingest(self.url), chosen, pause=patient(), formats=self.formats
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.writer.close()
        self.connection.close()

    def write(self, *messages: Message) -> Counter[str]:
        """Write a batch that is complete when its last message is received."""
        limits = Limits.at(messages[-1].received_at, self.settings.ingest)
        collector = Collector(self.writer.registry(), self.formats, limits)
        return self.writer.write(collector.collect(messages), collector)

    def compute(self, now: datetime, *, silence: bool = False) -> None:
        """Compute all that is stale, and judge its hours."""
        compute(self.url, now, silence=silence)

    def rows(self, query: LiteralString, *parameters: object) -> list[dict[str, Any]]:
        return self.connection.execute(query, parameters).fetchall()


def compute(url: str, now: datetime, *, silence: bool = False) -> None:
    """Let an analytics worker do all that is stale, and judge its hours."""
    with open_store(as_analytics(url), application="test") as store:
        while claims.process(store, Analytics(), now=now):
            pass
        while case_hours.judge(store, now=now):
            pass
        if silence:
            claims.check_silence(store, now=now)
            while case_hours.judge(store, now=now):
                pass


@contextmanager
def ingesting(settings: Settings) -> Iterator[None]:
    """Run an ingest worker, which is ready, until the end of the block."""
    ready = threading.Event()
    worker = Worker(settings, on_ready=ready.set)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield
    finally:
        worker.stop()
        thread.join(PATIENCE_S)


@contextmanager
def replaying(settings: Settings) -> Iterator[None]:
    """Do the replays that are asked for until the end of the block, as a worker."""
    stop = threading.Event()
    thread = threading.Thread(
        target=asked.serve,
        args=(settings,),
        kwargs={"pause": lambda _: stop.wait(0.1)},
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_S)
