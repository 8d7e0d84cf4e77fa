"""Drain a slot that no worker will serve again.

The broker keeps messages for the session of a slot forever, even after its worker is
gone for good. Draining processes all of them with the same code as a worker, and then
ends the session, so that no more messages are kept for the slot.
"""

import threading
from collections.abc import Callable
from typing import Any

from ingest.worker import Worker
from verkehrspuls import mqtt
from verkehrspuls.access import audit
from verkehrspuls.errors import BrokerUnavailable, NotDrained
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import connect, execute
from verkehrspuls.storage.slots import session_of


def drain(
    settings: Settings,
    *,
    idle_s: float,
    at_most_s: float,
    with_worker: Callable[[Worker], None] = lambda _: None,
) -> int:
    """Drain the slot of the settings; return the number of messages that waited for it.

    Raise `NotDrained` if messages still arrived after `at_most_s`, or if it was
    stopped: the session then remains. `with_worker` receives the worker, so that a
    signal can stop it.
    """
    worker = Worker(settings, drain_idle_s=idle_s)
    with_worker(worker)
    late = threading.Timer(at_most_s, worker.stop)
    late.start()
    try:
        worker.run()
    finally:
        late.cancel()
    slot = settings.ingest.slot
    if not worker.drained:
        raise NotDrained(slot=slot, messages=worker.written)
    with connect(settings.database.url.get_secret_value()) as connection:
        _end_session(settings, session_of(connection, slot))
        execute(connection, "note_drained", slot=slot)
        execute(connection, "forget_session", slot=slot)
        audit.note(connection, "slot.drain", key=str(slot))
    return worker.written


def _end_session(settings: Settings, client_id: str) -> None:
    """Connect with a clean session, so that the broker drops the old one."""
    url = settings.broker.url.get_secret_value()
    made = mqtt.client(url, client_id=client_id, ca_file=settings.broker.ca_file)
    answered = threading.Event()

    def answer(_c: Any, _d: Any, _f: Any, reason: Any, _p: Any) -> None:
        if not reason.is_failure:
            answered.set()

    made.on_connect = answer
    mqtt.connect(made, url)
    made.loop_start()
    try:
        if not answered.wait(10):
            raise BrokerUnavailable(reason="it did not end the session.")
    finally:
        made.disconnect()
        made.loop_stop()
