"""The embedded MQTT broker: NATS with JetStream, MQTT 3.1.1 on loopback.

    directory/
        nats.conf             written anew at each start
        port                  the MQTT port: the same at every start
        store/                messages and sessions
        log/                  its log, rotated by the broker
        ingest.password       may receive readings
        publish.password      may publish readings: simulators and replay

Two credentials with a right each; nothing else is allowed, except that ingest may
publish under the topic of `probe`, which is no reading's. An acknowledged message
outlives a killed broker at once and a power failure after `sync_interval`.

After a disk was full NATS refuses every message, however much room there is again,
until it is started anew: see `is_stuck`.
"""

import json
import random
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from verkehrspuls.errors import StackFailed
from verkehrspuls.stack import process
from verkehrspuls.stack.account import private_directory, private_file, server_account
from verkehrspuls.stack.binaries import broker_binary, reachable_broker
from verkehrspuls.wire import PREFIX

HOST = "127.0.0.1"
#: below the ports that systems give to outgoing connections
PORTS = range(20_000, 30_000)
MB = 1 << 20
_PORT_TAKEN = "address already in use"
_REFUSED = b"JetStream failed to store"
#: with less room it is no use to start it anew
ROOM_BYTES = 8 * MB
#: how often its log is looked at, and how much of it
LOOK_S = 5.0
LOOK_BYTES = 65_536


class Broker:
    """A NATS server on a directory of its own."""

    name = "broker"
    once = False

    def __init__(
        self, directory: Path, *, account: str = "nobody", start_s: float = 60
    ) -> None:
        self.process: process.Process | None = None
        self.directory = directory.resolve()
        self._log = self.directory / "log"
        self._account = server_account(account, part=self.name)
        self._start_s = start_s
        #: how far its log was looked at, when it is again, and what was found
        self._looked = 0
        self._look_at = 0.0
        self._refused = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """For ingest: may subscribe to readings, not publish."""
        return self._url("ingest")

    @property
    def publish_url(self) -> str:
        """For simulators and replay: may publish readings, not subscribe."""
        return self._url("publish")

    def start(self) -> None:
        """Start the broker and wait until it answers."""
        while True:
            self.spawn()
            try:
                process.wait_for_answer(self, timeout_s=self._start_s)
            except BaseException as error:
                self.stop()
                if _PORT_TAKEN not in str(error):
                    raise
                # nobody was told the port yet: take another one
                (self.directory / "port").unlink()
            else:
                return

    def stop(self, timeout_s: float = 10) -> None:
        """Stop the broker: in order, after `timeout_s` at once."""
        process.stop(self, timeout_s=timeout_s)

    def spawn(self) -> None:
        """Start the broker without waiting until it answers."""
        private_directory(self.directory, self._account, part=self.name)
        private_directory(self._log, self._account, part=self.name)
        private_directory(self.directory / "store", self._account, part=self.name)
        binary = broker_binary()
        if self._account is not None:
            binary = reachable_broker(binary, self.directory, self._account)
        configuration = self.directory / "nats.conf"
        text = json.dumps(self._configuration(), indent=2)
        private_file(configuration, text.encode(), self._account)
        self._refused = False
        self._looked = self._log_size()
        with (self._log / "start.log").open("wb") as output:
            self.process = process.leashed(
                [binary, "--config", configuration],
                when_left=signal.SIGTERM,
                account=self._account,
                output=output,
                environment=process.server_environment(),
                directory=self.directory,
            )

    def answers(self) -> bool:
        """Tell whether our own broker lets our own credential in."""
        if self.process is None or self.process.poll() is not None:
            return False
        return lets_in(self.url)

    def is_stuck(self) -> bool:
        """Tell whether it has refused messages since its start, and has room for them.

        Its log is all that tells: it lets clients in, and says that it is well.
        """
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_S
        try:
            size = self._log_size()
            begin = self._looked if self._looked <= size else 0  # it was rotated
            with (self._log / "nats.log").open("rb") as file:
                file.seek(max(begin, size - LOOK_BYTES))
                self._refused = self._refused or _REFUSED in file.read(LOOK_BYTES)
            self._looked = size
            room = shutil.disk_usage(self.directory).free
        except OSError:
            return False
        return self._refused and room > ROOM_BYTES

    def _log_size(self) -> int:
        try:
            return (self._log / "nats.log").stat().st_size
        except FileNotFoundError:
            return 0

    def last_words(self) -> str:
        """Give the end of the broker's log."""
        return process.last_lines(self._log / "start.log", self._log / "nats.log")

    def version(self) -> str:
        """Give the version of the broker's program."""
        return program_version(broker_binary())

    def ask_to_stop(self) -> None:
        """Close all connections, write everything out and stop."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def make_stop(self) -> None:
        """Stop at once; what was acknowledged is kept."""
        if self.process is not None:
            self.process.kill()

    def _url(self, user: str) -> str:
        word = process.secret(self.directory / f"{user}.password", self._account)
        return f"mqtt://{user}:{word}@{HOST}:{self._port()}"

    def _port(self) -> int:
        kept = self.directory / "port"
        if not kept.exists() or not kept.read_bytes().strip().isdigit():
            private_file(kept, f"{free_port(PORTS)}\n".encode())
        return int(kept.read_bytes())

    def _configuration(self) -> dict[str, Any]:
        # NATS writes `/` of MQTT topics as `.`, and `topic/#` takes in `topic` itself
        root = PREFIX.replace("/", ".")
        readings = [root, f"{root}.>"]
        nothing = {"deny": ">"}
        probe = [f"{root}.doctor.probe"]
        return {
            "server_name": "verkehrspuls",
            # the port of its own protocol has to be; any one does
            "listen": f"{HOST}:-1",
            "log_file": str(self._log / "nats.log"),
            "logfile_size_limit": 10 * MB,
            "logfile_max_num": 3,
            # a client that is further behind than this is cut off
            "max_pending": 256 * MB,
            "jetstream": {
                "store_dir": str(self.directory / "store"),
                # an ingest that stays away must not fill the disk
                "max_file": 4096 * MB,
                "max_mem": 64 * MB,
                "sync_interval": "5s",
            },
            "mqtt": {
                "listen": f"{HOST}:{self._port()}",
                # unacknowledged messages come again after it: longer than ingest
                # needs for all that may be unacknowledged at once
                "ack_wait": "20s",
                # delivered ahead of acknowledgement; of the largest back-fill
                # messages (256 kB) this much must fit into max_pending
                "max_ack_pending": 400,
            },
            "authorization": {
                "users": [
                    self._user("ingest", publish=probe, subscribe=readings),
                    self._user("publish", publish=readings, subscribe=nothing),
                ]
            },
        }

    def _user(self, name: str, *, publish: Any, subscribe: Any) -> dict[str, Any]:
        return {
            "user": name,
            "password": process.secret(
                self.directory / f"{name}.password", self._account
            ),
            "permissions": {"publish": publish, "subscribe": subscribe},
        }


def lets_in(url: str, *, timeout_s: float = 2) -> bool:
    """Tell whether a broker accepts the credential of a URL, by MQTT's CONNECT."""
    parts = urlsplit(url)
    name = f"vp-{secrets.token_hex(8)}"
    words = (name, parts.username or "", parts.password or "")
    body = b"\x00\x04MQTT\x04\xc2\x00\x0a" + b"".join(
        struct.pack("!H", len(word)) + word.encode() for word in words
    )
    try:
        with socket.create_connection(
            (parts.hostname or HOST, parts.port or 1883), timeout=timeout_s
        ) as connection:
            connection.sendall(bytes((0x10, len(body))) + body)
            return connection.recv(4) == b"\x20\x02\x00\x00"
    except OSError:
        return False


def free_port(ports: range) -> int:
    """Choose a port of 127.0.0.1 that nothing listens on."""
    # of the system's chance: whoever seeds ours alike would be given the same ports
    for port in random.SystemRandom().sample(ports, k=100):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise StackFailed(part="broker", reason=f"no port is free in {ports}.")


def program_version(binary: Path) -> str:
    """Ask the broker's program for its version, such as 2.15.1."""
    said = subprocess.run(  # noqa: S603
        [binary, "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"\d+\.\d+[.\d]*", said)
    return found[0] if found else said.strip()
