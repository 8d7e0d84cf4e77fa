"""Replay what engineers ask for on their pages: a thread of the worker.

The web may not write readings, so it asks (`verkehrspuls.registry.replays`). Of several
workers one does it; another takes over where that one ends.
"""

import logging
from collections.abc import Callable
from typing import Final

import psycopg

from ingest.rejects import replay_asked
from verkehrspuls.errors import Unavailable
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import Connection, connect, one

log = logging.getLogger(__name__)

#: interval of looking whether something was asked for
POLL_S: Final = 1.0
#: pause after the database was away, or somebody else replays
RETRY_S: Final = 10.0


def serve(settings: Settings, *, pause: Callable[[float], bool]) -> None:
    """Do replays as they are asked for, until `pause(seconds)` says to stop."""
    url = settings.database.login("ingest")
    while True:
        try:
            with connect(url, application="ingest replays") as connection:
                _serve(settings, connection, pause)
                return
        except (psycopg.Error, Unavailable) as error:
            log.info("replay_retry", extra={"reason": " ".join(str(error).split())})
        if pause(RETRY_S):
            return


def _serve(
    settings: Settings,
    connection: Connection,
    pause: Callable[[float], bool],
) -> None:
    taken = False
    while True:
        if not taken:
            taken = one(connection, "take_replays")["taken"]
            connection.commit()
        while taken and replay_asked(settings, connection):
            pass
        if pause(POLL_S if taken else RETRY_S):
            return
