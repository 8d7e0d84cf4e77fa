"""Hourly or quarter-hourly records, as returned by Telraam's API.

Any topic; the payload is one record, an array of them, or an object with `report`.

- Fields: all of a record by name, e.g. `car`, `heavy`, `bike`, `pedestrian`, with
  `_lft` and `_rgt` for the two directions.
- `uptime` is the share of the hour in which the device counted: the observed share.
  Telraam scales counts up to the whole hour by it, which yields fractions: set `round`
  in the mapping. The counted number, count × `uptime`, is stored; `volume_normalised`
  scales it up again if at least half was observed. If `uptime` is 0, nothing was
  observed, and the zeros are gaps.
- Time: `date`, the start of the interval. `interval` is `hourly` or `quarterly`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats.record import (
    Format,
    Record,
    as_kind,
    as_object,
    aware,
    flatten,
    read_json,
    records_of_parts,
)
from ingest.reasons import Detail, Unusable
from verkehrspuls import wording

EXAMPLES: Final = (
    (
        "telraam/9000001",
        b"""{"report": [
 {"segment_id": 9000001, "date": "2026-11-21T19:00:00.000Z", "interval": "hourly",
  "uptime": 0.76, "heavy": 3.9, "car": 118.4, "bike": 10.5, "pedestrian": 26.3,
  "car_lft": 60.5, "car_rgt": 57.9, "v85": 41.5}]}""",
    ),
)

INTERVALS: Final = {"hourly": 3600, "quarterly": 900}


_records: Final = msgspec.json.Decoder(list[Any] | dict[str, Any])


def decode(
    _topic: str, payload: bytes, _received_at: datetime
) -> Sequence[Record | Unusable]:
    """Decode records."""
    found = read_json(_records, payload)
    if isinstance(found, dict) and "report" in found:
        found = as_kind(found["report"], list[Any])
    if isinstance(found, list):
        return records_of_parts(found, _record)
    return [_record(found)]


def _record(part: Any) -> Record:
    found = as_object(part)
    date = found.get("date")
    time = aware(date if isinstance(date, str) else None)
    if time is None:
        raise Unusable("not-a-time", f"date = {str(date)[:80]!r}")
    interval = found.get("interval", "hourly")
    if not isinstance(interval, str) or interval not in INTERVALS:
        text, values = wording.suggestion(str(interval), INTERVALS)
        raise Unusable(
            "unreadable",
            "{}; {}",
            f"interval = {str(interval)[:80]!r}",
            Detail.of(text, *values),
        )
    fields = flatten(found)
    if found.get("uptime") == 0:
        fields = dict.fromkeys(fields)
    return Record(
        time,
        fields,
        interval_s=INTERVALS[interval],
        observed="uptime",
        scaled=True,
    )


FORMATS: Final = (Format(name="telraam", decode=decode),)
