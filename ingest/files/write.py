"""Write files directly, without the broker: otherwise as messages are written."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from ingest import formats
from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.files import CountFile, messages, recording
from ingest.rows import hour_of
from ingest.write import COMMAND_RETRY_S, Writer
from verkehrspuls.access import audit
from verkehrspuls.errors import BadFile, UsageError
from verkehrspuls.model import Town
from verkehrspuls.quantities import OVERLAP_TOLERANCE
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import Connection, execute

#: The ledger's slot for imports; workers have 0 to 99.
IMPORT_SLOT: Final = 100


def municipality_of(connection: Connection, key: str, *, state: str | None) -> Town:
    """Find a municipality, without sites and sensors, or create it.

    Raise `UsageError` for an invalid key, or for a new municipality without a state.
    """
    row = execute(connection, "municipality", key=key).fetchone()
    new = {"key": key, "name": key.replace("-", " ").title(), "state": state or ""}
    try:
        town = msgspec.convert({**(row or new), "sites": (), "sensors": ()}, Town)
    except msgspec.ValidationError as error:
        reason = f"{key} is no key: a to z, digits and hyphens, 64 characters at most"
        raise UsageError(reason=reason) from error
    if row is None and not state:
        reason = f"municipality {key} is new: say its state, such as --state RP"
        raise UsageError(reason=reason)
    return town


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def write_file(settings: Settings, file: CountFile) -> Counter[str]:
    """Write all counts of a file; return the ledger's sums (`ingest.store.SUMS`)."""
    now = datetime.now(UTC)
    found = messages(file, per=timedelta(days=1))
    return write(
        settings,
        (Message(each.topic, each.payload, now) for each in found),
        municipality=file.town.key,
    )


def write_recording(
    settings: Settings, path: Path, *, skipped: Callable[[int, str], None]
) -> Counter[str]:
    """Write the messages of a recording; return the ledger's sums.

    Lines that are not messages, or that cannot be dated, are passed to `skipped` with
    their number and the reason, and counted as `lines_skipped`; the corrected file can
    be imported again.
    """
    lines = 0

    def skip(number: int, reason: str) -> None:
        nonlocal lines
        lines += 1
        skipped(number, reason)

    now = datetime.now(UTC)
    sums = _write(
        settings,
        lambda collector: recording.read(
            path, now=now, skipped=skip, is_undated=collector.is_undated
        ),
    )
    if not sums["messages_received"]:
        reason = "none of its lines can be taken; see docs/how-to/replay-real-data.md"
        raise BadFile(path=path, format=recording.FORMAT, reason=reason)
    sums["lines_skipped"] = lines
    return sums


def _extend(hours: dict[int, tuple[int, int]], batch: Batch) -> None:
    """Extend, in place, the first and last hour of each channel by those of a batch."""
    for rounds in batch.packed().values():
        for each in rounds:
            for channel_id, hour in each.hours:
                first, last = hours.get(channel_id, (hour, hour))
                hours[channel_id] = min(first, hour), max(last, hour)


def _note(connection: Connection, municipality: str | None) -> None:
    """Note that readings are imported; what became of them is in the ledger."""
    key = municipality or "all"
    audit.note(connection, "reading.import", key=key, municipality=municipality)
    connection.commit()


def _overlapping(connection: Connection, hours: dict[int, tuple[int, int]]) -> int:
    row = execute(
        connection,
        "count_overlapping",
        channels=list(hours),
        since=[hour_of(first) for first, _ in hours.values()],
        until=[hour_of(last + 1) for _, last in hours.values()],
        share=OVERLAP_TOLERANCE,
    ).fetchone()
    connection.commit()
    return int(row["readings"]) if row else 0


def write(
    settings: Settings, found: Iterable[Message], *, municipality: str | None = None
) -> Counter[str]:
    """Write messages as a worker does, in the slot of imports.

    The sums include `readings_overlapping`: the number of readings now stored in the
    hours written that overlap others.
    """
    return _write(settings, lambda _: found, municipality)


def _write(
    settings: Settings,
    read: Callable[[Collector], Iterable[Message]],
    municipality: str | None = None,
) -> Counter[str]:
    ingest = settings.ingest.model_copy(update={"slot": IMPORT_SLOT})
    url = settings.database.url.get_secret_value()
    known = formats.formats()
    writer = Writer(url, ingest, pause=_sleep, at_most_s=COMMAND_RETRY_S, formats=known)
    sums: Counter[str] = Counter()
    hours: dict[int, tuple[int, int]] = {}
    try:
        limits = Limits.at(datetime.now(UTC), ingest)
        registry = writer.registry()
        writer.with_retry(lambda c: _note(c, municipality))
        collector = Collector(registry, known, limits)
        batch = Batch()
        for message in read(collector):
            collector.add(batch, message)
            if max(batch.readings, len(batch.messages)) >= ingest.batch_readings:
                sums.update(writer.write(batch, collector))
                _extend(hours, batch)
                batch = Batch()
        sums.update(writer.write(batch, collector))
        _extend(hours, batch)
        writer.note_newest()
        overlapping = writer.with_retry(lambda c: _overlapping(c, hours))
        sums["readings_overlapping"] = overlapping
    finally:
        writer.close()
    return sums
