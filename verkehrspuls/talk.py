"""Output to the parent process or terminal, which may not read it.

A full disk, a closed terminal or a broken pipe never ends the process that writes, and
a stopped reader does not block it. Lines that cannot be written are dropped and
counted; the count is written as soon as writing works again.
"""

import errno
import io
import os
import select
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

#: Time that standard error may take for a write, and pause after a timeout.
WRITE_TIMEOUT_S: Final = 2.0
RETRY_PAUSE_S: Final = 5.0


class Unfailing:
    """Writes lines with a function that may fail; never fails itself."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        changed: Callable[[str | None, int], None] = lambda *_: None,
        pause_s: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; `changed` is called once when writing fails, and once when it works.

        Its arguments are the reason, or None, and the number of dropped lines. After a
        failure nothing is tried for `pause_s`.
        """
        self._write = write
        self._changed = changed
        self._pause_s = pause_s
        self._clock = clock
        self._due = 0.0
        self._reason = ""
        self.dropped = 0

    def write(self, lines: bytes) -> None:
        """Write whole lines, or drop and count them."""
        count = max(1, lines.count(b"\n"))
        if self.dropped and self._clock() < self._due:
            self.dropped += count
            return
        try:
            if self.dropped:
                note = f"\n… {self.dropped} lines were not written: {self._reason}\n"
                self._write(note.encode())
                dropped, self.dropped = self.dropped, 0
                self._changed(None, dropped)
            self._write(lines)
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            first = not self.dropped
            self._reason = getattr(error, "strerror", None) or str(error)
            self.dropped += count
            self._due = self._clock() + self._pause_s
            if first:
                self._changed(self._reason, 0)


class _Stream(io.RawIOBase):
    """A file descriptor of the process as a stream whose writes never fail."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines = Unfailing(self._write_soon, pause_s=RETRY_PAUSE_S)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:
        self._lines.write(bytes(data))
        return len(data)

    def _write_soon(self, data: bytes) -> None:
        """Write, unless nobody reads: this many bytes never block after `select`."""
        rest = memoryview(data)
        while rest:
            if not select.select([], [self._descriptor], [], WRITE_TIMEOUT_S)[1]:
                raise TimeoutError(errno.ETIMEDOUT, "nobody reads them")
            rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes to a descriptor, which `os.write` does not guarantee."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def prepare() -> None:
    """Make writes to standard error never fail, for all code in the process.

    Descriptors that are closed at the start are opened to the null device: otherwise
    the next opened file would get their number.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # uses the lowest free number
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    was = sys.stderr
    if was is None or was is sys.__stderr__:  # otherwise it belongs to a test
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(_Stream(2)),
            encoding=was.encoding if was else "utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )


def discard_stdout() -> None:
    """Discard the rest of standard output: writing it has failed."""
    if sys.stdout is sys.__stdout__:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def write_line(line: str) -> None:
    """Write a line to standard output for the parent process, if it listens."""
    with suppress(OSError):
        write_all(1, f"{line}\n".encode())
