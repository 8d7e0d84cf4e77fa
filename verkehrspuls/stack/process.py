"""Programs on the leash: started so that none outlives its parent."""

import os
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
    #: it ends by itself when it has done its work
    once: bool

    def spawn(self) -> None:
        """Start the process without waiting until it answers."""

    def answers(self) -> bool:
        """Tell whether it is of use."""

    def last_words(self) -> str:
        """Give the end of its log."""

    def ask_to_stop(self) -> None:
        """Ask it to stop in order."""

    def make_stop(self) -> None:
        """Make it stop at once; nothing is lost."""


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
    """Start a program that gets `when_left` when this thread's process ends.

    From the main thread only: Linux takes the end of the starting thread for the end
    of the parent.
    """
    whom = (str(account.uid), str(account.gid)) if account else ("-", "-")
    return subprocess.Popen(  # noqa: S603
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
    """The environment of a server: nothing of the person who starts it."""
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def wait_for_answer(part: Part, *, timeout_s: float) -> None:
    """Wait until a part answers; `StackFailed` with its last words if it does not."""
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
        raise StackFailed(part=part.name, reason=f"{reason}\n{part.last_words()}")


def wait_until(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    """Wait until something holds, at most so long; tells whether it does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop(part: Part, *, timeout_s: float) -> None:
    """Stop a part: in order if it does so in time, else at once."""
    process = part.process
    if process is None or process.poll() is not None:
        return
    part.ask_to_stop()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        part.make_stop()
        process.wait()


def describe_end(code: int | None) -> str:
    """Say how a process ended."""
    if code is None:
        return "it was never started."
    if code >= 0:
        return f"it ended with exit code {code}."
    return f"it was ended by {signal.Signals(-code).name}."


def command_line(pid: int) -> list[str]:
    """Give the command line of a process; empty for one that ended or is a zombie."""
    if sys.platform == "linux":
        try:
            text = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return []
        return [os.fsdecode(word) for word in text.split(b"\0") if word]
    listed = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "args=", "-p", str(pid)], capture_output=True, check=False
    )
    return os.fsdecode(listed.stdout).split()


def last_lines(*files: Path, count: int = 12) -> str:
    """Give the last lines of the given files together."""
    lines: list[str] = []
    for file in files:
        try:
            text = file.read_bytes()[-16_384:]
        except OSError:
            continue
        lines += text.decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-count:])


def secret(path: Path, account: Account | None) -> str:
    """Read a random password, made where there is none yet; only its owner reads it."""
    if not path.exists() or not path.stat().st_size:
        import secrets

        private_file(path, f"{secrets.token_urlsafe(24)}\n".encode(), account)
    return path.read_text("utf-8").strip()
