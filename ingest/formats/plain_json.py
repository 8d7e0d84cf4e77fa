"""Any JSON: an object, or an array of objects.

Any topic. For devices, gateways and platforms that have a form of their own.

- Fields: all members by path, e.g. `lanes.0.car`.
- An array is a list of messages, one an element.
- Time: none. Name the field in the profile's `times`, with its unit or zone, or allow
  the time of receipt.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats.record import (
    Format,
    Record,
    as_object,
    flatten,
    read_json,
    records_of_parts,
)
from ingest.reasons import Unusable

EXAMPLES: Final = (
    (
        "radar/ostring",
        b"""{"from": "2026-11-21T20:00:00Z", "intensity": 197, "occupancy": 0.07,
 "lanes": [{"no": 1, "car": 120}, {"no": 2, "car": 71}]}""",
    ),
)

_objects: Final = msgspec.json.Decoder(list[Any] | dict[str, Any])


def decode(
    _topic: str, payload: bytes, _received_at: datetime
) -> Sequence[Record | Unusable]:
    """Decode an object, or each object of an array."""
    found = read_json(_objects, payload)
    if isinstance(found, list):
        return records_of_parts(found, _record)
    return [_record(found)]


def _record(part: Any) -> Record:
    return Record(None, flatten(as_object(part)))


FORMATS: Final = (Format(name="json", decode=decode),)
