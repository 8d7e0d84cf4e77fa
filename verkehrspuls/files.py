"""Reading files that a person names: plain files, and never more than a bound.

Where a file is read once and from the beginning, it may be a pipe that somebody writes
to: standard input, or the output of a command (`<(…)`).
"""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, Final

from verkehrspuls.errors import BadFile

#: Of registrations, calendars and settings.
MOST_TEXT: Final = 16 << 20
#: Of a file of counts, which is read as a whole.
MOST_DATA: Final = 4 << 30
#: Of a dotted key of TOML, whose parser takes time by their square.
MOST_PARTS: Final = 50

_PART: Final = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY: Final = re.compile(
    rf"(?<![\w-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MOST_PARTS}}}"
)


def check_file(path: Path, *, format: str, most: int = MOST_DATA) -> None:
    """Refuse what is no plain file, cannot be read, or is larger than `most` bytes."""
    os.close(_open(path, format=format, most=most, pipe=False))


def read_bytes(path: Path, *, format: str, most: int = MOST_TEXT) -> bytes:
    """Read a file or pipe of at most `most` bytes; `BadFile` says what is wrong."""
    try:
        with os.fdopen(_open(path, format=format, most=most, pipe=True), "rb") as file:
            found = file.read(most + 1)
            piped = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        raise BadFile(path=path, format=format, reason=error.strerror) from error
    if piped and not found:
        reason = "nothing comes from the pipe"
        raise BadFile(path=path, format=format, reason=reason)
    if len(found) > most:  # it grew meanwhile
        raise _too_large(path, format, most)
    return found


def read_text(path: Path, *, format: str, most: int = MOST_TEXT) -> str:
    """Read a file or pipe as UTF-8, with or without a byte-order mark."""
    try:
        return read_bytes(path, format=format, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8, byte {error.start}; save it as UTF-8"
        raise BadFile(path=path, format=format, reason=reason) from error


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML; `ValueError` or `RecursionError` say what is wrong."""
    if _LONG_KEY.search(text):
        raise tomllib.TOMLDecodeError(f"A key has more than {MOST_PARTS} parts")
    return tomllib.loads(text)


def _open(path: Path, *, format: str, most: int, pipe: bool) -> int:
    try:
        # a FIFO that nobody writes to would be waited for
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadFile(path=path, format=format, reason=reason) from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size <= most:
        return descriptor
    if pipe and stat.S_ISFIFO(found.st_mode):
        os.set_blocking(descriptor, True)
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        raise _too_large(path, format, most)
    what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or pipe"
    raise BadFile(path=path, format=format, reason=f"it is {what}; a file is wanted")


def _too_large(path: Path, format: str, most: int) -> BadFile:
    reason = f"it is larger than {most >> 20} MiB; split it"
    return BadFile(path=path, format=format, reason=reason)
