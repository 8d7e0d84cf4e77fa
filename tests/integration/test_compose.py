"""The production file set in a Docker engine, by the commands of its how-to.

All of them run, in the order of the page and as they stand there, in a clone of what is
committed; between them messages are sent, and what takes part is killed.
"""

import json
import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import httpx2
import polars as pl
import pytest

from tests import documented, parts
from verkehrspuls import mqtt
from verkehrspuls.stack import process

PRODUCTION = "docs/how-to/run-in-production.md"
REGISTER = "docs/how-to/register-sensors.md"
SCALE = "docs/how-to/scale-ingest.md"
UPGRADE = "docs/how-to/upgrade.md"
BACKUPS = "/var/backups/verkehrspuls"
SENSOR = "landau/radar-1"
TOPIC = f"vp/v1/{SENSOR}/counts"
#: of the day before yesterday: complete, and not too old to be taken
FIRST: Final = datetime.now(UTC).replace(
    hour=0, minute=0, second=0, microsecond=0
) - timedelta(days=2)
#: commands that are for a clone with a remote, or that go on for ever
CHANGED = {
    "git pull": "",
    " --follow": "",
    "mqtt.example.org": "localhost",
}


@dataclass
class Installation:
    """A clone, with free ports and with names of its own in the engine."""

    folder: Path
    broker_port: int = field(default_factory=parts.free_port)
    web_port: int = field(default_factory=parts.free_port)
    name: str = field(default_factory=lambda: f"vp-{secrets.token_hex(4)}")
    sent: int = 0
    user: str = SENSOR
    password: str = ""

    def __post_init__(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=parts.PROJECT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (source := parts.PROJECT / name).is_file():
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        # the network of the host: where packages come from is known there only
        built = "build: {network: host}"
        (self.folder / "override.yml").write_text(
            "services:\n"
            f"  migrate: {{{built}}}\n"
            f"  ingest: {{{built}}}\n"
            f"  analytics: {{{built}}}\n"
            f"  broker: {{ports: !override ['127.0.0.1:{self.broker_port}:8883']}}\n"
            f"  api: {{{built}, ports: !override ['127.0.0.1:{self.web_port}:8000']}}\n"
        )

    def run(self, command: str, *, fails: bool = False) -> str:
        """Run a command as a shell would, in the clone, as the root we are."""
        for before, after in {**CHANGED, BACKUPS: str(self.folder / "backups")}.items():
            command = command.replace(before, after)
        done = subprocess.run(
            ["bash", "-c", command.removeprefix("sudo ")],
            cwd=self.folder,
            env={
                **os.environ,
                "COMPOSE_PROJECT_NAME": self.name,
                "COMPOSE_FILE": "docker-compose.yml:override.yml",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        assert (done.returncode != 0) == fails, f"{command}\n{done.stdout}{done.stderr}"
        return done.stderr if fails else done.stdout

    def kill(self, service: str) -> None:
        """End a service's first process, as the kernel or a power cut would."""
        container = self.run(f"docker compose ps --quiet {service}").strip()
        ask = f"docker inspect --format '{{{{.State.Pid}}}}' {container}"
        pid = int(self.run(ask))
        os.kill(pid, signal.SIGKILL)
        # the engine starts it again by itself
        parts.wait_for(lambda: int(self.run(ask)) not in (0, pid), every=0.2)

    def send(self, count: int) -> bytes:
        """Send that many messages as the sensor, all acknowledged; return the last."""
        user = self.user.replace("/", "%2F")
        url = f"mqtts://{user}:{self.password}@localhost:{self.broker_port}"
        ca_file = self.folder / "deploy" / "secrets" / "broker_ca"
        payload = b""
        with mqtt.Publisher(url, "radar", ca_file=ca_file) as sensor:
            for _ in range(count):
                time = FIRST + timedelta(minutes=5 * self.sent)
                counts = [
                    {"channel": channel, "classes": {"car": self.sent % 7 + more}}
                    for channel, more in (("1", 0), ("2", 3))
                ]
                payload = json.dumps(
                    {"time": time.isoformat(), "interval_s": 300, "counts": counts}
                ).encode()
                sensor.publish(TOPIC, payload)
                self.sent += 1
            sensor.flush()
        return payload

    def leave_at_broker(self, count: int) -> None:
        """Send messages while no worker is there, until the broker has saved them."""
        self.run("docker compose kill ingest")
        last = self.send(count).decode()
        saved = "docker compose exec --no-TTY broker cat /mosquitto/data/mosquitto.db"
        parts.wait_for(lambda: last in self.run(saved), every=0.2)

    def ask(self, statement: str) -> str:
        """Ask the database."""
        options = "--dbname vp --tuples-only --no-align --command"
        return self.run(f'deploy/in-database psql {options} "{statement}"').strip()

    def all_stored(self) -> bool:
        """Tell whether each message that was acknowledged is there, with its counts."""
        found = self.ask(
            "select count(*), count(distinct time) from vp.count_reading"
        ).split("|")
        return found == [str(2 * self.sent), str(self.sent)]

    def figures(self) -> str:
        """Return the figures of the first hours, once all are computed.

        Whether their channels are in order is judged later, and left out.
        """
        stale = "select count(*) from vp.stale_bucket"
        parts.wait_for(lambda: self.ask(stale) == "0", every=0.3)
        until = FIRST + timedelta(hours=8)
        period = f"from={FIRST:%Y-%m-%dT%H:%MZ}&to={until:%Y-%m-%dT%H:%MZ}"
        path = f"/api/v1/sites/landau/ostring/series.csv?{period}&bin=PT1H"
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return pl.read_csv(answer.content).drop("health").write_csv()

    def get(self, path: str) -> httpx2.Response:
        """Ask the web server without a proxy, once it answers."""

        def answer() -> httpx2.Response | None:
            try:
                return httpx2.get(
                    f"http://127.0.0.1:{self.web_port}{path}", timeout=parts.PATIENCE_S
                )
            except httpx2.TransportError:
                return None

        return parts.wait_for(answer, every=0.3)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    if os.geteuid() != 0:
        parts.missing("deploy/prepare gives files to the containers' accounts: no root")
    parts.docker("compose", "version")
    made = Installation(tmp_path)
    try:
        yield made
    finally:
        made.run("docker compose down --volumes --timeout 5")


def block(page: str, language: str) -> str:
    """Return the first block of a page in a language."""
    text = (parts.PROJECT / page).read_text("utf-8")
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{page} has no block of {language}"
    return found[1]


@pytest.mark.longest
def test_every_command_of_the_how_to_in_its_order(installation: Installation) -> None:
    it = installation
    figures = ""
    ran = set()
    for command in documented.commands(PRODUCTION):
        name = command.text.removeprefix("sudo ").split(" /var/")[0]
        if name == "deploy/backup":
            # some messages wait at the broker, the rest is figures
            figures = it.figures()
            it.leave_at_broker(24)
        if name == "deploy/restore":
            it.run("docker compose down --volumes")
            nothing_half_is_written_or_read(it)
            shutil.rmtree(it.folder / "deploy" / "secrets")
        if name == "deploy/restore --replace":
            nothing_is_replaced_by_a_half(it)
        it.run(command.text)
        ran.add(name)
        if name == "docker compose ps":
            register(it)
            messages_outlive_everything(it)
            through_proxies(it)
            session_gets_a_new_name(it)
            (it.folder / ".env").write_text(block(UPGRADE, "text"))
            # doctor is in the network of the broker, whose messages it tries
            invited, _ = (it.run(one.text) for one in documented.commands(UPGRADE))
            assert "https://traffic.example.org/de/link/" in invited
        if name.startswith("docker compose up") and "deploy/backup" in ran:
            parts.wait_for(it.all_stored, every=0.3)
            it.run("docker compose run --rm operator ledger check")
            assert it.figures() == figures
            refused = it.run(f"deploy/restore {BACKUPS}/2026-11-28", fails=True)
            assert "nothing was restored" in refused
            # what waits is not in the backup's database
            if name == "docker compose up --detach --build":
                it.sent -= 24
    assert ran >= {"deploy/backup", "deploy/restore", "deploy/restore --replace"}
    assert len(figures.splitlines()) > 8


def register(it: Installation) -> None:
    """Register the how-to's town and hand out its sensor's credential."""
    (it.folder / "landau.toml").write_text(block(REGISTER, "toml"))
    for command in documented.commands(REGISTER):
        if command.text.startswith("sudo "):  # others: the same without containers
            it.run(command.text)
    # the page has revoked the one that it made
    operator = "docker compose run --rm operator credential"
    assert " valid " not in it.run(f"{operator} list --municipality landau")
    (issued,) = json.loads(it.run(f"{operator} issue {SENSOR} --json"))
    it.user, it.password = issued["user"], issued["password"]


def messages_outlive_everything(it: Installation) -> None:
    """Kill what takes part, while messages come and while they wait."""
    it.send(48)
    it.kill("ingest")
    it.send(24)
    parts.wait_for(it.all_stored, every=0.3)
    it.leave_at_broker(48)
    it.kill("broker")
    it.kill("database")
    it.run("docker compose start ingest")
    parts.wait_for(it.all_stored, every=0.3)


def session_gets_a_new_name(it: Installation) -> None:
    """Move ingest to another slot and back, while messages come."""
    before = it.ask("select client_id from vp.ingest_session where slot = 0")
    for command in documented.commands(SCALE):
        if command.text.startswith("sudo docker"):
            it.run(command.text.replace("ingest-1", f"{it.name}-second"))
            it.send(2)
    parts.wait_for(it.all_stored, every=0.3)
    now = it.ask("select client_id from vp.ingest_session where slot = 0")
    assert now.startswith("verkehrspuls-ingest-0-")
    assert now != before


def nothing_half_is_written_or_read(it: Installation) -> None:
    """Back up a database that is away, and restore a backup that was cut short."""
    it.run(f"deploy/backup {BACKUPS}/empty", fails=True)
    backups = it.folder / "backups"
    assert [folder.name for folder in backups.iterdir()] == ["2026-11-28"]
    cut = backups / "cut"
    shutil.copytree(backups / "2026-11-28", cut)
    with (cut / "vp.dump").open("r+b") as dump:
        dump.truncate(dump.seek(0, os.SEEK_END) - 100)
    assert "is damaged" in it.run(f"deploy/restore {BACKUPS}/cut", fails=True)
    assert not it.run("docker compose ps --quiet database")
    shutil.rmtree(cut)


def nothing_is_replaced_by_a_half(it: Installation) -> None:
    """Restore what cannot be, over a database that is whole."""
    bad = it.folder / "backups" / "bad"
    shutil.copytree(bad.with_name("2026-11-28"), bad)
    (bad / "vp.dump").write_bytes((bad / "vp.dump").read_bytes()[:-5000])
    it.run(f"cd {bad} && sha256sum vp.dump vp.list timescaledb_version > SHA256SUMS")
    printed = it.run(f"deploy/restore --replace {BACKUPS}/bad", fails=True)
    assert "the database is as it was" in printed
    it.run("docker compose up --detach --wait api")
    it.run("docker compose run --rm operator ledger check")
    assert it.ask("select count(*) from vp.count_reading") != "0"


def through_proxies(it: Installation) -> None:
    """Run the how-to's proxies in front of the web server."""
    nginx = parts.program("nginx", package="nginx")
    caddy = parts.program("caddy", package="caddy")
    folder = it.folder / "proxies"
    folder.mkdir()
    certificate, key = folder / "localhost.pem", folder / "localhost.key"
    it.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost "
        f"-keyout {key} -out {certificate}"
    )
    ports = [parts.free_port() for _ in range(2)]
    servers = folder / "nginx.conf"
    there = block(PRODUCTION, "nginx")
    for before, after in {
        "443": f"127.0.0.1:{ports[0]}",
        "/etc/ssl/traffic.example.org.pem": str(certificate),
        "/etc/ssl/traffic.example.org.key": str(key),
        "127.0.0.1:8000": f"127.0.0.1:{it.web_port}",
    }.items():
        assert before in there
        there = there.replace(before, after)
    servers.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {folder};\n"
        f"proxy_temp_path {folder};\n{there}}}\n"
    )
    sites = folder / "Caddyfile"
    sites.write_text(
        "{\nadmin off\nauto_https disable_redirects\n}\n"
        + block(PRODUCTION, "caddy")
        .replace(
            "traffic.example.org {",
            f"https://localhost:{ports[1]} {{\ntls {certificate} {key}",
        )
        .replace("127.0.0.1:8000", f"127.0.0.1:{it.web_port}")
    )
    trusting = ssl.create_default_context(cafile=certificate)
    with ExitStack() as stack:
        web = stack.enter_context(
            httpx2.Client(verify=trusting, timeout=parts.PATIENCE_S)
        )
        for port, command in zip(
            ports,
            (
                [nginx, "-e", "stderr", "-c", str(servers)],
                [caddy, "run", "--config", str(sites), "--adapter", "caddyfile"],
            ),
            strict=True,
        ):
            log = stack.enter_context((folder / "log").open("ab"))
            proxy = process.leashed(command, when_left=signal.SIGTERM, output=log)
            stack.callback(proxy.wait, parts.PATIENCE_S)
            stack.callback(proxy.send_signal, signal.SIGTERM)
            parts.wait_for(partial(parts.answers, port))
            for path, status, location in (
                ("/", 302, "/de/"),
                ("/de", 307, "/de/"),
                ("/de/", 200, None),
                ("/metrics", 403, None),
            ):
                answer = web.get(f"https://localhost:{port}{path}")
                assert answer.status_code == status, (command[0], path)
                assert answer.headers.get("location") == location
                if status != 403:
                    assert "strict-transport-security" in answer.headers
    assert "strict-transport-security" not in it.get("/de/").headers
