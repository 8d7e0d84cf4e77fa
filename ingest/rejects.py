"""Replay rejected messages, after their cause was fixed.

They pass through collector and writer like any message, under their own slot of the
ledger. A message's readings and the mark of its replay are one transaction, so that no
message is replayed twice, even if the process is killed. A message that is rejected
again stays, with the reason of the last attempt.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple

from ingest.batch import Batch, Collector, Message, Reject
from ingest.check import Limits
from ingest.formats import formats
from ingest.store import Again, NotNew
from ingest.write import BAD_ROWS, COMMAND_RETRY_S, Writer
from verkehrspuls.access import audit
from verkehrspuls.errors import Unavailable
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import Connection, execute, one
from verkehrspuls.storage.roles import require_login

log = logging.getLogger(__name__)

#: The ledger's slot for replays; workers have 0 to 99, imports 100.
REPLAY_SLOT: Final = 101
#: messages read from the database, and tried together
PAGE_SIZE: Final = 200

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Choice(NamedTuple):
    """Filter for rejected messages; None matches all. Half-open in time."""

    municipality: str | None = None
    sensor: str | None = None
    topic: str | None = None
    reason: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class Rejected(NamedTuple):
    """A kept message."""

    rejected_message_id: int
    received_at: datetime
    topic: str
    payload: bytes
    retained: bool
    #: the same, or the time of receipt in a recording
    first_received_at: datetime


class _NotThere(Exception):
    """A message cannot be marked; nothing was written."""


def replay(settings: Settings, choice: Choice) -> Counter[str]:
    """Replay the messages of a choice for the operator, the oldest first.

    Return how many `messages` were tried, became `used` or were `rejected` again, how
    many cannot be replayed because they were `cut` when kept, and the ledger's sums of
    readings.
    """
    url = settings.database.url.get_secret_value()
    with closing(_writer(url, settings)) as writer:
        writer.with_retry(lambda c: _note(c, choice))
        return _replay_all(writer, settings, choice)


def replay_asked(settings: Settings, connection: Connection) -> bool:
    """Do the next replay that was asked for; return whether there was one.

    The connection is ingest's; what it came to is stored with the question.
    """
    asked = execute(connection, "next_replay").fetchone()
    connection.commit()
    if asked is None:
        return False
    choice = Choice(asked["municipality"], asked["sensor"])
    ended: dict[str, object] = dict.fromkeys(_TOLD, 0) | {"failed": ""}
    try:
        url = settings.database.login("ingest")
        with closing(_writer(url, settings, check=_require)) as writer:
            sums = _replay_all(writer, settings, choice)
        ended |= {name: sums[name] for name in _TOLD}
    except Unavailable:  # it is tried again
        raise
    except Exception as error:
        log.exception("replay_failed", extra={"sensor": asked["sensor"]})
        ended["failed"] = type(error).__name__
    execute(connection, "end_replay", replay_id=asked["replay_id"], **ended)
    connection.commit()
    return True


#: sums that are told to whoever asked
_TOLD: Final = ("messages", "used", "rejected", "cut")
_require: Final = partial(require_login, part="ingest")


def _writer(
    url: str, settings: Settings, check: Callable[[Connection], None] = lambda _: None
) -> Writer:
    ingest = settings.ingest.model_copy(update={"slot": REPLAY_SLOT})
    return Writer(
        url,
        ingest,
        pause=_sleep,
        at_most_s=COMMAND_RETRY_S,
        formats=formats(),
        check=check,
    )


def _replay_all(writer: Writer, settings: Settings, choice: Choice) -> Counter[str]:
    now = datetime.now(UTC)
    sums: Counter[str] = Counter()
    registry = writer.registry()
    for page in _pages(writer, choice, until=now):
        limits = Limits.at(now, settings.ingest)
        collector = Collector(registry, writer.formats, limits)
        sums.update(_replay(writer, page, collector, now))
    writer.note_newest()
    sums["cut"] = writer.with_retry(lambda c: _count_cut(c, choice))
    return sums


def _note(connection: Connection, choice: Choice) -> None:
    """Note what is replayed; what became of it is in the ledger."""
    audit.note(
        connection,
        "reject.replay",
        key="/".join(filter(None, (choice.municipality, choice.sensor))) or "all",
        municipality=choice.municipality,
        after=choice._asdict(),
    )
    connection.commit()


def _replay(
    writer: Writer, page: list[Rejected], collector: Collector, now: datetime
) -> Counter[str]:
    """Replay messages: together if all their readings are new, else one by one."""
    batch = writer.settled(
        collector.collect([_message(rejected, now) for rejected in page]), collector
    )
    single = len(page) == 1
    newest = page[0].received_at if single else None
    try:
        sums = writer.write_again(batch, Again(newest, _mark(page)))
    except (NotNew, _NotThere, *BAD_ROWS):
        sums = Counter()
        if single:
            return sums
        for rejected in page:
            sums.update(_replay(writer, [rejected], collector, now))
        return sums
    sums["messages"] = len(page)
    sums["rejected"] = sum(t.messages - t.accepted for t in batch.ledger.values())
    sums["used"] = sums["messages"] - sums["rejected"]
    return sums


def _message(rejected: Rejected, now: datetime) -> Message:
    return Message(
        rejected.topic,
        rejected.payload,
        now,
        retained=rejected.retained,
        first_received_at=rejected.first_received_at,
    )


def _mark(page: list[Rejected]) -> Callable[[Connection, Batch], None]:
    def mark(connection: Connection, batch: Batch) -> None:
        """Mark for each message whether it was used completely."""
        problems = {id(reject.message): reject for reject in batch.rejects}
        found: list[Reject | None] = [problems.get(id(m)) for m in batch.messages]
        marked = one(
            connection,
            "mark_replayed",
            ids=[rejected.rejected_message_id for rejected in page],
            received=[rejected.received_at for rejected in page],
            reasons=[reject.reason if reject else None for reject in found],
            details=[reject.detail.text if reject else None for reject in found],
            values=[reject.detail.stored() if reject else None for reject in found],
        )["marked"]
        # replayed by an attempt whose answer was lost, or dropped by retention
        if marked != len(page):
            raise _NotThere

    return mark


def _pages(
    writer: Writer, choice: Choice, *, until: datetime
) -> Iterator[list[Rejected]]:
    last: tuple[datetime, int] = (_EARLIEST, 0)
    while True:
        page = writer.with_retry(partial(_page, choice=choice, until=until, last=last))
        if not page:
            return
        yield page
        last = (page[-1].received_at, page[-1].rejected_message_id)


def _page(
    connection: Connection,
    choice: Choice,
    until: datetime,
    last: tuple[datetime, int],
) -> list[Rejected]:
    rows = execute(
        connection,
        "next_rejects",
        **choice._asdict(),
        after=last[0],
        after_id=last[1],
        until=until,
        limit=PAGE_SIZE,
    ).fetchall()
    connection.commit()
    return [Rejected(**row) for row in rows]


def _count_cut(connection: Connection, choice: Choice) -> int:
    row: dict[str, Any] = (
        execute(connection, "count_cut_rejects", **choice._asdict()).fetchone() or {}
    )
    connection.commit()
    return int(row["cut"])


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
