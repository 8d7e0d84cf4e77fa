"""Registration files on the command line: import, problems, export, and speed."""

import json
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest
from msgspec import structs
from typer.testing import CliRunner

from tests import registrations
from tests.world import TOWN
from verkehrspuls.cli import command
from verkehrspuls.model import Town
from verkehrspuls.registry import edit
from verkehrspuls.registry.files import formats, importing, load
from verkehrspuls.registry.registration import difference
from verkehrspuls.storage.database import connect

RUNNER = CliRunner()
NAMES = ("csv", "toml", "xlsx", "yaml")


def run(url: str, *arguments: str, code: int = 0) -> str:
    env = {"VERKEHRSPULS_DATABASE__URL": url}
    done = RUNNER.invoke(command.app, list(arguments), env=env)
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize("name", NAMES)
def test_an_export_is_imported_into_an_empty_installation(
    database: str, tmp_path: Path, name: str
) -> None:
    town = registrations.whole()
    file = tmp_path / f"whole.{name}"
    file.write_bytes(formats()[name].write(town))
    said = run(database, "import", "town", str(file), "--dry-run")
    assert "site s0: added" in said
    assert "[]" in run(database, "town", "list", "--json")
    assert "registered" in run(database, "import", "town", str(file))
    again = tmp_path / f"again.{name}"
    export = ("town", "export", town.key, "--format", name, "--output", str(again))
    run(database, *export)
    with connect(database) as connection:
        assert difference(edit.read(connection, town.key), town) == []
    assert "Nothing differs." in run(
        database, "import", "town", str(again), "--dry-run"
    )


def test_problems_are_listed_with_their_places(
    plain_world: str, tmp_path: Path
) -> None:
    file = tmp_path / "new.csv"
    file.write_text("Messstelle;Name der Messstelle;Tempolimit\na;A;schnell\nb;;50\n")
    listed = run(plain_world, "import", "town", str(file), "--town", TOWN.key, code=1)
    assert "line 2, column 3 (speed_limit_kmh)\tit is text" in listed
    assert "line 3, column 1 (site)\tthe field site_name is missing" in listed
    told = run(
        plain_world, "import", "town", str(file), "--town", TOWN.key, "--json", code=1
    )
    problems = json.loads(told[: told.rindex("}") + 1])["problems"]
    assert [each["pointer"] for each in problems] == [
        "/sites/0/speed_limit_kmh",
        "/sites/1/name",
    ]


def test_a_table_of_engineers_adds_to_what_is_there(
    plain_world: str, tmp_path: Path
) -> None:
    file = tmp_path / "new.csv"
    file.write_text("site,site_name\npariser-strasse,Neu\n")
    with connect(plain_world) as connection:
        before = edit.read(connection, TOWN.key)
    arguments = ("import", "town", str(file), "--town", TOWN.key, "--json")
    (change,) = json.loads(run(plain_world, *arguments))["changes"]
    assert change["after"] == {"name": "Neu"}
    with connect(plain_world) as connection:
        after = edit.read(connection, TOWN.key)
    assert after.sensors == before.sensors


def test_a_thousand_sensors_take_as_many_statements_as_one(
    plain_database: str,
) -> None:
    """How long they take says `verkehrspuls bench registration`."""
    statements: list[Any] = []

    class Noted(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **more: Any) -> Self:
            statements.append(query)
            return super().execute(query, *args, **more)

    def registered(town: Town, name: str) -> int:
        statements.clear()
        found = load.content(formats()[name].write(town), f"x.{name}")
        done = importing.import_content(connection, found, town.key)
        number = len(town.sensors)
        assert len(done.changes) == 1 + number * (1 + 2 + 1 + 2)
        return len(statements)

    with connect(plain_database) as connection:
        connection.cursor_factory = Noted
        few = registered(structs.replace(registrations.town(1), key="klein"), "csv")
        for name in NAMES:
            many = structs.replace(registrations.town(1000), key=f"viel-{name}")
            assert registered(many, name) == few > 0
