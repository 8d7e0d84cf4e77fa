"""Our own commands as parts: `python -m verkehrspuls …` on the leash.

What they say goes to a log file that is rotated; the line `ready` tells that they are
of use.
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

from verkehrspuls.settings import CONFIG, PREFIX, Settings, environment_of
from verkehrspuls.stack import process

LOG_BYTES = 10_000_000
READY = b"ready"


def program_environment(
    settings: Settings, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of our own commands: these settings, whatever file there is."""
    kept = {k: v for k, v in environment.items() if not k.startswith(PREFIX)}
    return {**kept, **environment_of(settings), CONFIG: os.devnull}


class Program:
    """A command of our own, kept running or run once."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        once: bool = False,
        shows_progress: bool = False,
        echo: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self.once = once
        self.process: process.Process | None = None
        self._arguments = arguments
        self._environment = environment
        self._log = log
        # its progress bars need the terminal itself
        self._shows_progress = shows_progress
        self._echo = echo
        self._ready = threading.Event()
        self._tail: deque[str] = deque(maxlen=12)
        self._reader: threading.Thread | None = None

    def spawn(self) -> None:
        """Start the command without waiting until it is of use."""
        self._ready.clear()
        self._tail.clear()
        self.process = process.leashed(
            [sys.executable, "-m", "verkehrspuls", *self._arguments],
            # whatever it is doing: no orphan, and nothing is lost by it
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
        self._reader.start()

    def answers(self) -> bool:
        """Tell whether it has said that it is ready."""
        return self._ready.is_set()

    def last_words(self) -> str:
        """Give the end of its log."""
        if self._reader is not None:
            self._reader.join(1)
        return "\n".join(self._tail)

    def ask_to_stop(self) -> None:
        """Ask it to finish what it has in hand."""
        if self.process is not None:
            self.process.terminate()

    def make_stop(self) -> None:
        """Stop it at once; what it had in hand comes again."""
        if self.process is not None:
            self.process.kill()

    def _read(self, stream: IO[bytes]) -> None:
        with stream, RotatedLog(self._log) as log:
            for line in stream:
                if line.strip() == READY:
                    self._ready.set()
                    continue
                log.write(line)
                text = line.decode("utf-8", "replace").rstrip()
                self._tail.append(text)
                if self._echo is not None:
                    self._echo(f"{self.name}: {text}")


class RotatedLog:
    """A log file that starts anew, and keeps the one before, when it gets long."""

    def __init__(self, path: Path, *, limit: int = LOG_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._file = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, line: bytes) -> None:
        """Add a line; it is in the file at once."""
        if self._file.tell() + len(line) > self._limit:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._file = self._open()
        self._file.write(line)
        self._file.flush()

    def _open(self) -> IO[bytes]:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        file = os.fdopen(descriptor, "ab")
        file.seek(0, os.SEEK_END)
        return file
