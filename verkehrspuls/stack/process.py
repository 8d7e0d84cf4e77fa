"""Child processes that never outlive their parent."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from verkehrspuls.errors import StackFailed
from verkehrspuls.stack import leash
from verkehrspuls.stack.account import Account, private_file

Process = subprocess.Popen[bytes]


class Part(Protocol):
    """A process that the supervisor keeps running."""

    name: str
    process: Process | None
    #: it ends by itself when its work is done
    once: bool

    def spawn(self) -> None:
        """Start the process without waiting until it answers."""

    def answers(self) -> bool:
        """Return whether it is ready."""

    def last_log_lines(self) -> str:
        """Return the end of its log."""

    def terminate(self) -> None:
        """Request it to stop gracefully."""

    def kill(self) -> None:
        """Kill it; no data is lost."""


def leashed(
    command: Sequence[str | Path],
    *,
    when_left: signal.Signals,
    account: Account | None = None,
    output: int | IO[bytes] = subprocess.DEVNULL,
    errors: int | IO[bytes] | None = subprocess.STDOUT,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Process:
    """Start a program that receives `when_left` when this thread's process ends.

    From the main thread only: Linux takes the end of the starting thread for the end of
    the parent.
    """
    whom = (str(account.uid), str(account.gid)) if account else ("-", "-")
    return subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", leash.__file__),
            *(str(os.getpid()), str(int(when_left)), *whom),
            *(str(word) for word in command),
        ],
        stdin=subprocess.DEVNULL if sys.platform == "linux" else subprocess.PIPE,
        stdout=output,
        stderr=errors,
        env=environment,
        cwd=directory,
        # Ctrl-C is for the parent, which stops the parts in order
        start_new_session=True,
    )


def server_environment() -> dict[str, str]:
    """Return the environment of a server, without variables of the user."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def wait_for_answer(part: Part, *, timeout_s: float) -> None:
    """Wait until a part answers; else raise `StackFailed` with the end of its log."""
    deadline = time.monotonic() + timeout_s
    while not part.answers():
        process = part.process
        if process is None or process.poll() is not None:
            reason = describe_end(None if process is None else process.returncode)
        elif time.monotonic() > deadline:
            reason = f"no answer within {timeout_s:g} s."
        else:
            time.sleep(0.02)
            continue
        raise StackFailed(part=part.name, reason=f"{reason}\n{part.last_log_lines()}")


def wait_until(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    """Wait until a condition holds or the timeout passes; return whether it holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop(part: Part, *, timeout_s: float) -> None:
    """Stop a part: gracefully if it does so in time, else at once."""
    process = part.process
    if process is None or process.poll() is not None:
        return
    part.terminate()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        part.kill()
        process.wait()


def program_version(program: Path) -> str:
    """Ask a program for its version, such as 18.6 or 2.15.1."""
    printed = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"\d+[.\d]*", printed)
    return found[0] if found else printed.strip()


def describe_end(code: int | None) -> str:
    """Describe how a process ended."""
    if code is None:
        return "it was never started."
    if code >= 0:
        return f"it ended with exit code {code}."
    return f"it was ended by {signal.Signals(-code).name}."


def command_line(pid: int) -> list[str]:
    """Return the command line of a process; empty if it ended or is a zombie."""
    if sys.platform == "linux":
        try:
            text = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return []
        return [os.fsdecode(word) for word in text.split(b"\0") if word]
    listed = subprocess.run(
        ["/bin/ps", "-o", "args=", "-p", str(pid)], capture_output=True, check=False
    )
    return os.fsdecode(listed.stdout).split()


def last_lines(*files: Path, count: int = 12) -> str:
    """Return the last lines of the given files together."""
    lines: list[str] = []
    for file in files:
        try:
            text = file.read_bytes()[-16_384:]
        except OSError:
            continue
        lines += text.decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-count:])


def secret(path: Path, account: Account | None) -> str:
    """Read a random password, created if missing; only its owner can read it."""
    if not path.exists() or not path.stat().st_size:
        import secrets

        private_file(path, f"{secrets.token_urlsafe(24)}\n".encode(), account)
    return path.read_text("utf-8").strip()
