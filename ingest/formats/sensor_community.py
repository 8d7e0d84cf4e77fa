"""The push body of sensor.community (airRohr and its like), over MQTT or HTTP.

Any topic.

- Fields: each `value_type`, e.g. `SDS_P1` (PM10), `SDS_P2` (PM2.5),
  `BME280_temperature` (°C), `BME280_humidity` (%), `BME280_pressure` (Pa). Values are
  texts, which are read as numbers.
- Particulate matter is in µg/m³. The pressure is in pascal.
- Time: `timestamp`, if present; without an offset it is UTC, as in the network's API.
  If a device writes local time, name the field in the profile's `times`, with its zone.
  Most devices send no time, so the profile must allow the time of receipt instead.
- If a `value_type` occurs again, the later value corrects the earlier one.
- An empty value is a gap. Broken sensors report 0 or a fixed value: list these as
  sentinels in the profile.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ingest.formats.record import (
    Format,
    Record,
    Value,
    as_kind,
    gather,
    number_of,
    read_json,
    settled,
    stamp,
)
from ingest.formats.salvage import placed
from ingest.reasons import Unusable

EXAMPLES: Final = (
    (
        "luft/esp8266-1234567",
        b"""{"esp8266id": "1234567", "software_version": "NRZ-2020-129",
 "sensordatavalues": [{"value_type": "SDS_P1", "value": "27.65"},
                      {"value_type": "SDS_P2", "value": "10.60"},
                      {"value_type": "BME280_temperature", "value": "4.10"},
                      {"value_type": "samples", "value": "748814"}]}""",
    ),
)


class DataValue(msgspec.Struct, frozen=True):
    """One measured value."""

    value_type: str
    value: str | float | None = None


class Push(msgspec.Struct, frozen=True):
    """The body of a push."""

    sensordatavalues: list[Any]
    timestamp: Any = None


_push: Final = msgspec.json.Decoder(Push)


def decode(
    _topic: str, payload: bytes, _received_at: datetime
) -> Sequence[Record | Unusable]:
    """Decode a push."""
    push = read_json(_push, payload)
    stamps = stamp("timestamp", push.timestamp, zone=UTC)
    time = stamps[0].time if stamps else None
    fields: list[tuple[None, dict[str, Value]]] = []
    unusable: list[Unusable] = []
    for index, part in enumerate(push.sensordatavalues):
        try:
            found = as_kind(part, DataValue)
        except Unusable as problem:
            unusable.append(placed(index, problem))
        else:
            fields.append((None, {found.value_type: _value(found.value)}))
    made = [
        Record(time, found, stamps=stamps, again=again)
        for _, found, again in gather(fields)
    ]
    return settled([*unusable, *made])


def _value(value: str | float | None) -> Value:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    number = number_of(value)
    return value if number is None else number


FORMATS: Final = (Format(name="sensor-community", decode=decode),)
