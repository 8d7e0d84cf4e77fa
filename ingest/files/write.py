"""Writing a file's counts directly: the path of a message, but for the broker."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ingest import formats
from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.files import CountFile, messages
from ingest.resolve import read_registry
from ingest.write import Writer
from verkehrspuls.model import Town
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import Connection, execute

#: The ledger's slot of imports; workers have 0 to 99.
SLOT: Final = 100


def municipality_of(connection: Connection, key: str, *, state: str) -> Town:
    """Find a municipality, without sites and sensors, or make a new one."""
    row = execute(connection, "municipality", key=key).fetchone() or {
        "key": key,
        "name": key.replace("-", " ").title(),
        "state": state,
    }
    return msgspec.convert({**row, "sites": (), "sensors": ()}, Town)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def write_file(settings: Settings, file: CountFile) -> Counter[str]:
    """Write all counts of a file; returns the ledger's sums (`ingest.store.SUMS`)."""
    ingest = settings.ingest.model_copy(update={"slot": SLOT})
    writer = Writer(settings.database.url.get_secret_value(), ingest, pause=_sleep)
    sums: Counter[str] = Counter()
    try:
        now = datetime.now(UTC)
        collector = Collector(
            writer.with_retry(read_registry), formats.formats(), Limits.at(now, ingest)
        )
        batch = Batch()
        for found in messages(file, per=timedelta(days=1)):
            collector.add(batch, Message(found.topic, found.payload, now))
            if batch.readings >= ingest.batch_readings:
                sums.update(writer.write(batch, collector))
                batch = Batch()
        sums.update(writer.write(batch, collector))
    finally:
        writer.close()
    return sums
