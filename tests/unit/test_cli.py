import sys

import pytest

from verkehrspuls import __version__, cli
from verkehrspuls.errors import DatabaseUnavailable, FoundProblems, UsageError


@pytest.fixture(autouse=True)
def _fresh_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "analytics.commands", raising=False)


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
    assert all(name in text for name in cli.COMMANDS)
    assert "analytics.commands" not in sys.modules


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_command_of_the_table_is_there(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, name, "--help") == 0
    assert f"verkehrspuls {name}" in capsys.readouterr().out


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
