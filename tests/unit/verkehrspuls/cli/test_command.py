import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from verkehrspuls import __version__
from verkehrspuls.cli import command as cli
from verkehrspuls.errors import DatabaseUnavailable, FoundProblems, UsageError


@pytest.fixture(autouse=True)
def _fresh_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "analytics.commands.analytics", raising=False)


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["verkehrspuls", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    assert isinstance(code, int)
    return code


def test_help_loads_no_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, "--help") == 0
    text = capsys.readouterr().out
    assert all(name in text for name in cli.nouns())
    assert "analytics.commands.analytics" not in sys.modules


@pytest.mark.parametrize("name", cli.nouns())
def test_command_of_the_table_is_there(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, name, "--help") == 0
    assert f"verkehrspuls {name}" in capsys.readouterr().out


def test_command_that_is_not_installed_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = {key: one for key, one in cli.nouns().items() if key != "bench"}
    monkeypatch.setattr(cli, "nouns", lambda: installed)
    assert exit_code(monkeypatch, "bench", "ingest") == 2
    assert "runs from a checkout" in capsys.readouterr().err


def test_file_is_a_command_with_its_first_line_as_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = tmp_path / "fleet" / "commands"
    commands.mkdir(parents=True)
    (commands / "gauge.py").write_text(
        '"""Read the gauges."""\n\n'
        "def command() -> None:\n"
        '    """Read all gauges of the fleet."""\n'
        '    print("12 gauges")\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cli, "PACKAGES", (*cli.PACKAGES, "fleet"))
    monkeypatch.setattr(cli, "nouns", cli.nouns.__wrapped__)
    assert list(cli.nouns()) == [*cli.ORDER, "gauge"]
    app = typer.Typer(cls=cli.LazyGroup)
    app.callback()(lambda: None)
    monkeypatch.setattr(cli, "app", get_command(app))
    assert exit_code(monkeypatch, "--help") == 0
    assert "Read the gauges." in capsys.readouterr().out
    assert "fleet" not in sys.modules
    assert exit_code(monkeypatch, "gauge") == 0
    assert capsys.readouterr().out == "12 gauges\n"


def test_version_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"verkehrspuls {__version__}\n"


def test_unknown_command_is_a_usage_error_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, "doktor") == 2
    assert "doctor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError(reason="so"), 2),
        (DatabaseUnavailable(reason="so"), 3),
        (FoundProblems(count=1), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_error_becomes_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    assert exit_code(monkeypatch) == code


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("analytics score {file} -o {folder}/nowhere/o.csv", 2, "cannot be written"),
        ("analytics score {folder}/none.csv", 2, "No such file"),
        ("import town {latin}", 2, "cannot be read as a registration"),
        ("bench ingest --messages -3", 2, "--messages"),
        ("reject list --limit 0", 2, "'--limit': it must be 1 at least."),
        ("up --port 99999", 2, "'--port': it must be 65535 at most."),
        ("up --port x", 2, "'--port': it is not a whole number."),
        (
            "replay {file} --format generic --speed x",
            *(2, "'--speed': it is not a number."),
        ),
        ("import town /nowhere", 2, "there is no file or folder /nowhere."),
        ("import messages {folder}", 2, "is a folder; give a file."),
        ("sensor try /nowhere --topic x", 2, "there is no file /nowhere."),
        (
            "import counts {file} --format generik",
            *(2, "there is no generik; did you mean 'generic'?"),
        ),
    ],
)
def test_wrong_call_is_told_in_a_line(
    arguments: str,
    code: int,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, latin = tmp_path / "f.csv", tmp_path / "latin.toml"
    file.write_text("time,value\n2026-03-01,1\n")
    latin.write_bytes('name = "Straße"'.encode("latin-1"))
    words = arguments.format(file=file, folder=tmp_path, latin=latin).split()
    assert exit_code(monkeypatch, *words) == code
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("url", ["nonsense", "mysql://x", "postgresql://[::1"])
def test_url_that_cannot_be_read_is_told_without_a_traceback(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", url)
    assert exit_code(monkeypatch, "site", "list") == 3
    assert "check VERKEHRSPULS_DATABASE__URL" in capsys.readouterr().err


def test_output_that_cannot_be_written_is_told_in_a_line() -> None:
    command = [sys.executable, "-m", "verkehrspuls", "--help"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "verkehrspuls: The operating system refused to read or write: "
        "No space left on device.\n"
    )


def test_talk_that_cannot_be_written_changes_nothing() -> None:
    command = [sys.executable, "-m", "verkehrspuls", "doktor"]
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run(command, stderr=full).returncode == 2
