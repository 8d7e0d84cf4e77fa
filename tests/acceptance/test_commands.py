import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.parts import PATIENCE_S, Databases
from verkehrspuls.errors import StackFailed

COMMAND = Path(sys.executable).with_name("verkehrspuls")


def run(
    directory: Path, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder, with these settings."""
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        cwd=directory,
        env={**os.environ, **settings},
        timeout=PATIENCE_S,
        check=False,
    )


def test_help_takes_little_time(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(tmp_path, "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    record_property("cpu_s", spent)
    assert done.returncode == 0
    # 0.3 s is what is promised; a machine under load needs more for the same
    assert spent < 0.9


def test_output_is_plain_where_no_terminal_is(tmp_path: Path) -> None:
    for arguments in (("--help",), ("up", "--help"), ("doctor",)):
        assert "\x1b" not in run(tmp_path, *arguments).stdout


def test_doctor_finds_nothing_wrong_where_nothing_runs(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", "--json", VERKEHRSPULS_STACK__DIRECTORY="state")
    findings = {one["part"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 0
    assert findings["up"]["state"] == "off"
    assert findings["database"]["advice"].startswith("Start it with `make up`")
    assert str(tmp_path / "state") in findings["data"]["detail"]


def test_doctor_names_the_parts_of_a_database_that_is_set(
    tmp_path: Path, database: str
) -> None:
    done = run(tmp_path, "doctor", "--json", VERKEHRSPULS_DATABASE__URL=database)
    findings = {one["part"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 0
    assert findings["database"]["version"]
    assert findings["migrations"]["state"] == "ok"
    assert findings["storage edition"]["version"] in (
        "plain",
        "timescale-apache",
        "timescale-community",
    )


#: settings of the containers of docker-compose.yml, which have no embedded parts
CONTAINERS = (
    ("broker__url",),
    ("broker__publish_url",),
    (),
)


@pytest.mark.parametrize("brokers", CONTAINERS, ids=["ingest", "api", "analytics"])
def test_doctor_misses_no_embedded_parts_where_a_database_is_set(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plain_database: str,
    brokers: tuple[str, ...],
) -> None:
    from verkehrspuls.settings import load
    from verkehrspuls.stack import binaries, checks

    def none(*_: object) -> Path:
        raise StackFailed(part="database", reason="the wheel is missing")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(binaries, "postgres_binaries", none)
    monkeypatch.setattr(binaries, "broker_binary", none)
    given = {f"VERKEHRSPULS_{name}".upper(): "mqtt://127.0.0.1:1" for name in brokers}
    given["VERKEHRSPULS_DATABASE__URL"] = plain_database
    findings = checks.examine(load(given))
    wrong = {one.part for one in findings if one.state == checks.PROBLEM}
    assert wrong <= {"broker, receiving", "broker, publishing"}
    assert not {"up", "data"} & {one.part for one in findings}
    # where nothing is set they are needed
    assert checks.PROBLEM in {
        one.state for one in checks.examine(load({})) if one.part == "embedded parts"
    }


def test_doctor_says_what_to_do_and_ends_with_4(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "doctor",
        VERKEHRSPULS_DATABASE__URL="postgresql://nobody@127.0.0.1:1/none",
        VERKEHRSPULS_BROKER__URL="mqtt://a:b@127.0.0.1:1",
    )
    assert done.returncode == 4
    assert "check VERKEHRSPULS_DATABASE__URL" in done.stdout
    assert "check VERKEHRSPULS_BROKER__URL" in done.stdout
    assert "Problems were found: 2" in done.stderr


def test_status_of_the_database_is_told(tmp_path: Path, plain_database: str) -> None:
    done = run(
        tmp_path, "db", "status", "--json", VERKEHRSPULS_DATABASE__URL=plain_database
    )
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["current"] == found["needed"]


def test_migration_is_safe_to_repeat(tmp_path: Path, plain_database: str) -> None:
    done = run(tmp_path, "db", "migrate", VERKEHRSPULS_DATABASE__URL=plain_database)
    assert done.returncode == 0
    assert "already" in done.stdout


def test_command_without_a_database_says_how_to_get_one(tmp_path: Path) -> None:
    done = run(tmp_path, "db", "status", VERKEHRSPULS_STACK__DIRECTORY="state")
    assert done.returncode == 3
    assert "make up" in done.stderr


def test_web_server_without_a_database_says_how_to_get_one(tmp_path: Path) -> None:
    done = run(
        tmp_path, "api", "run", "--port", "0", VERKEHRSPULS_STACK__DIRECTORY="state"
    )
    assert done.returncode == 3
    assert "make up" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def bare(_plain: Databases) -> Iterator[str]:
    """An empty database in which nobody may make anything."""
    with _plain.fresh(migrated=False) as url:
        with psycopg.connect(url, autocommit=True) as owner:
            name = sql.Identifier(owner.info.dbname)
            owner.execute(
                sql.SQL("revoke create on database {} from current_user").format(name)
            )
        yield url


def test_role_without_rights_is_told_what_it_needs(tmp_path: Path, bare: str) -> None:
    done = run(tmp_path, "db", "migrate", VERKEHRSPULS_DATABASE__URL=bare)
    assert done.returncode == 2
    assert "permission denied" in done.stderr
    assert "the database's owner" in done.stderr
    assert "Traceback" not in done.stderr


def test_database_that_was_never_migrated_is_told(tmp_path: Path, bare: str) -> None:
    for command in (("site", "list"), ("ledger", "show"), ("reject", "count")):
        done = run(tmp_path, *command, VERKEHRSPULS_DATABASE__URL=bare)
        assert done.returncode == 3
        assert "verkehrspuls db migrate" in done.stderr
        assert "Traceback" not in done.stderr


def test_unknown_setting_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    done = run(tmp_path, "db", "status", VERKEHRSPULS_DATABSE__URL="x")
    assert done.returncode == 2
    assert "VERKEHRSPULS_DATABASE__URL" in done.stderr
    assert "Traceback" not in done.stderr
