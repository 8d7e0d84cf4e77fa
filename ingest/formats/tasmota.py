"""Tasmota telemetry, and devices that publish in the same form.

Topic `tele/{device}/SENSOR`. Others (`STATE`, `LWT`, `INFO1`, …) are counted and
ignored.

- Fields by path: `BME280.Temperature`, `SDS0X1.PM2.5`.
- Units: `TempUnit` (C or F) applies to each `Temperature` and `DewPoint`, `SpeedUnit`
  to each `Speed`.
- Time: `Time` is a local time without offset. Name it in the profile's `times`, with
  the device's zone: `{ field = "Time", zone = "Europe/Berlin" }`. If it is unusable,
  the reading is rejected; the time of receipt does not replace it.
- null is a gap: a device reports it for a sensor that does not answer.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats.record import Format, Record, flatten, read_json, stamp

EXAMPLES: Final = (
    (
        "tele/wetter-1/SENSOR",
        b"""{"Time": "2026-11-21T21:00:00", "TempUnit": "C",
 "BME280": {"Temperature": 4.1, "Humidity": 87.2, "DewPoint": 2.1, "Pressure": 1011.3},
 "SDS0X1": {"PM2.5": 10.6, "PM10": 27.7}}""",
    ),
)

#: Field with the unit of a value, by the last part of the value's path.
UNITS: Final = {"Temperature": "TempUnit", "DewPoint": "TempUnit", "Speed": "SpeedUnit"}
_object: Final = msgspec.json.Decoder(dict[str, Any])


def decode(topic: str, payload: bytes, _received_at: datetime) -> list[Record]:
    """Decode telemetry."""
    if topic.rpartition("/")[2] != "SENSOR":
        return []
    found = read_json(_object, payload)
    fields = flatten(found)
    units = {}
    for path in fields:
        unit = found.get(UNITS.get(path.rpartition(".")[2], ""))
        if isinstance(unit, str):
            units[path] = unit
    stamps = stamp("Time", found.get("Time"))
    time = stamps[0].time if stamps else None
    return [Record(time, fields, units=units, stamps=stamps)]


FORMATS: Final = (Format(name="tasmota", decode=decode, device_levels=(1,)),)
