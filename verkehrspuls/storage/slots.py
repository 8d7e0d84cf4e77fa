"""Ingest worker slots: which of them wrote lately, and whether a worker serves them."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from verkehrspuls.storage.database import Connection, one, read_records

#: How long before its end a certificate is to be renewed.
RENEWAL: Final = timedelta(days=30)


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
    #: the session is of an older version, which gave it a name that can be guessed
    guessable: bool
    #: until when the broker's certificate is valid; none: it speaks no TLS
    certificate_ends: datetime | None

    @property
    def stranded(self) -> bool:
        """Whether messages may wait for it at the broker, and nobody takes them."""
        return not (self.served or self.drained)

    def certificate_expires(self, now: datetime) -> bool:
        """Return whether the broker's certificate has to be renewed by now."""
        ends = self.certificate_ends
        return ends is not None and ends - now < RENEWAL


def slots(connection: Connection) -> list[Slot]:
    """List the slots of the last day."""
    return read_records(connection, Slot, "slots")


def session_of(connection: Connection, slot: int) -> str:
    """Return the client identifier of a slot's MQTT session; choose one at first.

    Whoever connects to the broker with it takes the session over, with all that waits
    in it. So it is random, and stays the same until the slot is drained.
    """
    chosen = f"verkehrspuls-ingest-{slot}-{secrets.token_hex(16)}"
    row = one(connection, "session_of", slot=slot, client_id=chosen)
    return str(row["client_id"])


def group_of(connection: Connection, share: str) -> str:
    """Return the name at the broker of a group of workers; choose one at first.

    Whoever subscribes with it becomes a member, and at Mosquitto gets a share of the
    messages even without the right to read them: these are lost. So it is random.
    """
    chosen = f"{share}-{secrets.token_hex(16)}"
    return str(one(connection, "group_of", share=share, name=chosen)["name"])


def count_workers(connection: Connection) -> int:
    """Return how many ingest workers are connected to the database."""
    workers = int(one(connection, "count_workers")["workers"])
    connection.commit()
    return workers
