"""Records have a field for each column of the queries that they are read by."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import msgspec
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


def records() -> Iterator[tuple[Callable[..., object], str]]:
    """Find the records, and functions that make one, with their queries."""
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
    plain_database: str, record: Callable[..., object], query: str
) -> None:
    with connect(plain_database) as connection:
        cursor = connection.execute(queries()[query], NullParameters())
        columns = {column.name for column in cursor.description or ()}
        connection.rollback()
    if is_dataclass(record):
        assert columns == {field.name for field in fields(record)}
    elif isinstance(record, type):
        # what is not read has a default
        given = set(getattr(record, "_field_defaults", ()))
        shape: Any = msgspec.inspect.type_info(record)
        names = {field.name for field in shape.fields}
        assert names - given <= columns <= names
    else:
        # a function refuses a column that neither it nor its record has, or that misses
        parameters = signature(record).parameters.values()
        lists = {each.name: () for each in parameters if "Sequence" in str(each)}
        assert lists.keys() <= columns
        record(**dict.fromkeys(columns - lists.keys()), **lists)
