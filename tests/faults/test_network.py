"""What networks and certificates do to the connection to the broker; rows 17-20."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from tests import parts
from tests.faults.proxy import DOWN, UP, Direction, Trap
from tests.faults.test_worker import send
from tests.faults.world import PATIENCE_S, Sender, Server, world

KINDS = ("nats", "mosquitto")


@pytest.mark.parametrize(
    ("kind", "directions"),
    [("nats", (UP, DOWN)), ("mosquitto", (UP,)), ("mosquitto", (DOWN,))],
)
def test_partition_is_noticed_by_keep_alive(
    server: Server, kind: str, directions: tuple[Direction, ...]
) -> None:
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(50))
        parts.wait_for(it.stored, PATIENCE_S)
        it.network.freeze(*directions)
        send(sender, range(50, 300))
        parts.wait_for(
            lambda: it.worker.count_logged("broker_lost") or it.network.accepted > 1,
            PATIENCE_S,
        )
        it.network.thaw()
        it.finish(sender)


@pytest.mark.parametrize("kind", KINDS)
def test_half_open_connection_is_given_up(server: Server, kind: str) -> None:
    """The broker is gone without a word; it waits at the same address."""
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        send(sender, range(50))
        parts.wait_for(it.stored, PATIENCE_S)
        it.network.forget()
        send(sender, range(50, 300))
        it.finish(sender)
        assert it.worker.count_logged("broker_connected") == 2


@pytest.mark.parametrize("bulk", [False, True], ids=["standard", "bulk"])
@pytest.mark.parametrize("piece", [1, 3])
def test_network_that_passes_on_a_few_bytes_at_a_time(
    server: Server, bulk: bool, piece: int
) -> None:
    with (
        world(server, "nats", ingest__bulk=bulk) as it,
        Sender(it.broker.publish_url) as sender,
    ):
        it.network.piece = piece
        send(sender, range(100))
        it.finish(sender)
        assert it.worker.count_logged("broker_lost") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_connection_cut_while_it_acknowledges(server: Server, kind: str) -> None:
    with world(server, kind) as it, Sender(it.broker.publish_url) as sender:
        for number in range(3):
            trap = it.network.trap = Trap(
                UP, b"\x40\x02", Random(number).random() < 0.5
            )
            send(sender, range(20 * number, 20 * number + 20))
            assert trap.sprung.wait(PATIENCE_S)
        it.finish(sender)


class Front:
    """TLS in front of a broker, with a certificate that can be changed."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        #: first bytes of clients that did not begin with a handshake
        self.plain: list[bytes] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def use(self, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.context = context

    def close(self) -> None:
        for one in (self._listener, *self._open):
            # wakes whoever waits for it
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _run(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(raw)
            first = raw.recv(1, socket.MSG_PEEK)
            if first and first != b"\x16":  # a TLS handshake
                self.plain.append(first)
            try:
                secure = self.context.wrap_socket(raw, server_side=True)
            except OSError:
                raw.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._upstream))
            self._open += [secure, server]
            for source, target in ((secure, server), (server, secure)):
                threading.Thread(
                    target=copy, args=(source, target), daemon=True
                ).start()


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


@contextmanager
def front(port: int) -> Iterator[Front]:
    made = Front(port)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates `right`, `expired`, `elsewhere`, and `stranger` of another CA."""
    if not shutil.which("openssl"):
        parts.missing("openssl is not installed: apt-get install openssl")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "other-ca"):
        openssl(
            folder,
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )
    for name, authority, host, days in (
        ("right", "ca", "localhost", "30"),
        ("expired", "ca", "localhost", "-1"),
        ("elsewhere", "ca", "elsewhere.example", "30"),
        ("stranger", "other-ca", "localhost", "30"),
    ):
        openssl(
            folder,
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        (folder / "extensions").write_text(
            f"subjectAltName=DNS:{host}\nauthorityKeyIdentifier=keyid\n"
        )
        openssl(
            folder,
            *("x509", "-req", "-in", f"{name}.csr", "-days", days),
            *("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"),
            *("-CAcreateserial", "-extfile", "extensions", "-out", f"{name}.crt"),
        )
    return folder


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("expired", "certificate has expired"),
        ("elsewhere", "Hostname mismatch"),
        ("stranger", "unable to get local issuer certificate"),
    ],
)
def test_certificate_that_is_not_right(
    server: Server, certificates: Path, name: str, words: str
) -> None:
    """Refused with the reason, tried again slowly, never without TLS."""
    with world(server, "mosquitto") as it, front(it.network.port) as tls:
        assert it.worker.end() == 0
        where = urlsplit(it.broker.url)
        secure = where._replace(
            scheme="mqtts",
            netloc=f"{where.username}:{where.password}@localhost:{tls.port}",
        ).geturl()
        it.worker.settings(broker__url=secure, broker__ca_file=certificates / "ca.crt")
        tls.use(certificates / f"{name}.crt", certificates / f"{name}.key")
        ready = it.worker.count_logged("\nready\n")
        it.worker.start()
        parts.wait_for(lambda: it.worker.count_logged(words) >= 3, PATIENCE_S)
        assert it.worker.count_logged("\nready\n") == ready
        assert it.worker.alive
        assert tls.plain == []
        tls.use(certificates / "right.crt", certificates / "right.key")
        it.worker.wait_ready()
        with Sender(it.broker.publish_url) as sender:
            send(sender, range(100))
            it.finish(sender)
