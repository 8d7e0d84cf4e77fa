"""One file per payload format."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ingest.formats import Decoded
from ingest.formats.record import Record
from ingest.mapping import readings_of
from ingest.reasons import Unusable
from ingest.resolve import Feed, RegisteredSensor
from verkehrspuls.classes import SCHEMES
from verkehrspuls.model import Mapping, Profile

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def sensor(
    *outputs: tuple[str, str, Mapping | None],
    profile: Profile | None = None,
    interval_s: int = 300,
    payload_format: str = "",
    scheme: str = "tls-8+1",
) -> RegisteredSensor:
    """A sensor with outputs of (name, quantity, mapping), channels 1, 2, …"""
    return RegisteredSensor(
        7,
        payload_format,
        frozenset(SCHEMES[scheme]),
        {
            output: [Feed(number, quantity, *EVER, mapping)]
            for number, (output, quantity, mapping) in enumerate(outputs, 1)
        },
        topic="#",
        interval_s=interval_s,
        profile=profile or Profile(),
    )


def value(field: str, quantity: str, **more: Any) -> tuple[str, str, Mapping]:
    """An output of one value, named like its quantity."""
    return (quantity, quantity, Mapping(field=field, **more))


def usable(records: Sequence[Record | Unusable]) -> list[Record]:
    """The records, which must all be usable."""
    found = [record for record in records if isinstance(record, Record)]
    assert len(found) == len(records)
    return found


def decoded(records: Sequence[Record | Unusable], to: RegisteredSensor) -> Decoded:
    return readings_of(records, to, received_at=NOW)


def readings(records: Sequence[Record | Unusable], to: RegisteredSensor) -> list[Any]:
    """Map records that must all be usable."""
    found = decoded(records, to)
    assert found.unusable == ()
    return found.readings
