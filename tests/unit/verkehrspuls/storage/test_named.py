"""Named queries: each is used, and each that is used exists."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from verkehrspuls.classes import COUNTS
from verkehrspuls.storage.named import queries
from verkehrspuls.storage.tallies import TALLIES

ROOT = Path(__file__).parents[4]
PACKAGES = ("verkehrspuls", "ingest", "analytics", "api", "dashboards", "simulators")
QUERIES = ROOT / "verkehrspuls/storage/queries"
#: Functions whose first text is the name of a query.
RUN = frozenset(
    {
        "execute",
        "one",
        "read_frame",
        "read_columns",
        "quoted",
        "read_by_site",
        "read_record",
        "read_records",
    }
)


@cache
def trees() -> tuple[ast.Module, ...]:
    """Parse all modules that may run a query."""
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    return tuple(ast.parse(file.read_text("utf-8")) for file in files)


def patterns() -> Iterator[str]:
    """Find all texts; what is filled in of one is `*`."""
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "*"
                    for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def names_run() -> Iterator[str]:
    """Find the names that are given to a function that runs a query."""
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func
                name = getattr(called, "id", getattr(called, "attr", ""))
                texts = (
                    argument.value
                    for argument in node.args[:3]
                    if isinstance(argument, ast.Constant)
                    and isinstance(argument.value, str)
                )
                first = next(texts, "")
                # not a statement
                if name in RUN and first.isidentifier():
                    yield first
            elif (
                isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Call)
                and getattr(node.value.func, "id", "") == "queries"
                and isinstance(node.slice, ast.Constant)
            ):
                yield str(node.slice.value)


def test_each_query_is_used() -> None:
    """A query whose name is in no module is left over."""
    found = set(patterns())
    parts = [text for text in found if re.match(r"[a-z]+_[a-z_]*\*", text)]
    assert [
        name
        for name in queries()
        if name not in found and not any(fnmatchcase(name, part) for part in parts)
    ] == []


def test_each_query_that_is_run_exists() -> None:
    """A name that is run stands in a file."""
    run = set(names_run())
    assert len(run) > 200
    assert sorted(run - queries().keys()) == []


@pytest.mark.parametrize("file", sorted(QUERIES.glob("*.sql")), ids=lambda f: f.name)
def test_count_columns_are_listed_nowhere(file: Path) -> None:
    """What each count column needs is written once, between `{{` and `}}`."""
    named = {name for name in COUNTS if "_" in name or name == "unclassified"}
    assert named & set(re.findall(r"\w+", file.read_text("utf-8"))) == set()


def test_what_stands_in_braces_is_repeated_for_each_column() -> None:
    assert not [name for name, text in queries().items() if "{{" in text]
    text = queries()["read_volumes"]
    assert all(f"sum(v.{name}) end as {name}" in text for name in COUNTS)
    text = queries()["sum_ledger"]
    assert all(f"sum(l.{name})::bigint as {name}" in text for name in TALLIES)


def test_both_tables_of_readings_are_read() -> None:
    """What stands between their queries ends the braces."""
    texts = queries()
    for between, text in (
        ("union all", texts["reading_details"]),
        ("or", texts["forget_ambiguous"]),
    ):
        assert re.search(
            rf"from count_reading r\b.* {between}\n.*from environment_reading r\b",
            text,
            re.DOTALL,
        )


def test_sums_of_the_ledger_are_listed_nowhere() -> None:
    """Some queries name a few of them, and none names all."""
    texts = [file.read_text("utf-8") for file in QUERIES.glob("*.sql")]
    assert not [text for text in texts if "readings_overlapping" in text]


def test_each_part_is_shared() -> None:
    text = "".join(file.read_text("utf-8") for file in QUERIES.glob("*.sql"))
    used = Counter(re.findall(r"\{\{> (\w+)\}\}", text))
    parts = re.findall(r"^-- part: (\w+)$", text, re.MULTILINE)
    assert {part for part, times in used.items() if times > 1} == set(parts)


@pytest.mark.parametrize(
    "shared",
    [
        r"effect = 'exclude'",
        r"state in \('suspected', 'confirmed'\)",
        r"least\('2200-01-01', (lower|upper)\(",
        r"order by l\.hour desc, l\.last_received_at desc\s+limit 1\s+\) newest",
    ],
)
def test_what_is_a_view_or_function_is_not_written_out(shared: str) -> None:
    """See vp.exclusion, vp.is_open, vp.installed and vp.last_heard."""
    found = [name for name, text in queries().items() if re.search(shared, text)]
    # of all time: also what a clock that was ahead left in the future
    assert found in ([], ["newest_receipt"])
