"""Writing files directly: the path of a message, but for the broker."""

import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from ingest import formats
from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.files import CountFile, messages, recording
from ingest.resolve import read_registry
from ingest.write import Writer
from verkehrspuls.errors import UsageError
from verkehrspuls.model import Town
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import Connection, execute

#: The ledger's slot of imports; workers have 0 to 99.
SLOT: Final = 100


def municipality_of(connection: Connection, key: str, *, state: str) -> Town:
    """Find a municipality, without sites and sensors, or make a new one.

    A key that cannot be one is a `UsageError`.
    """
    row = execute(connection, "municipality", key=key).fetchone() or {
        "key": key,
        "name": key.replace("-", " ").title(),
        "state": state,
    }
    try:
        return msgspec.convert({**row, "sites": (), "sensors": ()}, Town)
    except msgspec.ValidationError as error:
        reason = f"{key} is no key: a to z, digits and hyphens, 64 characters at most"
        raise UsageError(reason=reason) from error


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def write_file(settings: Settings, file: CountFile) -> Counter[str]:
    """Write all counts of a file; returns the ledger's sums (`ingest.store.SUMS`)."""
    now = datetime.now(UTC)
    found = messages(file, per=timedelta(days=1))
    return write(settings, (Message(each.topic, each.payload, now) for each in found))


def write_recording(settings: Settings, path: Path) -> Counter[str]:
    """Write the messages of a recording; returns the ledger's sums.

    A line that is no message ends it; what stood before it may be written by then, and
    is a duplicate when the mended file is taken again.
    """
    return write(settings, recording.read(path, now=datetime.now(UTC)))


def write(settings: Settings, found: Iterable[Message]) -> Counter[str]:
    """Write messages as a worker does, in the slot of imports."""
    ingest = settings.ingest.model_copy(update={"slot": SLOT})
    writer = Writer(settings.database.url.get_secret_value(), ingest, pause=_sleep)
    sums: Counter[str] = Counter()
    try:
        limits = Limits.at(datetime.now(UTC), ingest)
        registry = writer.with_retry(read_registry)
        collector = Collector(registry, formats.formats(), limits)
        batch = Batch()
        for message in found:
            collector.add(batch, message)
            if max(batch.readings, len(batch.messages)) >= ingest.batch_readings:
                sums.update(writer.write(batch, collector))
                batch = Batch()
        sums.update(writer.write(batch, collector))
    finally:
        writer.close()
    return sums
