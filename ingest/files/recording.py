"""Recordings of messages: JSON, one message a line.

    {"topic": "vp/v1/…", "payload": "…", "tst": "2026-11-21T20:00:00.123456+0100"}

As `mosquitto_sub -F %j` writes them, where `tst` is when the message came. A payload
that is no text stands in `base64` in place of `payload`. Other fields are not read.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from ingest.batch import Message
from verkehrspuls.errors import BadFile

FORMAT: Final = "a recording"


class Recorded(msgspec.Struct, frozen=True):
    """One line."""

    topic: str
    payload: str | None = None
    base64: str | None = None
    tst: str | None = None


def read(path: Path, *, now: datetime) -> Iterator[Message]:
    """Give the messages of a file; received now, and first when the line says."""
    decoder = msgspec.json.Decoder(Recorded)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield _message(decoder.decode(line), now)
            except (ValueError, OverflowError) as error:
                reason = f"line {number}: {error}"
                raise BadFile(path=path, format=FORMAT, reason=reason) from error


def _message(recorded: Recorded, now: datetime) -> Message:
    if (recorded.payload is None) == (recorded.base64 is None):
        raise ValueError("give either `payload` or `base64`")
    first = datetime.fromisoformat(recorded.tst) if recorded.tst else None
    if first is not None and first.tzinfo is None:
        raise ValueError("the offset of `tst` is missing")
    payload = (
        base64.b64decode(recorded.base64, validate=True)
        if recorded.base64 is not None
        else (recorded.payload or "").encode("utf-8", "surrogatepass")
    )
    return Message(
        recorded.topic,
        payload,
        now,
        first_received_at=first.astimezone(UTC) if first else None,
    )
