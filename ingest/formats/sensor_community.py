"""The push body of sensor.community (airRohr and its like), over MQTT or HTTP.

Any topic.

- Fields: each `value_type`, e.g. `SDS_P1` (PM10), `SDS_P2` (PM2.5),
  `BME280_temperature` (°C), `BME280_humidity` (%), `BME280_pressure` (Pa). Values come
  as text, and are taken as numbers.
- Particulate matter is in µg/m³. The pressure is in pascal.
- Time: `timestamp` where it is there and has an offset; the devices send none, so the
  profile has to say that the time of receipt may stand in.
- A value that is empty is a gap. Sensors that are broken report 0 or a fixed value:
  list those as sentinels in the profile.
"""

from datetime import datetime
from typing import Final

import msgspec

from ingest.formats.record import Record, Value, aware, number_of, read_json

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
    """The body."""

    sensordatavalues: list[DataValue]
    timestamp: str | None = None


_push: Final = msgspec.json.Decoder(Push)


def decode(_topic: str, payload: bytes, _received_at: datetime) -> list[Record]:
    """Decode a push."""
    push = read_json(_push, payload)
    fields = {each.value_type: _value(each.value) for each in push.sensordatavalues}
    return [Record(aware(push.timestamp), fields)]


def _value(value: str | float | None) -> Value:
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    number = number_of(value)
    return value if number is None else number
