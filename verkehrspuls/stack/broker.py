"""The embedded MQTT broker: NATS with JetStream, MQTT 3.1.1 on loopback.

    directory/
        nats.conf             written anew at each start, and when logins change
        logins.json           of sensors: see `verkehrspuls.registry.brokers.nats`
        pid                   number of its process
        port                  the MQTT port: the same at every start
        store/                messages and sessions
        log/                  its log, rotated by the broker
        ingest.password       may receive readings
        publish.password      may publish readings: simulators and replay

Each of these two credentials has one right; beyond that ingest may only publish under
the topic of `probe`, which carries no readings. An acknowledged message survives a
killed broker at once and a power failure after `sync_interval`.

After a full disk NATS refuses every message until it is restarted, even with free
space: see `is_stuck`.
"""

import json
import random
import re
import secrets
import shutil
import signal
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from verkehrspuls.errors import StackFailed
from verkehrspuls.stack import process
from verkehrspuls.stack.account import Account, private_file
from verkehrspuls.stack.binaries import broker_binary, reachable_broker
from verkehrspuls.stack.server import START_LOG, Server
from verkehrspuls.wire import PREFIX

HOST = "127.0.0.1"
#: below the ports that systems use for outgoing connections
PORTS = range(20_000, 30_000)
MB = 1 << 20
_PORT_TAKEN = "address already in use"
_REFUSED = b"JetStream failed to store"
#: with less free space a restart is useless
MIN_FREE_BYTES = 8 * MB
#: interval of reading its log, and bytes read each time
LOG_CHECK_S = 5.0
LOG_CHECK_BYTES = 65_536
#: user that may do nothing but log in
_SIGN = "configuration"
_AS_SUBJECT = str.maketrans({"/": ".", "+": "*", "#": ">"})


class Broker(Server):
    """A NATS server with its own directory."""

    name = "broker"
    ends_by = signal.SIGTERM
    dies_by = signal.SIGKILL
    stop_s = 10

    def __init__(
        self, directory: Path, *, account: str = "nobody", start_s: float = 60
    ) -> None:
        super().__init__(directory, account=account, start_s=start_s)
        #: position up to which its log was read, time of the next read, and the result
        self._looked = 0
        self._look_at = 0.0
        self._refused = False

    @property
    def url(self) -> str:
        """For ingest: may subscribe to readings, not publish."""
        return self._url("ingest")

    @property
    def publish_url(self) -> str:
        """For simulators and replay: may publish readings, not subscribe."""
        return self._url("publish")

    @property
    def admin_url(self) -> str:
        """For whoever gives sensors their credentials: the folder of the broker."""
        return f"nats+{self.directory.as_uri()}"

    def spawn(self) -> None:
        """Start the broker without waiting until it answers."""
        self._make_folders(self.directory / "store")
        binary = broker_binary()
        if self._account is not None:
            binary = reachable_broker(binary, self.directory, self._account)
        configuration = self.directory / "nats.conf"
        text = json.dumps(self._configuration(), indent=2)
        private_file(configuration, text.encode(), self._account)
        configure(self.directory, logins(self.directory))
        self._refused = False
        self._looked = self._log_size()
        self.process = self._leashed([binary, "--config", configuration], log=START_LOG)

    def answers(self) -> bool:
        """Return whether our broker accepts our credential."""
        return not self._has_ended() and lets_in(self.url)

    def is_stuck(self) -> bool:
        """Return whether it refuses messages although there is free space.

        Only its log shows that: it accepts clients, and reports itself healthy.
        """
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOG_CHECK_S
        try:
            size = self._log_size()
            begin = self._looked if self._looked <= size else 0  # the log was rotated
            with (self._log / "nats.log").open("rb") as file:
                file.seek(max(begin, size - LOG_CHECK_BYTES))
                self._refused = self._refused or _REFUSED in file.read(LOG_CHECK_BYTES)
            self._looked = size
            room = shutil.disk_usage(self.directory).free
        except OSError:
            return False
        return self._refused and room > MIN_FREE_BYTES

    def _log_size(self) -> int:
        try:
            return (self._log / "nats.log").stat().st_size
        except FileNotFoundError:
            return 0

    def last_log_lines(self) -> str:
        """Return the end of the broker's log."""
        return process.last_lines(self._log / START_LOG, self._log / "nats.log")

    def version(self) -> str:
        """Return the version of the broker's program."""
        return program_version(broker_binary())

    def _can_start_again(self, reason: str) -> bool:
        """Choose another port if it is taken: nobody knows it yet."""
        if _PORT_TAKEN not in reason:
            return False
        (self.directory / "port").unlink()
        return True

    def _url(self, user: str) -> str:
        return f"mqtt://{user}:{self._password(user)}@{HOST}:{self._port()}"

    def _port(self) -> int:
        kept = self.directory / "port"
        if not kept.exists() or not kept.read_bytes().strip().isdigit():
            private_file(kept, f"{free_port(PORTS)}\n".encode())
        return int(kept.read_bytes())

    def _configuration(self) -> dict[str, Any]:
        # NATS writes `/` of MQTT topics as `.`, and `topic/#` includes `topic`
        root = PREFIX.replace("/", ".")
        readings = [root, f"{root}.>"]
        nothing = {"deny": ">"}
        probe = [f"{root}.doctor.probe"]
        return {
            "server_name": "verkehrspuls",
            # the port of its own protocol is required; any free one
            "listen": f"{HOST}:-1",
            "log_file": str(self._log / "nats.log"),
            "logfile_size_limit": 10 * MB,
            "logfile_max_num": 3,
            "pid_file": str(self.directory / "pid"),
            # disconnect a client that lags by more than this
            "max_pending": 256 * MB,
            "jetstream": {
                "store_dir": str(self.directory / "store"),
                # bounds the disk space of an ingest session that stays away
                "max_file": 4096 * MB,
                "max_mem": 64 * MB,
                "sync_interval": "5s",
            },
            "mqtt": {
                "listen": f"{HOST}:{self._port()}",
                # delay before unacknowledged messages are repeated: longer than ingest
                # needs for all that may be unacknowledged at once
                "ack_wait": "20s",
                # messages delivered before acknowledgement; this many of the largest
                # back-fill messages (256 kB) must fit into max_pending
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
            "password": self._password(name),
            "permissions": {"publish": publish, "subscribe": subscribe},
        }


def logins(directory: Path) -> dict[str, Any]:
    """Read the logins of sensors, and what is permitted beside the native topics."""
    try:
        found: dict[str, Any] = json.loads((directory / "logins.json").read_bytes())
    except FileNotFoundError:
        return {"logins": {}, "foreign": [], "sign": secrets.token_hex(16)}
    return found


def users(directory: Path) -> list[dict[str, Any]]:
    """Read the users of the configuration."""
    configuration = json.loads((directory / "nats.conf").read_bytes())
    found: list[dict[str, Any]] = configuration["authorization"]["users"]
    return found


def is_sensor(user: Mapping[str, Any]) -> bool:
    """Return whether a user is a login of a sensor, or of what sends for sensors."""
    return "allowed_connection_types" in user


def configure(directory: Path, kept: Mapping[str, Any]) -> None:
    """Write logins of sensors, and the configuration with them."""
    file = directory / "nats.conf"
    configuration = json.loads(file.read_bytes())
    services = {u["user"]: u for u in users(directory) if not is_sensor(u)}
    foreign = subjects(kept["foreign"])
    root = PREFIX.replace("/", ".")
    native = [root, f"{root}.>"]
    # ingest also reads what unregistered devices send beside registered topics
    begins = {each.partition(".")[0] for each in foreign}
    beside = [subject for each in begins for subject in (each, f"{each}.>")]
    services["ingest"]["permissions"]["subscribe"] = [*native, *sorted(beside)]
    services["publish"]["permissions"]["publish"] = [*native, *foreign]
    configuration["authorization"]["users"] = [
        *services.values(),
        _sensor(_SIGN, kept["sign"], []),
        *(
            _sensor(user, entry["hash"], subjects(entry["topics"]))
            for user, entry in kept["logins"].items()
        ),
    ]
    owner = file.stat()
    account = Account("broker", owner.st_uid, owner.st_gid)
    for name, content in (("logins.json", kept), ("nats.conf", configuration)):
        text = json.dumps(content, indent=2).encode()
        private_file(directory / name, text, account)


def _sensor(user: str, password: str, allow: list[str]) -> dict[str, Any]:
    publish = {"allow": allow} if allow else {"deny": ">"}
    return {
        "user": user,
        "password": password,
        "permissions": {"publish": publish, "subscribe": {"deny": ">"}},
        "allowed_connection_types": ["MQTT"],
    }


def subjects(filters: Iterable[str]) -> list[str]:
    """Write MQTT topic filters as NATS does; those that it cannot are left out."""
    return [
        each.translate(_AS_SUBJECT)
        for each in filters
        if not re.search(r"[.*>\s]|^/|//|/$", each)
    ]


def process_of(directory: Path) -> int | None:
    """Return the number of the process of a broker's folder; None if none runs."""
    try:
        number = int((directory / "pid").read_bytes())
        command = Path(f"/proc/{number}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return number if str(directory / "nats.conf").encode() in command else None


def sign_url(directory: Path, sign: str) -> str:
    """Return the URL of the login that shows which configuration is in force."""
    return f"mqtt://{_SIGN}:{sign}@{HOST}:{int((directory / 'port').read_bytes())}"


def lets_in(url: str, *, timeout_s: float = 2) -> bool:
    """Return whether a broker accepts the credential of a URL, by MQTT's CONNECT."""
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
    """Choose a free port of 127.0.0.1."""
    # not from a seeded generator: programs with the same seed would choose the same
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
    return process.program_version(binary)
