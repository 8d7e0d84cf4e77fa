"""As whom a process is named to the database."""

import json
from collections.abc import Iterator

import pytest

from verkehrspuls.storage import origin


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(origin, "_process", {"kind": "command"})
    origin._user.cache_clear()
    yield
    origin._user.cache_clear()


def said() -> dict[str, str]:
    """Return what libpq reads of the option."""
    text = origin.option().removeprefix("-c vp.origin=")
    assert " " not in text.replace("\\ ", "")
    named: dict[str, str] = json.loads(text.replace("\\ ", " ").replace("\\\\", "\\"))
    return named


def test_command_is_named_by_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: 'a\\ "b" ä')
    origin.name("site remove")
    assert said()["via"] == "site remove"
    assert said()["host"] == 'a\\ "b" ä'
    assert said()["kind"] == "command"
    origin.serve()
    assert said()["kind"] == "system"


def test_person_behind_sudo_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    monkeypatch.setattr("os.getuid", lambda: 0)
    assert said()["user"] == "root for ada"


def test_nobody_but_root_names_a_person_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    monkeypatch.setattr("os.getuid", lambda: 1)
    assert "ada" not in said()["user"]


def test_account_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    assert said()["user"] == "4000000"
