"""Whatever comes, in whatever order and by whichever worker: overlaps are counted."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
import psycopg
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingest import store
from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.resolve import read_registry
from ingest.write import Writer
from tests import parts
from tests.parts import as_ingest
from tests.towns import AIR_TOPIC, COUNTS_TOPIC, TOWN
from verkehrspuls.quantities import OVERLAP_TOLERANCE
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, connect

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)


class Sent(NamedTuple):
    """A reading; time and interval in seconds."""

    output: str
    time: int
    interval_s: int

    @property
    def ended(self) -> int:
        return self.time + self.interval_s

    def message(self) -> Message:
        body: dict[str, Any] = {
            "time": NOW + timedelta(seconds=self.time),
            "interval_s": self.interval_s,
        }
        if self.output == "no2_ugm3":
            body["values"] = {"no2_ugm3": 20}
            return Message(AIR_TOPIC, msgspec.json.encode(body), NOW)
        body["counts"] = [{"channel": self.output, "classes": {"car": 1}}]
        return Message(COUNTS_TOPIC, msgspec.json.encode(body), NOW)


def sent(*times: int) -> list[Sent]:
    """Make readings of a minute."""
    return [Sent("1", time, 60) for time in times]


OUTPUTS = st.sampled_from(["1", "1", "2", "no2_ugm3"])
EVEN = st.builds(
    lambda output, number: Sent(output, 60 * number, 60), OUTPUTS, st.integers(-30, 30)
)
ANY = st.builds(
    Sent,
    OUTPUTS,
    st.integers(-30, 30).map(lambda n: 60 * n) | st.integers(-1800, 1800),
    st.sampled_from([30, 60, 60, 61, 300, 900, 3600]),
)
IN_ORDER = st.builds(
    lambda output, first, step, interval_s, number: [
        Sent(output, first + step * i, interval_s) for i in range(number)
    ],
    OUTPUTS,
    st.integers(-30, 30).map(lambda n: 60 * n),
    st.sampled_from([30, 60, 60, 120]),
    st.sampled_from([60, 60, 60, 63, 65]),
    st.integers(1, 6),
)
BATCHES = st.one_of(
    IN_ORDER,
    st.lists(EVEN, min_size=1, max_size=5),
    st.lists(ANY, min_size=1, max_size=5),
)
#: Who writes a batch. "new": a worker that has just been started in place of the first;
#: "broken": the first, whose connection breaks before it has committed.
WORKERS = st.sampled_from(["first", "first", "second", "new", "broken"])


def overlap(reading: Sent, others: list[Sent]) -> bool:
    """Look at all others of a channel."""
    mine = [each for each in others if each.output == reading.output]
    before = [each.ended for each in mine if each.time < reading.time]
    after = [each.time for each in mine if each.time > reading.time]
    most = OVERLAP_TOLERANCE * reading.interval_s
    return (
        min(max(before, default=reading.time), reading.ended) - reading.time > most
        or reading.ended - min(after, default=reading.ended) > most
    )


@contextmanager
def breaking() -> Iterator[None]:
    """Let the connection break once, after the overlaps were counted."""
    broken = [psycopg.OperationalError("broken")]

    def follow(*given: Any) -> Any:
        if broken:
            raise broken.pop()
        return real(*given)

    real = store._update_sequences
    with patch.object(store, "_update_sequences", follow):
        yield


def has_left(connection: Connection) -> bool:
    """Return whether the database noticed that the worker of slot 0 left."""
    query = "select from pg_stat_activity where datname = current_database() and "
    return not connection.execute(query + "application_name = 'ingest 0'").rowcount


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(WORKERS, BATCHES), min_size=1, max_size=20))
# another worker makes an even channel uneven
@example([("first", sent(0)), ("second", sent(90)), ("first", sent(60))])
# two workers take turns in an uneven one
@example([("first", sent(0, 30)), ("second", sent(200)), ("first", sent(170))])
# one that is late finds another's readings, and the first goes on
@example([("first", sent(0, 240)), ("second", sent(120)), ("new", sent(90, 300))])
# another length in the same steps
@example([("first", sent(0)), ("second", [Sent("1", 60, 300)]), ("first", sent(180))])
def test_ledger_counts_what_overlaps_when_it_comes(
    _plain: parts.Databases,  # noqa: PT019 - it has a value
    history: list[tuple[str, list[Sent]]],
) -> None:
    with (
        _plain.fresh() as url,
        connect(url, autocommit=True) as connection,
        ExitStack() as stack,
    ):

        def start(slot: int) -> Writer:
            chosen = Ingest(slot=slot)
            return stack.enter_context(
                closing(Writer(as_ingest(url), chosen, pause=lambda _: False))
            )

        register(connection, TOWN)
        registry = read_registry(connection)
        collector = Collector(registry, formats(), Limits.at(NOW, Ingest()))
        workers = {"first": start(0), "second": start(1)}
        stored: dict[tuple[str, int], Sent] = {}
        expected = 0
        for who, batch in history:
            if who == "new":
                workers["first"].close()
                parts.wait_for(lambda: has_left(connection), parts.PATIENCE_S)
                workers["first"] = start(0)
            for each in batch:
                stored[each.output, each.time] = each
            mine = {(each.output, each.time): each for each in batch}
            others = list(stored.values())
            expected += sum(overlap(each, others) for each in mine.values())
            writer = workers.get(who, workers["first"])
            made = collector.collect(each.message() for each in batch)
            if who == "broken":
                with breaking():
                    writer.write(made, collector)
            else:
                writer.write(made, collector)
            found = connection.execute(
                "select sum(readings_overlapping) from ledger"
            ).fetchone()
            assert found == (expected,), (who, batch)
