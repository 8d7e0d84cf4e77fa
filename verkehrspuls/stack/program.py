"""Our own commands as parts: child processes `python -m verkehrspuls …`.

Their output goes to a rotated log file; the line `ready` reports readiness.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self, cast

from verkehrspuls.errors import StackFailed
from verkehrspuls.settings import CONFIG, PREFIX, Settings, environment_of
from verkehrspuls.stack import process
from verkehrspuls.talk import Unfailing, write_all

MAX_LOG_BYTES = 10_000_000
#: a longer line is split
MAX_LINE_BYTES = 65_536
#: pause before a failed log is tried again
LOG_PAUSE_S = 5.0
READY = b"ready"


def program_environment(
    settings: Settings, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment of our commands: these settings, no settings file."""
    kept = {k: v for k, v in environment.items() if not k.startswith(PREFIX)}
    return {**kept, **environment_of(settings), CONFIG: os.devnull}


class Program:
    """One of our commands, kept running or run once."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        once: bool = False,
        shows_progress: bool = False,
        print_line: Callable[[str], None] = lambda _: None,
        echo: bool = False,
    ) -> None:
        self.name = name
        self.once = once
        self.process: process.Process | None = None
        self._arguments = arguments
        self._environment = environment
        self._log = RotatedLog(log)
        self._lines = Unfailing(
            self._log.write, changed=self._report_dropped, pause_s=LOG_PAUSE_S
        )
        # its progress bars need direct access to the terminal
        self._shows_progress = shows_progress
        self._print_line = print_line
        self._echo = echo
        self._ready = threading.Event()
        self._tail: deque[str] = deque(maxlen=12)
        self._reader: threading.Thread | None = None

    def spawn(self) -> None:
        """Start the command without waiting until it is ready."""
        self._ready.clear()
        self._tail.clear()
        self.process = process.leashed(
            [sys.executable, "-m", "verkehrspuls", *self._arguments],
            # at any time: no orphan remains, and no data is lost
            when_left=signal.SIGKILL,
            environment=self._environment,
            output=subprocess.PIPE,
            errors=None if self._shows_progress else subprocess.STDOUT,
        )
        self._reader = threading.Thread(
            target=self._read,
            args=(cast("IO[bytes]", self.process.stdout),),
            name=f"log of {self.name}",
            daemon=True,
        )
        try:
            self._reader.start()
        except RuntimeError as error:  # the system cannot start a thread
            self.kill()
            raise StackFailed(part=self.name, reason=error) from error

    def answers(self) -> bool:
        """Return whether it has reported readiness."""
        return self._ready.is_set()

    def last_log_lines(self) -> str:
        """Return the end of its log."""
        if self._reader is not None:
            self._reader.join(1)
        return "\n".join(self._tail)

    def terminate(self) -> None:
        """Request it to finish its current work and stop."""
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        """Kill it; its current work is repeated."""
        if self.process is not None:
            self.process.kill()

    def _read(self, stream: IO[bytes]) -> None:
        """Read to the end, even if the log fails: otherwise the command would block.

        The command is ready only after its line was read.
        """
        with stream, self._log:
            while line := stream.readline(MAX_LINE_BYTES):
                if line.strip() == READY:
                    self._ready.set()
                    continue
                self._lines.write(line)
                text = line.decode("utf-8", "replace").rstrip()
                self._tail.append(text)
                if self._echo:
                    self._print_line(f"{self.name}: {text}")

    def _report_dropped(self, reason: str | None, dropped: int) -> None:
        path = self._log.path
        if reason is not None:
            self._print_line(
                f"{path} cannot be written: {reason}. {self.name} goes on."
            )
        else:
            self._print_line(f"{path} is written again; {dropped} lines are missing.")


class RotatedLog:
    """A log file that is rotated when it gets long; one old file is kept.

    The first line opens it. An error while writing leaves it unchanged, so that the
    next line may succeed.
    """

    def __init__(self, path: Path, *, limit: int = MAX_LOG_BYTES) -> None:
        self.path = path
        self._limit = limit
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def write(self, line: bytes) -> None:
        """Write a line to the file at once."""
        file = self._open()
        if os.fstat(file).st_size + len(line) > self._limit:
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            self._close()
            file = self._open()
        write_all(file, line)

    def _open(self) -> int:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor = os.open(self.path, flags, 0o600)
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
