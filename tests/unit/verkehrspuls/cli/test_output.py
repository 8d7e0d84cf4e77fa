"""What is printed commands no terminal, and nobody prints around `output`."""

import ast
import io
import json
import logging
import re
import sys
from pathlib import Path

import pytest

from tests.parts import PROJECT
from verkehrspuls.cli import output
from verkehrspuls.log import ConsoleFormatter, JsonFormatter

#: each would command a terminal, break a line, or turn its direction
UNSAFE = "\x00\x07\x1b\x1c\x1f\x7f\x85\x9b\u200e\u2028\u2029\u202e\u2066\u2069\ufeff"
PACKAGES = (
    *("verkehrspuls", "api", "ingest", "analytics", "simulators", "dashboards"),
    "benchmarks",
)
#: prints for the process that started it, or is the one place
EXEMPT = {"verkehrspuls/cli/output.py", "benchmarks/ingest/publish.py"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_nothing_unsafe_is_printed(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO]
) -> None:
    out = stream()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("NO_COLOR", "1")
    hostile = f"a{UNSAFE}\tb\nc[/bold][red]"
    output.print_result(hostile)
    output.print_note(hostile)
    output.show([{"x": hostile}], ("x",))
    output.show_json({"x": hostile})
    # what the table itself makes bold
    found = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert not set(found) & set(UNSAFE)
    assert found.count("[/bold][red]") == 4


def test_json_is_the_same_value() -> None:
    value = {"x": f"ä{UNSAFE}\U0001f6b2"}
    text = output.to_json(value)
    assert json.loads(text) == value
    assert "\U0001f6b2" in text


def test_cells_and_lines_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    output.show([{"a": "1\t2\n3\r4\x1e5\u20286", "b": "x"}], ("a", "b"))
    heading, row, rest = capsys.readouterr().out.split("\n")
    assert (heading, rest) == ("a\tb", "")
    assert row == "1\\t2\\n3\\r4\\x1e5\\u20286\tx"
    assert len(row.splitlines()) == 1


@pytest.mark.parametrize("formatter", [ConsoleFormatter(), JsonFormatter()])
def test_a_log_line_is_one_safe_line(formatter: logging.Formatter) -> None:
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "INFO", "msg": "got", "topic": f"a\n{UNSAFE}b"}
    )
    line = formatter.format(record)
    assert len(line.splitlines()) == 1
    assert not set(line) & set(UNSAFE)


def modules() -> list[Path]:
    return [path for name in PACKAGES for path in (PROJECT / name).rglob("*.py")]


def test_nobody_prints_around_it() -> None:
    found = []
    for path in modules():
        name = str(path.relative_to(PROJECT))
        if name in EXEMPT:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in ("print", "typer.echo", "sys.stdout.write") or (
                called.endswith("console.print") or called == "Console().print"
            ):
                found.append(f"{name}:{node.lineno} {called}")
    assert found == []


def test_nobody_reads_a_persons_file_around_the_bound() -> None:
    """Paths of persons are read by `files`; these others are the program's own."""
    own = (
        *("stack/", "storage/", "benchmarks/", "assets.py", "text.py", "locales.py"),
        "printing.py",
        *("registry/calendar.py", "registry/clients/", "simulators/devices.py"),
        "registry/own_profiles.py",
    )
    found = []
    for path in modules():
        name = str(path.relative_to(PROJECT))
        if any(part in name for part in own) or name == "verkehrspuls/files.py":
            continue
        found += [
            f"{name}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Attribute)
            and node.attr in ("read_text", "read_bytes")
        ]
    assert found == []


def test_what_is_to_be_copied_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    site = "eifelkreis-bitburg-pruem/pegel-pruemzurlay"
    columns = ("site", "name", "measures", "status", "visibility", "last_message")
    stamp = "2026-11-28T03:03:23Z"
    output.show([dict.fromkeys(columns, stamp) | {"site": site}], columns)
    assert site in terminal.getvalue()


def test_what_has_no_room_in_a_table_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    reading = '{"car":31,"truck":2,"speed_kmh":46.5,"received_at":"2026-11-28T03:03Z"}'
    row = {"output": "1", "mapping": None, "site": "schillerplatz", "last": reading}
    columns = ("output", "mapping", "site", "last")
    output.show([row], columns, title="installations", whole=True)
    assert terminal.getvalue().splitlines() == [
        "installations",
        "  output   1",
        "  site     schillerplatz",
        f"  last     {reading}",
        "",
    ]
