"""The faults that random histories are made of: how each is injected and healed."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from tests import parts
from tests.faults.proxy import DOWN, UP
from tests.faults.world import EXPECTED_EXIT_CODES, PATIENCE_S, Sender, World, backends
from verkehrspuls.storage.database import Connection


@dataclass
class Injury:
    """What a fault acts on, and what it remembers until it is healed."""

    world: World
    sender: Sender
    dice: Random
    memory: Any = None


Act = Callable[[Injury], None]


@dataclass(frozen=True)
class Fault:
    """A fault; without `heal` it is over at once."""

    inject: Act
    heal: Act | None = None


@contextmanager
def lasting(name: str, world: World, sender: Sender) -> Iterator[None]:
    """Inject a fault, and heal it at the end of the block."""
    fault, injury = FAULTS[name], Injury(world, sender, Random(1))
    assert fault.heal
    fault.inject(injury)
    try:
        yield
    finally:
        fault.heal(injury)


def _kill_worker(it: Injury) -> None:
    it.world.worker.end(signal.SIGKILL)


def _start_worker(it: Injury) -> None:
    it.world.worker.supervise()
    if not it.world.worker.alive:
        it.world.worker.start()


def _ask_worker_to_stop(it: Injury) -> None:
    it.world.worker.supervise()
    it.world.worker.send(signal.SIGTERM)


def _stopped_worker_has_ended(it: Injury) -> None:
    code = it.world.worker.process.wait(PATIENCE_S)
    # a database that does not answer does not keep it from ending in order
    assert code in EXPECTED_EXIT_CODES, it.world.report({"exit after SIGTERM": code})
    it.world.worker.start()


def _pause_worker(it: Injury) -> None:
    it.world.worker.send(signal.SIGSTOP)


def _resume_worker(it: Injury) -> None:
    it.world.worker.send(signal.SIGCONT)


def _kill_before_acknowledgement(it: Injury) -> None:
    """What it commits from now on it cannot acknowledge; then it is killed."""
    it.world.network.freeze(UP)


def _killed_before_acknowledgement(it: Injury) -> None:
    it.world.worker.end(signal.SIGKILL)
    it.world.network.cut()
    it.world.network.thaw()
    it.world.worker.start()


def _kill_database(it: Injury) -> None:
    process = it.world.server.server.process
    assert process is not None
    process.send_signal(signal.SIGQUIT)
    process.wait(PATIENCE_S)


def _start_database(it: Injury) -> None:
    it.world.server.server.start()


def _each_backend(it: Injury, number: signal.Signals) -> list[int]:
    struck = []
    for pid in backends(it.world):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        struck.append(pid)
    return struck


def _pause_backend(it: Injury) -> None:
    it.memory = _each_backend(it, signal.SIGSTOP)


def _resume_backend(it: Injury) -> None:
    for pid in it.memory:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            continue


def _terminate_backends(it: Injury) -> None:
    with it.world.server.admin() as connection:
        for pid in backends(it.world):
            connection.execute("select pg_terminate_backend(%s)", [pid])


def _lock(it: Injury) -> None:
    """Lock the ledger, which a batch writes last: it waits just before its commit."""
    name = it.world.name
    connection: Connection = it.world.server.admin(name)
    connection.autocommit = False
    connection.execute("set search_path = vp")
    connection.execute("lock table ledger in access exclusive mode")
    it.memory = connection


def _unlock(it: Injury) -> None:
    it.memory.close()


def _make_read_only(it: Injury) -> None:
    _alter(it, "set default_transaction_read_only = on")


def _make_writable(it: Injury) -> None:
    _alter(it, "reset default_transaction_read_only")


def _refuse_connections(it: Injury) -> None:
    _alter(it, "connection limit 0")


def _accept_connections(it: Injury) -> None:
    _alter(it, "connection limit -1")


def _alter(it: Injury, what: str) -> None:
    name = it.world.name
    with it.world.server.admin() as connection:
        connection.execute(f'alter database "{name}" {what}')
    _terminate_backends(it)


def _rename_role(it: Injury) -> None:
    """Somebody renames by hand the role that ingest logs in as."""
    with it.world.server.admin() as connection:
        connection.execute("alter role vp_ingest rename to by_hand")
    _terminate_backends(it)


def _role_is_named_again(it: Injury) -> None:
    with it.world.server.admin() as connection:
        connection.execute("alter role by_hand rename to vp_ingest")


def _kill_broker(it: Injury) -> None:
    """NATS keeps all that it acknowledged; Mosquitto what it has saved as well."""
    if it.world.kind == "mosquitto":
        it.sender.flush()
        mosquitto = it.world.broker
        assert isinstance(mosquitto, parts.Mosquitto)
        mosquitto.wait_until_saved()
    assert it.world.broker.process is not None
    it.world.broker.process.kill()
    it.world.broker.process.wait()


def _start_broker(it: Injury) -> None:
    it.world.broker.start()


def _stop_broker(it: Injury) -> None:
    it.world.broker.stop()


def _freeze_network(it: Injury) -> None:
    it.world.network.freeze()


def _freeze_one_way(it: Injury) -> None:
    it.world.network.freeze(it.dice.choice((UP, DOWN)))


def _thaw_network(it: Injury) -> None:
    it.world.network.thaw()


def _cut_network(it: Injury) -> None:
    it.world.network.refusing = True
    it.world.network.cut()


def _slow_network(it: Injury) -> None:
    it.world.network.pause_s = 0.001
    it.world.network.piece = it.dice.choice((1, 7, 100))


def _freeze_wire(it: Injury) -> None:
    it.world.wire.freeze()


def _cut_wire(it: Injury) -> None:
    it.world.wire.refusing = True
    it.world.wire.cut()


def _thaw_wire(it: Injury) -> None:
    it.world.wire.thaw()


def _add_column(it: Injury) -> None:
    """A migration while the worker runs: additive, as all migrations are."""

    column = f"added_{it.dice.getrandbits(32)}"

    def migrate() -> None:
        name = it.world.name
        with it.world.server.admin(name) as connection:
            connection.execute(
                f"alter table vp.count_reading add column {column} integer"
            )

    it.memory = threading.Thread(target=migrate)
    it.memory.start()


def _column_is_added(it: Injury) -> None:
    it.memory.join(PATIENCE_S)
    assert not it.memory.is_alive()


FAULTS: dict[str, Fault] = {
    "worker killed": Fault(_kill_worker, _start_worker),
    "worker told to stop": Fault(_ask_worker_to_stop, _stopped_worker_has_ended),
    "worker paused": Fault(_pause_worker, _resume_worker),
    "worker killed before it acknowledges": Fault(
        _kill_before_acknowledgement, _killed_before_acknowledgement
    ),
    "database killed": Fault(_kill_database, _start_database),
    "backend paused": Fault(_pause_backend, _resume_backend),
    "backend terminated": Fault(_terminate_backends),
    "ledger locked": Fault(_lock, _unlock),
    "database read-only": Fault(_make_read_only, _make_writable),
    "database full of connections": Fault(_refuse_connections, _accept_connections),
    "database role renamed": Fault(_rename_role, _role_is_named_again),
    "database out of reach": Fault(_freeze_wire, _thaw_wire),
    "database connection cut": Fault(_cut_wire, _thaw_wire),
    "column added": Fault(_add_column, _column_is_added),
    "broker killed": Fault(_kill_broker, _start_broker),
    "broker restarted": Fault(_stop_broker, _start_broker),
    "broker out of reach": Fault(_freeze_network, _thaw_network),
    "network one-way": Fault(_freeze_one_way, _thaw_network),
    "connection cut": Fault(_cut_network, _thaw_network),
    "network slow": Fault(_slow_network, _thaw_network),
}

_SERVER = ("database killed", "database role", "database read-only", "database full")
#: Two faults of one group would undo each other's healing.
GROUPS: dict[str, str] = {
    name: next(
        group
        for group, words in {
            "worker": ("worker",),
            "server": ("backend", "ledger", "column", *_SERVER),
            "wire": ("database",),
            "broker": ("broker killed", "broker restarted"),
            "network": ("broker", "network", "connection"),
        }.items()
        if name.startswith(words)
    )
    for name in FAULTS
}
