import errno
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.parts import PATIENCE_S, wait_for
from verkehrspuls.settings import Api, Database, Settings, load
from verkehrspuls.stack import process
from verkehrspuls.stack.account import private_file
from verkehrspuls.stack.program import Program, RotatedLog, program_environment


def test_program_gets_exactly_the_settings(tmp_path: Path) -> None:
    settings = Settings(
        database=Database(url=SecretStr("postgresql://x")),
        api=Api(port=9000),
    )
    given = {
        "PATH": "/bin",
        "VERKEHRSPULS_API__HOST": "0.0.0.0",
        "VERKEHRSPULS_CONFIG": "elsewhere.toml",
    }
    environment = program_environment(settings, given)
    assert environment["PATH"] == "/bin"
    assert load(environment) == settings


def test_log_starts_anew_when_it_is_long(tmp_path: Path) -> None:
    path = tmp_path / "ingest.log"
    with RotatedLog(path, limit=20) as log:
        for number in range(5):
            log.write(b"line %d\n" % number)
    assert path.read_bytes() == b"line 4\n"
    assert path.with_name("ingest.log.1").read_bytes() == b"line 2\nline 3\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    for word in (b"one\n", b"two\n"):
        with RotatedLog(tmp_path / "log") as log:
            log.write(word)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_end_is_described() -> None:
    assert process.describe_end(3) == "it ended with exit code 3."
    assert process.describe_end(-9) == "it was ended by SIGKILL."


def test_last_lines_are_of_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n")
    (tmp_path / "b").write_text("3\n")
    found = process.last_lines(
        tmp_path / "a", tmp_path / "none", tmp_path / "b", count=2
    )
    assert found == "2\n3"


def test_password_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "vp.password"
    word = process.secret(path, None)
    assert len(word) == 32
    assert process.secret(path, None) == word
    assert path.stat().st_mode & 0o777 == 0o600


def test_command_line_of_a_process_that_is_none_is_empty() -> None:
    assert process.command_line(2**22 + 1) == []
    assert process.command_line(os.getpid())


@pytest.mark.parametrize("closed", ["log", "disk"])
def test_command_is_ready_and_ends_where_its_log_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    log = tmp_path / "log"
    if closed == "disk":
        log.symlink_to("/dev/full")
    else:
        log.mkdir()
    lines: list[str] = []
    monkeypatch.setattr(
        "verkehrspuls.stack.process.leash.__file__", str(tmp_path / "leash.py")
    )
    (tmp_path / "leash.py").write_text(
        "print('one\\n' * 100_000)\nprint('ready', flush=True)\nprint('two')\n"
    )
    part = Program("ingest", (), environment={}, log=log, print_line=lines.append)
    part.spawn()
    wait_for(part.answers)
    assert part.process is not None
    assert part.process.wait(PATIENCE_S) == 0
    assert part.last_log_lines().endswith("two")
    reason = os.strerror(errno.ENOSPC if closed == "disk" else errno.EISDIR)
    assert lines == [f"{log} cannot be written: {reason}. ingest goes on."]


def test_log_that_cannot_be_rotated_takes_no_more_room(tmp_path: Path) -> None:
    path = tmp_path / "log"
    (tmp_path / "log.1" / "inside").mkdir(parents=True)
    with RotatedLog(path, limit=20) as log:
        for _ in range(2):
            log.write(b"12345678\n")
        for _ in range(3):
            with pytest.raises(IsADirectoryError):
                log.write(b"12345678\n")
        assert path.stat().st_size == 18
        (tmp_path / "log.1" / "inside").rmdir()
        (tmp_path / "log.1").rmdir()
        log.write(b"12345678\n")
    assert path.read_bytes() == b"12345678\n"


def test_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "port"
    private_file(path, b"20001\n")
    monkeypatch.setattr(os, "fsync", fail)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            private_file(path, b"20002\n")
        assert path.read_bytes() == b"20001\n"
    monkeypatch.undo()
    private_file(path, b"20002\n")
    assert path.read_bytes() == b"20002\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_half_a_password_is_none(tmp_path: Path) -> None:
    (tmp_path / "vp.password").touch()
    assert len(process.secret(tmp_path / "vp.password", None)) == 32


def fail(_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
