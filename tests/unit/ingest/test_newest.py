"""Noting the newest messages takes little of a worker's time, whatever comes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from ingest import newest
from ingest.batch import Batch, MessageOutcome, Tally
from ingest.newest import MAX_KEPT, MAX_TIME_SHARE, Newest
from ingest.reasons import Detail

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)


class Database:
    """A connection whose statements take a while, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.takes_s = 0.01
        self.broken = False
        self.noted: list[dict[int, str]] = []
        monkeypatch.setattr(newest, "execute", self._execute)

    def transaction(self) -> "Database":
        return self

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def _execute(self, _: object, query: str, **parameters: Any) -> None:
        assert query == "put_newest_messages"
        self.now += self.takes_s
        if self.broken:
            raise psycopg.errors.ForeignKeyViolation
        lines = parameters["messages"].split("\n")
        assert len(lines) == len(parameters["sensors"])
        self.noted.append(dict(zip(parameters["sensors"], lines, strict=False)))


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    return Database(monkeypatch)


def batch(sensor_id: int | None, *readings: int, **tally: Any) -> Batch:
    outcomes: list[MessageOutcome] = [
        (NOW + timedelta(seconds=n), number, None) for n, number in enumerate(readings)
    ]
    return Batch(ledger={(sensor_id, NOW): Tally(NOW, outcomes=outcomes, **tally)})


def note(noting: Newest, database: Any, *, late: bool = False) -> None:
    noting.note(database, slot=0, late=late)


def test_under_load_it_takes_a_share_of_the_time(database: Database) -> None:
    noting = Newest(clock=lambda: database.now)
    began = database.now
    for _ in range(1000):
        database.now += 0.001
        noting.add(batch(1, 5))
        note(noting, database)
    spent = len(database.noted) * database.takes_s
    assert 0 < spent <= 2 * MAX_TIME_SHARE * (database.now - began)
    # what is left is noted when no more comes
    noting.add(batch(2, 7))
    note(noting, database, late=True)
    assert set(database.noted[-1]) >= {2}


def test_of_each_sensor_the_newest_are_noted_and_of_strangers_none(
    database: Database,
) -> None:
    noting = Newest(clock=lambda: database.now)
    noting.add(batch(1, *range(MAX_KEPT + 5)))
    noting.add(batch(1, 99))
    noting.add(batch(None, 1))
    note(noting, database)
    (noted,) = database.noted
    assert set(noted) == {1}
    assert msgspec.json.decode(noted[1])[1] == 99
    note(noting, database, late=True)
    assert len(database.noted) == 1


def test_reason_is_noted_with_what_it_quotes(database: Database) -> None:
    noting = Newest(clock=lambda: database.now)
    detail = Detail.of("{} at\n{}", "'ä'\n\0", 3)
    outcomes: list[MessageOutcome] = [(NOW, 2, (1, "unknown-output", detail))]
    noting.add(Batch(ledger={(1, NOW): Tally(NOW, outcomes=outcomes)}))
    note(noting, database)
    at, readings, refused, reason, text, values = msgspec.json.decode(
        database.noted[0][1]
    )
    assert (datetime.fromisoformat(at), readings, refused) == (NOW, 2, 1)
    assert (reason, Detail(text, values).in_language("en")) == (
        "unknown-output",
        detail.in_language("en"),
    )


def test_note_that_fails_leaves_the_batch_as_it_is(database: Database) -> None:
    noting = Newest(clock=lambda: database.now)
    database.broken = True
    noting.add(batch(1, 1))
    note(noting, database)
    database.broken = False
    database.now += 10
    noting.add(batch(1, 2))
    note(noting, database)
    assert len(database.noted) == 1
