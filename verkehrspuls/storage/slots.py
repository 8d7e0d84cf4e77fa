"""Ingest worker slots: which of them wrote lately, and whether a worker serves them."""

from dataclasses import dataclass
from datetime import datetime

from verkehrspuls.storage.database import Connection, execute, one


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that a worker wrote for in the last day."""

    slot: int
    committed_at: datetime
    #: a worker is connected to the database for it
    served: bool
    #: closed by `verkehrspuls ingest drain`: nothing waits for it
    drained: bool
    #: how often the broker had forgotten its session, and when at last
    sessions_lost: int
    session_lost_at: datetime | None

    @property
    def stranded(self) -> bool:
        """Whether messages may wait for it at the broker, and nobody takes them."""
        return not (self.served or self.drained)


def slots(connection: Connection) -> list[Slot]:
    """List the slots of the last day."""
    return [Slot(**row) for row in execute(connection, "slots")]


def count_workers(connection: Connection) -> int:
    """Tell how many ingest workers are connected to the database."""
    workers = int(one(connection, "count_workers")["workers"])
    connection.commit()
    return workers
