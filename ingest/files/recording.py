"""Recordings of messages: JSON, one message per line.

    {"topic": "vp/v1/…", "payload": "…", "tst": "2026-11-21T20:00:00.123456+0100"}

`mosquitto_sub -F %j` writes this format, where `tst` is the time of receipt; Mosquitto
2.0.11 writes `…56Z+0100` for the same local time. `-F %J` writes a JSON payload as a
JSON value. A payload that is not text is in `base64` or `hex` instead of `payload`. A
line needs `tst` if its payload has no time. `retain` marks a retained message. Other
fields are ignored.
"""

import base64
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from ingest.batch import Message
from verkehrspuls import wording
from verkehrspuls.files import check_file

FORMAT: Final = "a recording"
#: Bytes of a line: four times the largest message that our broker accepts.
MAX_LINE_BYTES: Final = 4 * 1024 * 1024

#: Why a line is skipped if only the time of import would date its message.
UNDATED: Final = (
    "neither the payload nor the line has a time; add `tst`, the time of receipt, as "
    "`mosquitto_sub -F %j` does"
)

_Z_AND_OFFSET: Final = re.compile(r"Z(?=[+-]\d)")


class Recorded(msgspec.Struct, frozen=True):
    """One line of a recording: a message."""

    topic: str
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    base64: str | None = None
    hex: str | None = None
    tst: str | None = None
    payloadlen: int | None = None
    retain: bool | int = False


def read(
    path: Path,
    *,
    now: datetime,
    skipped: Callable[[int, str], None],
    is_undated: Callable[[Message], bool],
) -> Iterator[Message]:
    """Read the messages of a file; received now, and first received at `tst`.

    Lines that are not messages are passed to `skipped` with their number and the
    reason; so are lines without `tst` whose message `is_undated`.
    """
    decoder = msgspec.json.Decoder(Recorded)
    # read line by line, so files of any size are accepted
    check_file(path, format=FORMAT, most=sys.maxsize)
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file), start=1):
            if not line.strip():
                continue
            if len(line) > MAX_LINE_BYTES:
                skipped(number, f"it is longer than {MAX_LINE_BYTES} bytes")
                continue
            try:
                message = _message(decoder.decode(line), now)
            except (ValueError, OverflowError, RecursionError) as error:
                known = isinstance(error, msgspec.MsgspecError)
                skipped(
                    number, wording.explain(error).in_english() if known else str(error)
                )
                continue
            if message.first_received_at is None and is_undated(message):
                skipped(number, UNDATED)
                continue
            yield message


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Read line by line; of a line that is too long, only the limit plus one byte."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES + 1)


def _message(recorded: Recorded, now: datetime) -> Message:
    first = None
    if recorded.tst:
        try:
            first = datetime.fromisoformat(_Z_AND_OFFSET.sub("", recorded.tst))
        except ValueError as error:
            raise ValueError(f"`tst` is no time: {recorded.tst!r}") from error
        if first.tzinfo is None:
            raise ValueError("the offset of `tst` is missing")
    return Message(
        recorded.topic,
        _payload(recorded),
        now,
        retained=bool(recorded.retain),
        first_received_at=first.astimezone(UTC) if first else None,
    )


def _payload(recorded: Recorded) -> bytes:
    given = (recorded.base64, recorded.hex, recorded.payload)
    if sum(each not in (None, msgspec.UNSET) for each in given) != 1:
        raise ValueError("give either `payload`, `base64` or `hex`")
    if recorded.base64 is not None:
        return base64.b64decode(recorded.base64, validate=True)
    if recorded.hex is not None:
        return bytes.fromhex(recorded.hex)
    raw = bytes(recorded.payload or b"")
    if raw == b"null":  # an empty payload: a retained message was deleted
        return b""
    if not raw.startswith(b'"'):
        return raw
    payload = msgspec.json.decode(raw, type=str).encode("utf-8", "surrogatepass")
    if recorded.payloadlen == len(raw) != len(payload):  # a JSON text by %J
        return raw
    if recorded.payloadlen is not None and recorded.payloadlen != len(payload):
        raise ValueError(
            f"only {len(payload)} of {recorded.payloadlen} bytes of the payload are "
            "there: it is not text, record it as `hex`"
        )
    return payload
