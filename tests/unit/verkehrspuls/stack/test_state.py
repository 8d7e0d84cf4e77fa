import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from verkehrspuls.errors import (
    BrokerUnavailable,
    DatabaseUnavailable,
    StackFailed,
    StateGone,
)
from verkehrspuls.settings import Broker, Database, Settings, Stack
from verkehrspuls.stack import state
from verkehrspuls.stack.account import Account, own_account, shared_with

RUNNING = state.Running(
    pid=4711,
    since=datetime(2026, 11, 21, 20, tzinfo=UTC),
    database_url="postgresql://a",
    broker_url="mqtt://b",
    publish_url="mqtt://c",
    address="http://127.0.0.1:8000/",
    parts=(state.PartState(name="api", pid=1, restarts=0, answers=True),),
)


def settings_of(directory: Path, **sections: object) -> Settings:
    return Settings.model_validate({"stack": Stack(directory=directory), **sections})


def test_urls_of_what_runs_are_filled_in(tmp_path: Path) -> None:
    state.make_directory(tmp_path)
    with state.locked(tmp_path):
        state.write_running(tmp_path, RUNNING)
        found = state.resolve(settings_of(tmp_path), broker=True)
    assert found.database.url.get_secret_value() == "postgresql://a"
    assert found.broker.url.get_secret_value() == "mqtt://b"
    assert found.broker.publish_url.get_secret_value() == "mqtt://c"


def test_url_that_is_set_wins(tmp_path: Path) -> None:
    state.make_directory(tmp_path)
    mine = Broker(url=SecretStr("mqtt://mine"))
    with state.locked(tmp_path):
        state.write_running(tmp_path, RUNNING)
        found = state.resolve(settings_of(tmp_path, broker=mine))
    assert found.database.url.get_secret_value() == "postgresql://a"
    assert found.broker == mine


def test_what_a_killed_one_left_is_not_taken_for_running(tmp_path: Path) -> None:
    state.make_directory(tmp_path)
    state.write_running(tmp_path, RUNNING)
    (tmp_path / "lock").touch()
    assert state.read_running(tmp_path) is None
    with pytest.raises(DatabaseUnavailable, match="none runs"):
        state.resolve(settings_of(tmp_path))


def test_missing_broker_is_said(tmp_path: Path) -> None:
    database = Database(url=SecretStr("postgresql://mine"))
    with pytest.raises(BrokerUnavailable):
        state.resolve(settings_of(tmp_path, database=database), broker=True)


def test_second_one_is_told_who_runs(tmp_path: Path) -> None:
    state.make_directory(tmp_path)
    with state.locked(tmp_path):
        state.write_running(tmp_path, RUNNING)
        with (
            pytest.raises(StackFailed, match=r"pid 4711.*127\.0\.0\.1:8000"),
            state.locked(tmp_path),
        ):
            pass
    with state.locked(tmp_path):
        assert not (tmp_path / "running.json").exists()


def test_passwords_are_for_the_owner_only(tmp_path: Path) -> None:
    state.make_directory(tmp_path)
    state.write_running(tmp_path, RUNNING)
    assert (tmp_path / "running.json").stat().st_mode & 0o777 == 0o600
    assert tmp_path.stat().st_mode & 0o777 == 0o711


def test_ordinary_user_keeps_data_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert state.state_directory(Settings(), project=tmp_path) == (
        tmp_path / ".verkehrspuls"
    )


def test_root_keeps_data_where_the_account_reaches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(name="somebody", uid=54321, gid=54321)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(state, "server_account", lambda *_, **__: account)
    closed, project = tmp_path / "closed", tmp_path / "closed" / "project"
    project.mkdir(parents=True)
    monkeypatch.setattr(Account, "reaches", lambda *_: True)
    assert state.state_directory(Settings(), project=project).parent == project
    monkeypatch.setattr(Account, "reaches", lambda *_: False)
    found = state.state_directory(Settings(), project=project)
    assert found.parent == Path("/var/lib/verkehrspuls")
    assert found != state.state_directory(Settings(), project=closed)


def test_account_reaches_through_open_folders_only(tmp_path: Path) -> None:
    account = Account(name="somebody", uid=54321, gid=54321)
    target = tmp_path / "a" / "b"
    target.mkdir(parents=True)
    closed = [
        folder
        for folder in target.parents
        if not account.may(folder, 1)  # where the tests' own folder is closed
    ]
    assert account.reaches(target) is (not closed)
    (tmp_path / "a").chmod(0o700)
    assert not account.reaches(target)
    (tmp_path / "a").chmod(0o711)
    assert account.may(tmp_path / "a", 1)
    assert not account.may(tmp_path / "a", 4)


def test_account_that_others_use_is_named() -> None:
    nobody = Account(name="nobody", uid=65534, gid=65534)
    assert "other programs" in shared_with(nobody)
    alone = Account(name="verkehrspuls", uid=54321, gid=54321)
    assert shared_with(alone) == ""
    mine = Account(name="ada", uid=os.geteuid(), gid=os.getegid())
    assert "processes" in shared_with(mine)
    assert "chown --recursive verkehrspuls: /d/postgres" in own_account(Path("/d"))


def test_directory_that_is_removed_meanwhile_is_noticed(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    state.make_directory(directory)
    with state.locked(directory) as require:
        require()
        moved = directory.rename(tmp_path / "moved")
        with pytest.raises(StateGone):
            require()
        state.make_directory(directory)
        (directory / "lock").touch()
        with pytest.raises(StateGone):
            require()
    assert moved.is_dir()


def test_what_a_killed_one_told_is_gone_before_the_next_one_tells(
    tmp_path: Path,
) -> None:
    state.make_directory(tmp_path)
    state.write_running(tmp_path, RUNNING)
    with state.locked(tmp_path):
        assert state.read_running(tmp_path) is None


def test_half_of_what_runs_is_told_in_a_line(tmp_path: Path) -> None:
    state.make_directory(tmp_path)
    with state.locked(tmp_path):
        for text in ("", '{"pid": 4711', '{"pid": "x"}'):
            (tmp_path / "running.json").write_text(text)
            with pytest.raises(DatabaseUnavailable, match="another version"):
                state.resolve(settings_of(tmp_path))
            with pytest.raises(StackFailed), state.locked(tmp_path):
                pass
