"""Every command and every example of the documentation does what it says.

Each command is in one row of three tables: `HERE` says how it is run below, page by
page in the order of the page; `ELSEWHERE` names the test that runs it; `NOWHERE` says
why it cannot be run. What a reader puts in for himself is put in by `PUT_IN`.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import conninfo

from ingest.batch import Message
from simulators.town import load_towns
from tests import parts, people, world
from tests.acceptance.test_commands import COMMAND
from tests.cases import Finding, open_case
from tests.documented import Documented, blocks, commands
from tests.integration.test_ledger import World as Ingest
from tests.integration.test_ledger import counts
from tests.parts import logins
from verkehrspuls.access import tokens
from verkehrspuls.model import Channel, Installation, Sensor, Site, Town
from verkehrspuls.mqtt import Publisher
from verkehrspuls.registry.towns import register
from verkehrspuls.stack.postgres import PostgresServer
from verkehrspuls.storage.roles import LOGINS

NOW: Final = datetime.now(UTC).replace(microsecond=0)
TESTS: Final = parts.PROJECT / "tests"
BIN: Final = Path(sys.executable).parent
TUTORIAL: Final = "first-steps"
OWN_PARTS: Final = "connect-your-own-database"
CASES: Final = "decide-cases"
ADDRESS: Final = re.compile(r"127\.0\.0\.1:8000|curl ")


@dataclass(frozen=True, slots=True)
class Way:
    """How a command is run here: what it says, and what stops it if it goes on."""

    command: str
    #: a pattern in what it writes; for one that goes on, when it is stopped by Ctrl-C
    says: str = ""
    goes_on: bool = False
    page: str = ""
    #: the exit code that it has here
    ends_with: int = 0


#: A pattern for the whole command, and the page where it has another meaning elsewhere.
HERE: Final = (
    Way(r"export \w+=\S+"),
    Way("make help", says="make up"),
    Way(r"git clone <where you found it> \w+"),
    Way(r"cd \w+"),
    Way(r"(.* )?make up", "http://127", goes_on=True, page=OWN_PARTS),
    Way(r"verkehrspuls db migrate", "has revision"),
    Way(r"(.*/)?verkehrspuls doctor", "migrations"),
    # there are messages of nobody, to be looked at
    Way(r"(.*/)?verkehrspuls doctor", "reject replay", page=TUTORIAL, ends_with=4),
    Way(r"(.*/)?verkehrspuls site list.*", "kaiserslautern/pariser-strasse"),
    Way(r"(.*/)?verkehrspuls sensor (list|show) .*", "camera-1|radar-1"),
    Way(r"(.*/)?verkehrspuls export .*", r"_P|\.csv|\.parquet"),
    Way(r"verkehrspuls import town \S+", "registered"),
    Way(r"verkehrspuls town export .*"),
    Way(r"verkehrspuls (site|channel|sensor|installation) (set|swap) .*", "added|is "),
    Way(r"verkehrspuls import counts .*", " stored,"),
    # a simulator may have left retained messages at the broker
    Way(r"verkehrspuls import messages \S+", r"\b[1-9]\d* messages"),
    Way(r"verkehrspuls import holidays \S+", "school holidays"),
    Way(r"verkehrspuls import events \S+", "2 events"),
    Way(r"verkehrspuls replay .*", "published"),
    Way(r"verkehrspuls event list", "Altstadtfest"),
    Way(r"verkehrspuls reject count", "unknown-sensor"),
    Way(r"verkehrspuls reject list .*", "camera-1|radar-1"),
    Way(r"verkehrspuls reject show \d+", r"explanation \(de\)"),
    Way(r"verkehrspuls reject replay .*", "1"),
    Way(r"verkehrspuls ledger show .*", "kaiserslautern/camera"),
    Way(r"verkehrspuls ledger check", "readings: correct"),
    # nobody was invited on that page
    Way(r"verkehrspuls user unlink .*", "There is no user", ends_with=2),
    Way(
        r"verkehrspuls (event (add|remove) .*|token (create|list|revoke).*"
        r"|user (?!unlink).*|(sensor|site|town) (try|end|remove) .*)"
    ),
    Way(r"verkehrspuls maintenance add .*"),
    Way(r"verkehrspuls maintenance list .*", "battery"),
    Way(r"verkehrspuls case list", "Ring"),
    Way(r"verkehrspuls case (confirm|reject|assign|undo) .*"),
    Way(r"verkehrspuls audit (list|show) .*", "command"),
    Way(r"verkehrspuls audit check.*", "head"),
    Way(r"verkehrspuls audit export .*", r"audit\.jsonl: [1-9]"),
    Way(r"verkehrspuls analytics score .*"),
    Way(r"verkehrspuls simulate (register|history .*|truth .*)"),
    Way(r"verkehrspuls simulate live", "ready", goes_on=True),
    Way(r"VERKEHRSPULS_\S+ .* verkehrspuls ingest run", "ready", goes_on=True),
    Way(r"VERKEHRSPULS_\S+ verkehrspuls ingest drain .*", "is closed"),
    Way(r"mosquitto_sub .* > \w+\.ndjson", '"topic"', goes_on=True),
    Way(r"curl \S+/readings .*", '"accepted"'),
    Way(r"curl \S+/sites .*", '"ring"'),
    Way(r"curl --fail -OJ '\S+'"),
    Way(r"ogrinfo -al -so http\S+", "FeatureCollection"),
    Way(r"python -c .*outage.*", "outage_rss_mb"),
)
#: The file of the test that runs what a pattern describes.
ELSEWHERE: Final = {
    r"make up": "test_up.py",
    r"kill -9 <pid of ingest>": "test_up.py",
    r"make soak.*": "test_histories.py",
    r"verkehrspuls bench ingest.*": "test_bench.py",
    r"\.venv/bin/(pytest tests/.*|python docs/generate\.py)": "test_contributing.py",
    r"(sudo )?(docker|deploy/\w+).*": "test_compose.py",
    r"verkehrspuls credential issue \S+": "test_credentials.py",
}
#: Why a command is run by no test.
NOWHERE: Final = {
    r"git pull": "there is nothing newer than what is tested",
    r"make test": "it is what runs this",
    r"make check": "it is run before the suite, and goes on without it",
}
#: What stands for what a reader knows: patterns, and the values of `Place.known`.
PUT_IN: Final = (
    (r"<where you found it>", "{project}"),
    (r"postgresql://vp:…@db\.example\.org/vp\?sslmode=verify-full", "'{owned}'"),
    (
        r"postgresql://vp_web:…@db\.example\.org/vp\?sslmode=verify-full",
        "'{owned_web}'",
    ),
    (
        r"postgresql://vp_ingest:…@db\.example\.org/vp\?sslmode=verify-full",
        "'{owned_ingest}'",
    ),
    (
        r"postgresql://vp_analytics:…@db\.example\.org/vp\?sslmode=verify-full",
        "'{owned_analytics}'",
    ),
    (r"mqtts://ingest:…@broker\.example\.org", "{broker}"),
    (r"mqtts://simulator:…@broker\.example\.org", "{publish}"),
    (r"https?://(traffic\.example\.org|127\.0\.0\.1:8000)", "http://127.0.0.1:{port}"),
    (r"2026-11-21T20:00:00Z", "{now}"),
    (r"--from 2026-11-20", "--from {yesterday}"),
    (r"--to 2026-11-21", "--to {tomorrow}"),
    (r"mosquitto_sub -h broker\.example\b\S*", "mosquitto_sub {subscriber}"),
    (r"-t 'spBv1\.0/#'", "-t 'vp/v1/#'"),
    (r"/run/secrets/(\w+)", r"\1"),
    (r"reject show 4711", "reject show {reject}"),
    (r"audit list .*", "audit list --action municipality"),
    (r"audit show 4711", "audit show 1"),
    (r"--head [0-9a-f]{64}", ""),
    (r"vp_1a2b3c4d", "{other_token}"),
    # of the cases of `suspect`
    (r"case (\w+) 12\b", r"case \1 1"),
    (r"case reject 13 14 15", "case reject 2 3 4"),
    (r"path/to/raw", "raw"),
    # shorter
    (r"make up", "verkehrspuls up --weeks 0 --port {port}"),
    (r"history --weeks 8", "history --weeks 0"),
    (r"(ingest drain .*)", r"\1 --idle 0.3"),
    (r"outage\(600\)", "outage(1)"),
    # GDAL is not needed for anything else: what it would read is read
    (r"ogrinfo -al -so", "curl --fail --silent --show-error"),
)
#: The files that commands of a page read: a block of that page, or a text.
FILES: Final[Mapping[str, Mapping[str, str | tuple[str, int]]]] = {
    "register-sensors": {"landau.toml": ("toml", 0), "payload.json": ("json", 0)},
    "calendar": {"holidays.csv": ("csv", 0), "events.csv": ("csv", 1)},
    "anomaly-score": {
        "counts.csv": "Zeit;Zählstelle;Anzahl\n31.12.2026 23:00;Ost;1,5\n"
    },
    "replay-real-data": {
        "raw/2025-01.csv": "Datetime,100 (Promenade),100-status\n"
        "2025-01-01 00:00,3,0\n2025-01-01 00:15,4,0\n"
    },
    "be-told-of-cases": {"smtp": "secret", "webhook": "secret"},
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the commands of a page are typed."""

    folder: Path
    environment: dict[str, str]
    known: Mapping[str, Any]

    def type(self, command: Documented) -> None:
        """Run a command as the page says, and look at what it says."""
        (way,) = ways(command)
        text = self.put_in(command.text)
        if text.startswith("export "):
            # the shell takes it apart, and remembers it for the next ones
            text += "; env -0"
        output = self.folder / ".output"
        with output.open("w") as stream:
            process = subprocess.Popen(
                ["bash", "-c", text],
                cwd=self.folder,
                env=self.environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                if way.goes_on:
                    parts.wait_for(
                        lambda: (
                            process.poll() is not None
                            or re.search(way.says, self._printed(output))
                        ),
                        120,
                    )
                    if process.poll() is None:
                        os.killpg(process.pid, signal.SIGINT)
                code = process.wait(parts.PATIENCE_S)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        printed = self._printed(output)
        message = f"{command}\nas: {text}\nended with {code} and said:\n{printed}"
        assert code == way.ends_with or (
            way.goes_on and code in (130, -signal.SIGINT)
        ), message
        assert re.search(way.says, printed), message
        assert "Traceback" not in printed, message
        if text.startswith("export "):
            pairs = (one.partition("=") for one in printed.split("\0") if "=" in one)
            self.environment.update({name: value for name, _, value in pairs})

    def put_in(self, text: str) -> str:
        """Put in what a reader knows."""
        for pattern, value in PUT_IN:
            for found in set(re.finditer(pattern, text)):
                text = text.replace(
                    found[0], found.expand(value).format_map(self.known)
                )
        return text

    def _printed(self, output: Path) -> str:
        written = self.folder.glob("*.ndjson")
        return "".join(
            path.read_text("utf-8", "replace")
            for path in (output, *written)
            if path.exists()
        )


def ways(command: Documented) -> list[Way]:
    """Return the rows of `HERE` for a command; those of its page go before others."""
    found = [way for way in HERE if re.fullmatch(way.command, command.text, re.DOTALL)]
    of_page = [way for way in found if way.page and way.page in command.page]
    return of_page or [way for way in found if not way.page]


def elsewhere(command: Documented) -> list[str]:
    return [
        key
        for key in (*ELSEWHERE, *NOWHERE)
        if re.fullmatch(key, command.text, re.DOTALL)
    ]


def rows(command: Documented) -> int:
    here = ways(command)
    if here and here[0].page:
        return len(here)
    return len(here) + len(elsewhere(command))


TOWN: Final = Town(
    key="kaiserslautern",
    name="Kaiserslautern",
    state="RP",
    simulated=True,
    sites=(
        Site(
            key="ring",
            name="Ring",
            channels=(
                Channel(key="nord", name="Nord", quantity="motor"),
                Channel(key="sued", name="Süd", quantity="motor"),
            ),
        ),
    ),
    sensors=tuple(
        Sensor(
            key=key,
            name=key,
            interval_s=300,
            class_scheme="tls-8+1",
            installations=(
                Installation(
                    site="ring", channel=channel, output="1", since=world.SINCE
                ),
            ),
        )
        for key, channel in (("camera-1", "nord"), ("camera-7", "sued"))
    ),
)
COMMANDS: Final = commands()
RUN: Final = [command for command in COMMANDS if ways(command)]


def test_every_command_is_run_in_one_way() -> None:
    unclear = [f"{command} ({rows(command)} rows)" for command in COMMANDS]
    unclear = [one for one in unclear if not one.endswith("(1 rows)")]
    assert unclear == [], (
        "each command of the documentation needs one row in HERE, ELSEWHERE or NOWHERE "
        f"of {__name__}"
    )


def test_no_row_is_left_over() -> None:
    used = {way for command in COMMANDS for way in ways(command)}
    assert [way for way in HERE if way not in used] == []
    used_elsewhere = {key for command in COMMANDS for key in elsewhere(command)}
    assert {*ELSEWHERE, *NOWHERE} - used_elsewhere == set()


@pytest.mark.parametrize("name", sorted({*ELSEWHERE.values()}))
def test_test_that_runs_it_is_there(name: str) -> None:
    assert list(TESTS.rglob(name))


@pytest.mark.parametrize("target", ["up", "test", "soak", "check", "help"])
def test_make_has_what_is_documented(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target],
        cwd=parts.PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_new_command_is_noticed() -> None:
    assert rows(Documented("docs/new.md", 1, "verkehrspuls newly made")) == 0


def test_only_blocks_of_commands_are_shells() -> None:
    kinds = {block.kind for block in blocks("")}
    # of how-tos for contributors, see test_contributing.py; of proxies, test_compose.py
    others = {"html", "markdown", "po", "nginx", "caddy"}
    assert kinds - others == {"console", "toml", "json", "csv", "sql", "python", "text"}


@pytest.fixture(scope="module")
def broker() -> Iterator[parts.Broker]:
    # shared subscriptions are not in the embedded one
    with parts.broker("mosquitto") as found:
        # what a subscriber gets at once
        topic = f"vp/v1/{TOWN.key}/camera-7/status"
        with Publisher(found.publish_url, "test") as publisher:
            publisher.publish(topic, b'{"state": "online"}', retain=True)
            publisher.flush(parts.PATIENCE_S)
        yield found


@pytest.fixture
def place(
    request: pytest.FixtureRequest,
    plain_database: str,
    broker: parts.Broker,
) -> Iterator[Place]:
    """A folder with the files of a page, and all that its commands speak to."""
    page: str = request.param
    port = parts.free_port()
    at = urlsplit(broker.url)
    known: dict[str, Any] = {
        "project": parts.PROJECT,
        "broker": broker.url,
        "publish": broker.publish_url,
        "port": port,
        "yesterday": f"{NOW - timedelta(days=1):%Y-%m-%d}",
        "tomorrow": f"{NOW + timedelta(days=1):%Y-%m-%d}",
        "now": f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "subscriber": f"-h {at.hostname} -p {at.port} -u {at.username} "
        f"-P {at.password}",
    }
    with ExitStack() as stack:
        folder = stack.enter_context(parts.reachable_directory())
        environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "VERKEHRSPULS_STACK__DIRECTORY": str(folder / "state"),
        }
        if Path(page).stem == OWN_PARTS:
            known |= stack.enter_context(owned())
        else:
            known |= fill(plain_database)
            if Path(page).stem == CASES:
                suspect(plain_database)
            environment |= {
                **logins(plain_database),
                "VERKEHRSPULS_BROKER__URL": broker.url,
                "VERKEHRSPULS_BROKER__PUBLISH_URL": broker.publish_url,
                "TOKEN": known["token"],
            }
        if any(ADDRESS.search(block.text) for block in blocks("", page)):
            stack.enter_context(serving(environment, port))
        (folder / "Makefile").symlink_to(parts.PROJECT / "Makefile")
        (folder / ".venv").symlink_to(BIN.parent)
        # the project may be another account's
        (folder / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
        for name, source in FILES.get(Path(page).stem, {}).items():
            file = folder / name
            file.parent.mkdir(exist_ok=True)
            if isinstance(source, tuple):
                kind, number = source
                source = "".join(b.text for b in blocks(kind, page)[number:][:1])
            file.write_text(source, "utf-8")
        yield Place(folder, environment, known)


def fill(url: str) -> dict[str, Any]:
    """Fill a database: the simulated towns, rejected messages, two tokens."""
    with closing(Ingest(url)) as ingest:
        ingest.now = NOW
        for simulated in load_towns():
            register(ingest.connection, simulated.town)
        topic = "vp/v1/kaiserslautern/{}/counts"
        ingest.write(
            Message(topic.format("camera-1"), b"{", NOW),
            Message("vp/v1/landau/radar-1/counts", b"{", NOW),
            counts(NOW, topic=topic.format("camera-7"), at=NOW),
        )
        register(ingest.connection, TOWN)
        ingest.write(counts(NOW, topic=topic.format("camera-1"), at=NOW))
        token, other = (tokens.create(ingest.connection, TOWN.key) for _ in "12")
        # nothing says that a worker is missing
        ingest.connection.execute("delete from vp.ingest_slot")
        found = "select min(rejected_message_id) from vp.rejected_message"
        return {
            "reject": ingest.value(f"{found} where topic like '%camera-1%'"),
            "token": token,
            "other_token": other[: len("vp_1a2b3c4d")],
        }


def suspect(url: str) -> None:
    """Open four cases, and make who may decide them."""
    with people.of(url) as known:
        known.put(people.ANNE, ("planner", TOWN.key))
        with known.operator() as connection:
            for hours in range(1, 5):
                began = NOW - timedelta(hours=2 * hours)
                ended = began + timedelta(hours=1)
                open_case(connection, Finding("ring", "nord", "stuck", began, ended))


@contextmanager
def owned() -> Iterator[dict[str, str]]:
    """Start a server with roles, and make a database by the page's statements."""
    name = "vp_by_hand"
    (block,) = (one for one in blocks("sql") if Path(one.page).stem == OWN_PARTS)
    with (
        parts.reachable_directory() as directory,
        PostgresServer(directory / "data") as server,
    ):
        # as who looks after the server
        url = server._url("postgres", "postgres")
        with psycopg.connect(url, autocommit=True) as connection:
            # there is a `vp` already, and its database
            connection.execute(f"create role {name} login in role vp_shown".encode())
            for statement in re.sub(r"\bvp\b", name, block.text).split(";\n"):
                connection.execute(statement.encode())
        given = {"password": "…", "dbname": name}
        users = {role.replace("vp", "owned", 1): role for role in LOGINS}
        yield {
            key: conninfo.make_conninfo(url, user=user, **given)
            for key, user in (users | {"owned": name}).items()
        }


@contextmanager
def serving(environment: Mapping[str, str], port: int) -> Iterator[None]:
    """Serve pages and API."""
    process = subprocess.Popen(
        [COMMAND, "api", "run"],
        env={**environment, "VERKEHRSPULS_API__PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "place", sorted({command.page for command in RUN}), indirect=True
)
def test_commands_of_a_page(place: Place, request: pytest.FixtureRequest) -> None:
    for command in commands(request.node.callspec.params["place"]):
        if ways(command):
            place.type(command)
    # whatever was exported is a setting that is known, and fits the others
    done = subprocess.run(
        [COMMAND, "db", "status"], cwd=place.folder, env=place.environment
    )
    assert done.returncode == 0


PYTHON: Final = [b for b in blocks("python") if "contributing" not in b.page]


@pytest.mark.parametrize(
    ("place", "text"),
    [(block.page, block.text) for block in PYTHON],
    ids=map(str, PYTHON),
    indirect=["place"],
)
def test_python_runs(place: Place, text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", place.put_in(text)], env=place.environment
    )
    assert done.returncode == 0


def test_every_csv_is_the_file_of_a_command() -> None:
    shown = [(block.page, block.text) for block in blocks("csv")]
    used = [
        (page, blocks(source[0], page)[source[1]].text)
        for page in {page for page, _ in shown}
        for source in FILES[Path(page).stem].values()
        if isinstance(source, tuple)
    ]
    assert [one for one in shown if one not in used] == []
