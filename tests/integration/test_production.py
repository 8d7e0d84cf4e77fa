"""Mosquitto as it runs in production: its own configuration, secrets and account."""

import base64
import hashlib
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from paho.mqtt.client import Client, MQTTMessage

from ingest.formats import chirpstack_v4
from tests import parts
from tests.faults.world import START, Worker
from tests.towns import COUNTS_TOPIC, TOWN
from tests.unit.ingest.test_resolve import how_to
from verkehrspuls import mqtt
from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.model import Town
from verkehrspuls.registry import credentials
from verkehrspuls.registry.brokers import Broker, Login, Put, administrated
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.stack import process
from verkehrspuls.stack.account import Account
from verkehrspuls.stack.checks import (
    OK,
    PROBLEM,
    Finding,
    _credentials,
    _silent,
    _slots,
    _unregistered,
)
from verkehrspuls.stack.probe import probe, sessions_are_open
from verkehrspuls.storage import ledger
from verkehrspuls.storage.database import Connection, connect
from verkehrspuls.storage.slots import Slot

#: of the container
ACCOUNT = 1883


@dataclass
class Deployment:
    """The folder `deploy`, with secrets, and Mosquitto on it."""

    folder: Path
    #: of the sensors' listener, and of that of ingest and the web server
    port: int
    inner_port: int
    running: process.Process | None = None

    @property
    def ca_file(self) -> Path:
        return self.folder / "secrets" / "broker_ca"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.running = process.leashed(
                [
                    parts.program("mosquitto", package="mosquitto"),
                    *("-c", str(self.folder / "mosquitto.conf")),
                ],
                when_left=signal.SIGTERM,
                # the container's account, so that file permissions count as well
                account=Account("mosquitto", ACCOUNT, ACCOUNT),
                output=log,
            )
        parts.wait_for(
            lambda: (
                all(map(parts.answers, (self.port, self.inner_port)))
                or self.has_ended()
            )
        )

    def has_ended(self) -> bool:
        """Tell whether it did; its log is shown then, by the failing test."""
        ended = self.running is not None and self.running.poll() is not None
        if ended:
            print((self.folder / "log").read_text())
        return ended

    def end(self, number: signal.Signals) -> None:
        assert self.running is not None
        self.running.send_signal(number)
        self.running.wait(parts.PATIENCE_S)

    def credential(self, user: str, *topics: str) -> str:
        """Give a sensor a login, or with topics what publishes for many."""
        password = secrets.token_hex(24)
        login = Login(user, 1, topics or (f"vp/v1/{user}/+",))
        with self.administrated() as broker:
            # others in the registry would have them as well
            foreign = broker.state().foreign | set(topics)
            put = Put(login, password, broker.hash_of(password))
            assert broker.change([put], [], foreign) == []
        return password

    def administrated(self) -> Broker:
        return administrated(self.admin_url, ca_file=self.ca_file)

    @property
    def admin_url(self) -> str:
        return self._secret("broker_admin_url")

    def url(self, user: str, password: str) -> str:
        name = user.replace("/", "%2F")
        return f"mqtts://{name}:{password}@localhost:{self.port}"

    @property
    def ingest_url(self) -> str:
        return self._secret("broker_url")

    @property
    def publish_url(self) -> str:
        return self._secret("broker_publish_url")

    def _secret(self, name: str) -> str:
        made = (self.folder / "secrets" / name).read_text().strip()
        return made.replace("broker:8884", f"localhost:{self.inner_port}")


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder `deploy` of an installation, prepared."""
    if os.geteuid() != 0:
        parts.missing(
            "deploy/prepare gives files to the containers' accounts: not root"
        )
    parts.program("openssl", package="openssl")
    with parts.reachable_directory() as directory:
        folder = directory / "deploy"
        shutil.copytree(
            parts.PROJECT / "deploy", folder, ignore=shutil.ignore_patterns("secrets")
        )
        subprocess.run([folder / "prepare", "localhost"], check=True)
        yield folder


@pytest.fixture
def deployment(folder: Path) -> Iterator[Deployment]:
    made = Deployment(folder, parts.free_port(), parts.free_port())
    data = folder / "data"
    data.mkdir()
    shutil.copy(folder / "secrets" / "broker" / "logins.json", data)
    for path in (data, data / "logins.json"):
        shutil.chown(path, ACCOUNT, ACCOUNT)
    text = (folder / "mosquitto" / "mosquitto.conf").read_text()
    for there, here in {
        # first: a port that is put in may begin with it
        "listener 1883": f"listener {parts.free_port()}",
        "listener 8883": f"listener {made.port} 127.0.0.1",
        "listener 8884": f"listener {made.inner_port} 127.0.0.1",
        "/mosquitto/secrets": str(folder / "secrets" / "broker"),
        "/mosquitto/data": str(data),
        "/usr/lib/mosquitto_dynamic_security.so": str(parts.dynamic_security()),
    }.items():
        assert there in text
        text = text.replace(there, here)
    (folder / "mosquitto.conf").write_text(text)
    try:
        made.start()
        yield made
    finally:
        made.end(signal.SIGTERM)


@contextmanager
def listening(
    deployment: Deployment, *topics: str
) -> Iterator[list[tuple[str, bytes]]]:
    """Listen as the ingest worker does, and give what arrives."""
    seen: list[tuple[str, bytes]] = []
    granted: list[object] = []

    def collect(_client: Client, _data: object, message: MQTTMessage) -> None:
        seen.append((message.topic, bytes(message.payload)))

    url = deployment.ingest_url
    made = mqtt.client(url, client_id="ingest", clean=False, ca_file=deployment.ca_file)
    made.on_message = collect
    made.on_subscribe = lambda *args: granted.append(args)
    mqtt.connect(made, url)
    made.loop_start()
    parts.wait_for(made.is_connected)
    made.subscribe([(topic, 1) for topic in topics or ("vp/v1/+/+/+",)])
    parts.wait_for(lambda: granted)
    try:
        yield seen
    finally:
        made.disconnect()
        made.loop_stop()


def test_sensor_publishes_under_its_own_topics_only(deployment: Deployment) -> None:
    user = "kaiserslautern/camera-1"
    url = deployment.url(user, deployment.credential(user))
    with (
        listening(deployment) as seen,
        mqtt.Publisher(url, "camera", ca_file=deployment.ca_file) as sensor,
    ):
        for topic in (
            "vp/v1/kaiserslautern/camera-2/counts",
            "vp/v1/landau/camera-1/counts",
            "vp/v1/kaiserslautern/camera-1",
            "vp/v1/kaiserslautern/camera-1/counts/more",
            "$SYS/broker/uptime",
            "vp/v1/kaiserslautern/camera-1/counts",
        ):
            sensor.publish(topic, topic.encode())
        sensor.flush(parts.PATIENCE_S)
        own = "vp/v1/kaiserslautern/camera-1/counts"
        parts.wait_for(lambda: (own, own.encode()) in seen)
        assert [topic for topic, _ in seen] == [own]


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "persistent"])
def test_sensor_cannot_take_over_the_session_of_ingest(
    deployment: Deployment, plain_database: str, tmp_path: Path, clean: bool
) -> None:
    """Not even with the client identifier that nobody can guess."""
    worker = working(deployment, plain_database, tmp_path)
    with connect(plain_database, autocommit=True) as connection:
        row = connection.execute("select client_id from ingest_session").fetchone()
        assert row
        user = "kusel/camera-1"
        url = deployment.url(user, deployment.credential(user))

        def take_over() -> None:
            made = mqtt.client(
                url,
                client_id=str(row[0]),
                clean=clean,
                ca_file=deployment.ca_file,
            )
            mqtt.connect(made, url)
            made.loop_start()
            parts.wait_for(made.is_connected)
            made.subscribe("vp/v1/+/+/+", qos=1)
            made.disconnect()
            made.loop_stop()

        with mqtt.Publisher(url, "camera", ca_file=deployment.ca_file) as sensor:
            publish_counts(sensor, range(10))
        parts.wait_for(lambda: stored(connection) == 20)
        take_over()
        assert worker.count_logged("broker_lost") == 0
        assert worker.end() == 0
        with mqtt.Publisher(url, "camera", ca_file=deployment.ca_file) as sensor:
            publish_counts(sensor, range(10, 210))
        take_over()
        worker.restart()
        parts.wait_for(lambda: stored(connection) == 420)
        assert worker.count_logged("session_lost") == 0
        assert worker.end() == 0


def working(
    deployment: Deployment,
    database: str,
    directory: Path,
    town: Town = TOWN,
    **settings: object,
) -> Worker:
    with connect(database) as connection:
        register(connection, town)
    worker = Worker(
        directory / "worker.log",
        database__url=database,
        database__ingest_url=parts.as_ingest(database),
        broker__url=deployment.ingest_url,
        broker__ca_file=deployment.ca_file,
        log__format="json",
        **settings,
    )
    worker.restart()
    return worker


def stored(connection: Connection) -> int:
    row = connection.execute("select count(*) from count_reading").fetchone()
    assert row
    return int(row[0])


def test_sensor_takes_no_share_of_the_messages_away(
    deployment: Deployment, plain_database: str, tmp_path: Path
) -> None:
    """Mosquitto gives a share to who may not read it: that share would be lost."""
    worker = working(deployment, plain_database, tmp_path, ingest__share="ingest")
    users = ("kusel/camera-1", "kusel/air-1")
    url, cheater_url = (
        deployment.url(user, deployment.credential(user)) for user in users
    )
    ca_file = deployment.ca_file
    cheater = mqtt.client(cheater_url, client_id="any", clean=False, ca_file=ca_file)
    seen: list[object] = []
    cheater.on_message = lambda *args: seen.append(args)
    granted: list[object] = []
    cheater.on_subscribe = lambda *args: granted.append(args)
    mqtt.connect(cheater, cheater_url)
    cheater.loop_start()
    parts.wait_for(cheater.is_connected)
    topics = ("vp/v1/+/+/+", "vp/v1/#", "#", "$SYS/#", "$share/ingest/vp/v1/+/+/+")
    cheater.subscribe([(topic, 1) for topic in topics])
    parts.wait_for(lambda: granted)
    with mqtt.Publisher(url, "camera", ca_file=ca_file) as sensor:
        publish_counts(sensor, range(100))
    with connect(plain_database, autocommit=True) as connection:
        parts.wait_for(lambda: stored(connection) == 200)
    cheater.disconnect()
    cheater.loop_stop()
    assert seen == []
    assert worker.end() == 0


def publish_counts(sensor: mqtt.Publisher, numbers: range) -> None:
    for number in numbers:
        body = {
            "time": START + timedelta(minutes=5 * number),
            "interval_s": 300,
            "counts": [{"channel": o, "classes": {"car": number}} for o in ("1", "2")],
        }
        sensor.publish(COUNTS_TOPIC, msgspec.json.encode(body))
    sensor.flush(parts.PATIENCE_S)


def test_sensor_throws_no_other_sensor_out(deployment: Deployment) -> None:
    """The broker takes the user name for the client identifier."""
    ca_file = deployment.ca_file
    urls = [
        deployment.url(user, deployment.credential(user))
        for user in ("kusel/camera-1", "kusel/air-1")
    ]
    assert not sessions_are_open(urls[0], urls[1], ca_file=ca_file)
    lost: list[object] = []
    victim = mqtt.client(urls[0], client_id="camera", clean=False, ca_file=ca_file)
    victim.on_disconnect = lambda *args: lost.append(args)
    mqtt.connect(victim, urls[0])
    victim.loop_start()
    parts.wait_for(victim.is_connected)
    for client_id in ("camera", "kusel/camera-1"):
        other = mqtt.client(urls[1], client_id=client_id, clean=True, ca_file=ca_file)
        mqtt.connect(other, urls[1])
        other.loop_start()
        parts.wait_for(other.is_connected)
        # an answer of the broker proves that it dealt with the connection before
        with mqtt.Publisher(urls[1], "other", ca_file=ca_file):
            pass
        other.disconnect()
        other.loop_stop()
    assert lost == []
    assert victim.is_connected()
    victim.disconnect()
    victim.loop_stop()


def test_network_server_writes_for_foreign_sensors_and_what_is_of_nobody_is_told(
    deployment: Deployment, plain_database: str, tmp_path: Path
) -> None:
    worker = working(deployment, plain_database, tmp_path, how_to())
    ca_file = deployment.ca_file
    (topic, payload), *_ = chirpstack_v4.EXAMPLES
    wrong = topic.replace("0101010101010101", "0101010101010102")
    url = deployment.url(
        "chirpstack", deployment.credential("chirpstack", "application/#")
    )
    with connect(plain_database, autocommit=True) as connection:
        finding = _silent(ledger.never_sent(connection))
        assert finding.state == PROBLEM
        assert ledger.senders_missing(connection)
        assert "weilerbach/wetter-1 (tele/wetter-1/+)" in finding.detail
        with mqtt.Publisher(url, "chirpstack", ca_file=ca_file) as server:
            for each in (wrong, "vp/v1/weilerbach/zaehler-1/counts", topic):
                server.publish(each, payload)
            server.flush(parts.PATIENCE_S)
        parts.wait_for(lambda: stored(connection) == 2)
        parts.wait_for(lambda: ledger.of_nobody(connection))
        (nobody,) = ledger.of_nobody(connection)
        assert (nobody.topic, nobody.messages) == (wrong, 1)
        finding = _unregistered([nobody])
        assert finding.state == PROBLEM
        assert wrong in finding.detail
        assert "zaehler-1" not in _silent(ledger.never_sent(connection)).detail
        assert ledger.prove(connection).holds
    assert worker.end() == 0


#: of an earlier version, as its script wrote it for the password `earlier`
EARLIER = (
    "$7$1000$c2FsdHNhbHRzYWx0$"
    + base64.b64encode(
        hashlib.pbkdf2_hmac("sha512", b"earlier", b"saltsaltsalt", 1000)
    ).decode()
)


@pytest.fixture
def earlier(folder: Path) -> Path:
    """The folder of an earlier version, which wrote the broker's files itself."""
    broker = folder / "secrets" / "broker"
    for gone in (broker / "logins.json", folder / "secrets" / "broker_admin_url"):
        gone.unlink()
    users = ("ingest", "publish", "kusel/camera-1", "kusel/air-1", "chirpstack")
    (broker / "users").write_text("".join(f"{user}:{EARLIER}\n" for user in users))
    (broker / "filters").write_text(
        "kusel/air-1 tele/wetter 1/+\nchirpstack application/#\n"
    )
    for name in ("broker_url", "broker_publish_url"):
        secret = folder / "secrets" / name
        secret.write_text(re.sub(":[^:@]+@", ":earlier@", secret.read_text()))
    prepared = prepare(folder, "localhost")
    assert prepared.returncode == 0, prepared.stderr
    return folder


@pytest.mark.usefixtures("earlier")
def test_what_an_earlier_version_gave_goes_on_and_is_adopted(
    request: pytest.FixtureRequest, plain_database: str
) -> None:
    deployment: Deployment = request.getfixturevalue("deployment")
    ca_file = deployment.ca_file

    def arrive() -> None:
        topics = {
            "kusel/camera-1": "vp/v1/kusel/camera-1/counts",
            "kusel/air-1": "tele/wetter 1/SENSOR",
            "chirpstack": "application/1/device/01/event/up",
        }
        with listening(deployment, "#") as seen:
            for user, topic in topics.items():
                url = deployment.url(user, "earlier")
                with mqtt.Publisher(url, "any", ca_file=ca_file) as sender:
                    sender.publish("vp/v1/landau/radar-1/counts", b"forged")
                    sender.publish(topic, b"{}")
                    sender.flush(parts.PATIENCE_S)
            parts.wait_for(lambda: len(seen) >= len(topics))
            assert {topic for topic, _ in seen} == {*topics.values()}

    arrive()
    with connect(plain_database) as connection, deployment.administrated() as broker:
        register(connection, TOWN)
        connection.commit()
        # before they are adopted nothing of them changes
        credentials.bring(connection, broker, remove_unknown=True)
        arrive()
        (other,) = doctor(plain_database, deployment)
        assert other.state == PROBLEM
        assert "chirpstack, kusel/air-1, kusel/camera-1" in other.detail
        assert credentials.adopt(connection, broker) == {
            "chirpstack": "adopted",
            "kusel/air-1": "register its topic first: tele/wetter 1/+",
            "kusel/camera-1": "adopted",
        }
        connection.execute(
            "update sensor set payload_format = 'tasmota', topic = 'tele/wetter 1/+' "
            "where key = 'air-1'"
        )
        assert credentials.adopt(connection, broker) == {"kusel/air-1": "adopted"}
        assert doctor(plain_database, deployment) == []
        credentials.bring(connection, broker, remove_unknown=True)
        arrive()
        assert credentials.revoke(connection, "kusel/camera-1") == ["kusel/camera-1"]
        credentials.bring(connection, broker)
    url = deployment.url("kusel/camera-1", "earlier")
    with pytest.raises(BrokerUnavailable, match=r"(?i)not authori[sz]ed"):
        mqtt.Publisher(url, "any", ca_file=ca_file).__enter__()


def doctor(database: str, deployment: Deployment) -> list[Finding]:
    """Return what it finds about credentials, but that all is well."""
    settings = load(
        {
            "VERKEHRSPULS_DATABASE__URL": database,
            "VERKEHRSPULS_BROKER__ADMIN_URL": deployment.admin_url,
            "VERKEHRSPULS_BROKER__CA_FILE": str(deployment.ca_file),
        }
    )
    return [one for one in _credentials(settings) if one.state != OK]


def test_doctor_tells_what_differs_at_the_broker(
    deployment: Deployment, plain_database: str
) -> None:
    deployment.credential("kusel/camera-1")
    (found,) = doctor(plain_database, deployment)
    assert found.state == PROBLEM
    assert "kusel/camera-1 is unknown to the registry" in found.detail
    assert "credential sync" in found.advice


def test_services_move_from_the_listener_of_the_sensors(
    deployment: Deployment,
) -> None:
    """Who upgrades runs `deploy/prepare` again."""
    secrets = deployment.folder / "secrets"
    for name in ("broker_url", "broker_publish_url"):
        made = (secrets / name).read_text()
        (secrets / name).write_text(made.replace(":8884", ":8883"))
        before = (secrets / name).stat()
        subprocess.run([deployment.folder / "prepare", "localhost"], check=True)
        assert (secrets / name).read_text() == made
        after = (secrets / name).stat()
        assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)


def test_secrets_of_the_roles_are_added_to_those_that_are_there(folder: Path) -> None:
    """Who upgrades from a version without roles runs `deploy/prepare` again."""
    for role in ("web", "ingest", "analytics"):
        for name in (f"database_{role}_password", f"database_{role}_url"):
            (folder / "secrets" / name).unlink()
    there = contents(folder)
    assert prepare(folder, "localhost").returncode == 0
    now = contents(folder)
    assert there.items() <= now.items()
    for role in ("web", "ingest", "analytics"):
        secret = folder / "secrets" / f"database_{role}_password"
        login = f"vp_{role}:{secret.read_text().strip()}"
        url = secret.with_name(f"database_{role}_url").read_text()
        assert url == f"postgresql://{login}@database:5432/vp\n"


def test_restore_of_an_older_backup_says_what_its_secrets_lack(folder: Path) -> None:
    shutil.copy(parts.PROJECT / "docker-compose.yml", folder.parent)
    secrets, backup = folder / "secrets", folder.parent / "backup"
    (secrets / "database_web_url").unlink()
    backup.mkdir()
    with tarfile.open(backup / "secrets.tar", "w") as tar:
        tar.add(secrets, "secrets")
    (backup / "SHA256SUMS").write_bytes(
        subprocess.run(
            ["sha256sum", "secrets.tar"], cwd=backup, check=True, capture_output=True
        ).stdout
    )
    shutil.rmtree(secrets)
    restore = subprocess.run(
        [folder / "restore", backup], capture_output=True, text=True
    )
    assert restore.returncode == 1
    assert "deploy/secrets/database_web_url is missing" in restore.stderr
    assert "deploy/prepare" in restore.stderr
    there = contents(folder)
    assert prepare(folder, "localhost").returncode == 0
    assert there.items() <= contents(folder).items()
    assert (secrets / "database_web_url").exists()


def test_web_server_publishes_for_all_sensors_and_reads_nothing(
    deployment: Deployment,
) -> None:
    url, ca_file = deployment.publish_url, deployment.ca_file
    with (
        listening(deployment) as seen,
        mqtt.Publisher(url, "web", ca_file=ca_file) as web,
    ):
        for topic in ("$SYS/broker/uptime", "vp/v1/landau/camera-1/counts"):
            web.publish(topic, b"{}")
        web.flush(parts.PATIENCE_S)
        parts.wait_for(lambda: seen)
        assert [topic for topic, _ in seen] == ["vp/v1/landau/camera-1/counts"]


def test_nobody_connects_without_a_password_that_is_right(
    deployment: Deployment,
) -> None:
    user = "kaiserslautern/camera-1"
    old = deployment.credential(user)
    new = deployment.credential(user)
    ca_file = deployment.ca_file
    with mqtt.Publisher(deployment.url(user, new), "camera", ca_file=ca_file):
        pass
    for name, password in ((user, old), (user, ""), ("ingest", new), ("other", new)):
        with pytest.raises(BrokerUnavailable, match=r"(?i)not authori[sz]ed"):
            mqtt.Publisher(
                deployment.url(name, password), "camera", ca_file=ca_file
            ).__enter__()


def test_broker_is_believed_only_by_its_certificate(deployment: Deployment) -> None:
    own = ssl.create_default_context(cafile=deployment.ca_file)
    shake_hands(deployment.port, "localhost", own)
    with pytest.raises(ssl.SSLCertVerificationError, match="issuer"):
        shake_hands(deployment.port, "localhost", ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(deployment.port, "elsewhere", own)


def test_renewed_certificate_is_believed_by_who_knows_the_old_authority(
    folder: Path, tmp_path: Path
) -> None:
    secrets = folder / "secrets"
    known = tmp_path / "ca-of-a-sensor"
    shutil.copy(secrets / "broker_ca", known)
    before = certificate(folder)
    names = ("mqtt.example.org", "192.0.2.7", "2001:db8::7")
    refused = prepare(folder, *names)
    assert refused.returncode == 1
    assert "the certificate is not for mqtt.example.org" in refused.stderr
    assert certificate(folder) == before
    assert prepare(folder, "--renew", *names).returncode == 0
    assert certificate(folder) != before
    assert (secrets / "broker_ca").read_bytes() == known.read_bytes()
    assert [(secrets / "broker" / f"server.{it}").stat().st_uid for it in CRT_KEY] == [
        ACCOUNT,
        ACCOUNT,
    ]
    checks = [("-verify_hostname", "mqtt.example.org"), ("-verify_hostname", "broker")]
    for check in (*checks, ("-verify_ip", names[1]), ("-verify_ip", names[2])):
        openssl("verify", "-CAfile", known, *check, secrets / "broker" / "server.crt")
    # the same names again need nothing
    before = certificate(folder)
    assert prepare(folder, *names).returncode == 0
    assert certificate(folder) == before


@pytest.mark.parametrize(
    ("gone", "renew", "text"),
    [
        ("broker/server.key", True, "server.crt is there, but"),
        ("broker/server.crt", False, "server.key is there, but"),
        ("broker_ca", False, "Put it back from your backup"),
        ("broker_ca.key", True, "Put the authority's key back"),
    ],
)
def test_half_of_a_pair_is_refused_and_nothing_is_changed(
    folder: Path, gone: str, renew: bool, text: str
) -> None:
    (folder / "secrets" / gone).unlink()
    there = contents(folder)
    made = prepare(folder, *["--renew"] * renew, "localhost")
    assert made.returncode == 1
    assert text in made.stderr
    assert contents(folder) == there


def test_certificate_ends_with_its_authority_at_the_latest(folder: Path) -> None:
    secrets = folder / "secrets"
    ca, key = secrets / "broker_ca", secrets / "broker_ca.key"
    subject = ("-subj", "/CN=short", "-key", key, "-out", ca)
    openssl("req", "-x509", "-new", "-days", "40", *subject)
    assert prepare(folder, "--renew", "localhost").returncode == 0
    ends = [
        openssl("x509", "-noout", "-enddate", "-in", file)
        for file in (secrets / "broker" / "server.crt", ca)
    ]
    server, authority = (
        ssl.cert_time_to_seconds(end.strip().partition("=")[2]) for end in ends
    )
    assert 0 <= authority - server < 2 * 86_400


def test_doctor_tells_thirty_days_before_that_the_certificate_ends() -> None:
    now = datetime.now(UTC)
    states = []
    for days in (-1, 29, 31):
        slot = Slot(
            slot=0,
            committed_at=now,
            served=True,
            drained=False,
            sessions_lost=0,
            session_lost_at=None,
            guessable=False,
            certificate_ends=now + timedelta(days=days),
        )
        (finding,) = _slots([slot])
        states.append(finding.state)
    assert states == [PROBLEM, PROBLEM, OK]


CRT_KEY = ("crt", "key")


def certificate(folder: Path) -> bytes:
    return (folder / "secrets" / "broker" / "server.crt").read_bytes()


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in (folder / "secrets").rglob("*") if file.is_file())
    return {str(file): file.read_bytes() for file in files}


def prepare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "prepare", *arguments], capture_output=True, text=True
    )


def openssl(*arguments: str | Path) -> str:
    program = parts.program("openssl", package="openssl")
    done = subprocess.run(
        [program, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def shake_hands(port: int, host: str, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=host),
    ):
        pass


def test_what_the_broker_saved_outlives_it(deployment: Deployment) -> None:
    user = "kaiserslautern/camera-1"
    url = deployment.url(user, deployment.credential(user))
    saved = deployment.folder / "data" / "mosquitto.db"
    expected = [b"message %03d" % number for number in range(300)]
    with listening(deployment):
        pass
    with mqtt.Publisher(url, "camera", ca_file=deployment.ca_file) as sensor:
        for payload in expected:
            sensor.publish("vp/v1/kaiserslautern/camera-1/counts", payload)
        sensor.flush(parts.PATIENCE_S)
        # it acknowledges a moment before it saves
        parts.wait_for(lambda: expected[-1] in saved.read_bytes())
        deployment.end(signal.SIGKILL)
    deployment.start()
    with listening(deployment) as seen:
        parts.wait_for(lambda: len(seen) >= len(expected))
    assert [payload for _, payload in seen] == expected


def test_broker_keeps_messages_for_a_worker_that_is_away(
    deployment: Deployment,
) -> None:
    found = probe(deployment.ingest_url, ca_file=deployment.ca_file)
    assert found is not None
    assert (found.returned, found.dropped) == (found.sent, 0)
