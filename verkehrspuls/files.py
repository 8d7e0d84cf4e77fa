"""Read files named by a person: plain files, up to a maximum size.

A file that is read once from the beginning may also be a pipe: standard input, or the
output of a command (`<(…)`).
"""

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, Final

from verkehrspuls.errors import BadFile

#: Bytes of registrations, calendars and settings.
MAX_TEXT_BYTES: Final = 16 << 20
#: Bytes of a file of counts, which is read as a whole.
MAX_DATA_BYTES: Final = 4 << 30
#: Parts of a dotted key in TOML, whose parser needs quadratic time.
MAX_KEY_PARTS: Final = 50

_PART: Final = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY: Final = re.compile(
    rf"(?<![\w-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_KEY_PARTS}}}"
)


def check_file(path: Path, *, format: str, most: int = MAX_DATA_BYTES) -> None:
    """Refuse a path that is not a plain, readable file of at most `most` bytes."""
    os.close(_open(path, format=format, most=most, pipe=False))


def read_bytes(path: Path, *, format: str, most: int = MAX_TEXT_BYTES) -> bytes:
    """Read a file or pipe of at most `most` bytes; raise `BadFile` with the reason."""
    try:
        with os.fdopen(_open(path, format=format, most=most, pipe=True), "rb") as file:
            found = file.read(most + 1)
            piped = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        raise BadFile(path=path, format=format, reason=error.strerror) from error
    if piped and not found:
        reason = "nothing comes from the pipe"
        raise BadFile(path=path, format=format, reason=reason)
    if len(found) > most:  # it has grown since the check
        raise _too_large(path, format, most)
    return found


def read_text(path: Path, *, format: str, most: int = MAX_TEXT_BYTES) -> str:
    """Read a file or pipe as UTF-8, with or without a byte-order mark."""
    try:
        return read_bytes(path, format=format, most=most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8, byte {error.start}; save it as UTF-8"
        raise BadFile(path=path, format=format, reason=reason) from error


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML; raise `ValueError` or `RecursionError` with the reason."""
    if _LONG_KEY.search(text):
        raise tomllib.TOMLDecodeError(f"A key has more than {MAX_KEY_PARTS} parts")
    return tomllib.loads(text)


def _open(path: Path, *, format: str, most: int, pipe: bool) -> int:
    try:
        # opening a FIFO without a writer would block
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
