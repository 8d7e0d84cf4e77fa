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

from verkehrspuls.errors import StackFailed
from verkehrspuls.settings import CONFIG, PREFIX, Settings, environment_of
from verkehrspuls.stack import process
from verkehrspuls.talk import Unfailing, write_all

LOG_BYTES = 10_000_000
#: a longer line is taken for several
LINE_BYTES = 65_536
#: a log that could not be written is not tried for so long
LOG_PAUSE_S = 5.0
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
        say: Callable[[str], None] = lambda _: None,
        echo: bool = False,
    ) -> None:
        self.name = name
        self.once = once
        self.process: process.Process | None = None
        self._arguments = arguments
        self._environment = environment
        self._log = RotatedLog(log)
        self._lines = Unfailing(
            self._log.write, changed=self._say_dropped, pause_s=LOG_PAUSE_S
        )
        # its progress bars need the terminal itself
        self._shows_progress = shows_progress
        self._say = say
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
        try:
            self._reader.start()
        except RuntimeError as error:  # there is no room for a thread
            self.make_stop()
            raise StackFailed(part=self.name, reason=error) from error

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
        """Read to the end, whatever becomes of the log: unread, the command would wait.

        Neither is it ready before it was read to be.
        """
        with stream, self._log:
            while line := stream.readline(LINE_BYTES):
                if line.strip() == READY:
                    self._ready.set()
                    continue
                self._lines.write(line)
                text = line.decode("utf-8", "replace").rstrip()
                self._tail.append(text)
                if self._echo:
                    self._say(f"{self.name}: {text}")

    def _say_dropped(self, reason: str | None, dropped: int) -> None:
        path = self._log.path
        if reason is not None:
            self._say(f"{path} cannot be written: {reason}. {self.name} goes on.")
        else:
            self._say(f"{path} is written again; {dropped} lines are missing.")


class RotatedLog:
    """A log file that starts anew, and keeps the one before, when it gets long.

    It is opened by the first line. An error of any line leaves it as it was, so that
    the next one may be tried.
    """

    def __init__(self, path: Path, *, limit: int = LOG_BYTES) -> None:
        self.path = path
        self._limit = limit
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def write(self, line: bytes) -> None:
        """Add a line; it is in the file at once."""
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
