"""Tasmota telemetry, and what follows its form.

Topic `tele/{device}/SENSOR`. Others (`STATE`, `LWT`, `INFO1`, …) are counted and left.

- Fields by path: `BME280.Temperature`, `SDS0X1.PM2.5`.
- Units: `TempUnit` (C or F) holds for each `Temperature` and `DewPoint`, `SpeedUnit`
  for each `Speed`.
- Time: `Time` is a local time without offset. Name it in the profile's `times`, with
  the device's zone: `{ field = "Time", zone = "Europe/Berlin" }`. Where it cannot be
  used, the reading is rejected; the time of receipt does not stand in for it.
- null is a gap: so a device reports a sensor that does not answer.
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

#: The last part of a field whose unit another field tells.
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
        told = found.get(UNITS.get(path.rpartition(".")[2], ""))
        if isinstance(told, str):
            units[path] = told
    told = stamp("Time", found.get("Time"))
    time = told[0].time if told else None
    return [Record(time, fields, units=units, stamps=told)]


FORMATS: Final = (Format(name="tasmota", decode=decode, device_levels=(1,)),)
