"""Observations of the OGC SensorThings API, one by one or as a DataArray.

Topic `v1.1/Datastreams(5)/Observations`, or any.

- Fields: `Datastreams(5).result`; where neither topic nor payload tells the datastream,
  `result`. A result that is an object gives one field for each of its own.
- Observations of one `phenomenonTime` in a message belong together: so classes of one
  output can come as a datastream each, if they come in one message.
- Time: `phenomenonTime`. Where it is an interval, that is the reading's; where it is an
  instant, the sensor's interval and profile say which it is.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats.record import Record, Value, aware, flatten, read_json
from ingest.reasons import Unusable
from verkehrspuls.text import mark as _

EXAMPLES: Final = (
    (
        "v1.1/Datastreams(5)/Observations",
        b"""{"@iot.id": 9001, "result": 12, "resultTime": "2026-11-21T20:05:01Z",
 "phenomenonTime": "2026-11-21T20:00:00Z/2026-11-21T20:05:00Z"}""",
    ),
    (
        "sta/bulk",
        b"""[{"Datastream": {"@iot.id": 5}, "components": ["phenomenonTime", "result"],
  "dataArray": [["2026-11-21T20:00:00Z/2026-11-21T20:05:00Z", 12],
                ["2026-11-21T20:05:00Z/2026-11-21T20:10:00Z", 9]]},
 {"Datastream": {"@iot.id": 6}, "components": ["phenomenonTime", "result"],
  "dataArray": [["2026-11-21T20:00:00Z/2026-11-21T20:05:00Z", 1]]}]""",
    ),
)


class Reference(msgspec.Struct, frozen=True):
    """A link to an entity."""

    id: int | str = msgspec.field(name="@iot.id")


class Observation(msgspec.Struct, frozen=True):
    """One observation, or one group of a DataArray."""

    result: Any = msgspec.UNSET
    phenomenon_time: str | None = msgspec.field(default=None, name="phenomenonTime")
    datastream: Reference | None = msgspec.field(default=None, name="Datastream")
    components: list[str] = []
    data_array: list[list[Any]] | None = msgspec.field(default=None, name="dataArray")


_observations: Final = msgspec.json.Decoder(Observation | list[Observation])
_IN_TOPIC: Final = re.compile(r"Datastreams\(([^)]{1,64})\)/Observations$")


def decode(topic: str, payload: bytes, _received_at: datetime) -> list[Record]:
    """Decode observations."""
    found = read_json(_observations, payload)
    match = _IN_TOPIC.search(topic)
    by_time: dict[str, dict[str, Value]] = {}
    for each in found if isinstance(found, list) else [found]:
        datastream = str(each.datastream.id) if each.datastream else None
        if datastream is None and match:
            datastream = match[1]
        path = f"Datastreams({datastream}).result" if datastream else "result"
        for time, result in _results(each):
            by_time.setdefault(time or "", {}).update(flatten(result, path))
    return [_record(time, fields) for time, fields in by_time.items()]


def _results(observation: Observation) -> Iterator[tuple[str | None, Any]]:
    rows = observation.data_array
    if rows is None:
        if observation.result is msgspec.UNSET:
            raise Unusable("unreadable", _("an observation without result"))
        yield observation.phenomenon_time, observation.result
        return
    places = {name: at for at, name in enumerate(observation.components)}
    at, result_at = places.get("phenomenonTime"), places.get("result")
    if result_at is None:
        raise Unusable("unreadable", _("components without result"))
    for row in rows:
        if len(row) != len(observation.components):
            raise Unusable("unreadable", _("a row that does not match its components"))
        time = row[at] if at is not None else None
        if time is not None and not isinstance(time, str):
            raise Unusable("not-a-time", f"phenomenonTime = {str(time)[:80]!r}")
        yield time, row[result_at]


def _record(text: str, fields: dict[str, Value]) -> Record:
    first, is_interval, last = text.partition("/")
    start, end = aware(first), aware(last)
    if text and (start is None or (is_interval and end is None)):
        raise Unusable("not-a-time", f"phenomenonTime = {text[:80]!r}")
    if start is None or end is None:
        return Record(start, fields)
    return Record(start, fields, interval_s=round((end - start).total_seconds()))
