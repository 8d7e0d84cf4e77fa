"""Records have a field for each column of the queries that they are read by."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from verkehrspuls.storage.database import connect
from verkehrspuls.storage.named import queries

ROOT = Path(__file__).parents[2]
PACKAGES = ("verkehrspuls", "ingest", "analytics", "api", "dashboards", "simulators")
READERS = ("read_records", "read_record", "records")


class NullParameters(dict[str, None]):
    """Any parameter, without a value."""

    def __missing__(self, key: str) -> None:
        return None


def records() -> Iterator[tuple[type, str]]:
    """Find the records that are read, with their queries."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            text = file.read_text("utf-8")
            if not any(reader in text for reader in READERS):
                continue
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(text)):
                if not isinstance(node, ast.Call):
                    continue
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                named = [arg for arg in node.args if isinstance(arg, ast.Constant)]
                if called not in READERS or not named:
                    continue
                record = node.args[node.args.index(named[0]) - 1]
                assert isinstance(record, ast.Name)
                yield getattr(import_module(name), record.id), str(named[0].value)


FOUND = list(records())


def test_records_are_found() -> None:
    assert len(FOUND) > 10


@pytest.mark.parametrize(("record", "query"), FOUND)
def test_record_has_the_columns_of_its_query(
    plain_database: str, record: type, query: str
) -> None:
    with connect(plain_database) as connection:
        cursor = connection.execute(queries()[query], NullParameters())
        columns = {column.name for column in cursor.description or ()}
        connection.rollback()
    assert columns == {field.name for field in fields(record)}
