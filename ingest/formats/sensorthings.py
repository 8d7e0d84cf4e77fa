"""Observations of the OGC SensorThings API, one by one or as a DataArray.

Topic `v1.1/Datastreams(5)/Observations`, or any.

- Fields: `Datastreams(5).result`, or `result` if neither topic nor payload names the
  datastream. A result that is an object has one field for each of its members.
- Observations of one `phenomenonTime` in a message belong together, so each class of an
  output may have its own datastream, if they arrive in one message. A repeated
  observation of the same time corrects the earlier one.
- Time: `phenomenonTime`, else `resultTime`. If it is an interval, it is that of the
  reading; if it is an instant, the sensor's interval and profile define the interval.
  An implausible instant is skipped if `resultTime` is plausible.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats.record import (
    Format,
    Record,
    Stamp,
    Value,
    as_kind,
    aware,
    flatten,
    gather,
    read_json,
    settled,
)
from ingest.formats.salvage import placed
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
    result_time: str | None = msgspec.field(default=None, name="resultTime")
    datastream: Reference | None = msgspec.field(default=None, name="Datastream")
    components: list[str] = []
    data_array: list[Any] | None = msgspec.field(default=None, name="dataArray")


_observations: Final = msgspec.json.Decoder(list[Any] | dict[str, Any])
#: The times of an observation, the preferred one first.
TIMES: Final = ("phenomenonTime", "resultTime")
#: Start and seconds of the interval, and the result's time if the start is implausible.
Place = tuple[datetime | None, int | None, datetime | None]
#: First plausible year; clocks that were never set show earlier ones.
MIN_CLOCK_YEAR: Final = 2000
_IN_TOPIC: Final = re.compile(r"Datastreams\(([^)]{1,64})\)/Observations$")


def decode(
    topic: str, payload: bytes, _received_at: datetime
) -> Sequence[Record | Unusable]:
    """Decode observations."""
    found = read_json(_observations, payload)
    match = _IN_TOPIC.search(topic)
    rows: list[tuple[Place, dict[str, Value]]] = []
    stamps: dict[Place, tuple[Stamp, ...]] = {}
    unusable: list[Unusable] = []
    alone = not isinstance(found, list)
    for index, part in enumerate([found] if alone else found):
        try:
            each = as_kind(part, Observation)
            datastream = str(each.datastream.id) if each.datastream else None
            if datastream is None and match:
                datastream = match[1]
            path = f"Datastreams({datastream}).result" if datastream else "result"
            for times, result in _results(each, unusable):
                try:
                    place, found_stamps = _place(times)
                except Unusable as problem:
                    unusable.append(problem)
                    continue
                rows.append((place, flatten(result, path)))
                stamps.setdefault(place, found_stamps)
        except Unusable as problem:
            if alone:
                raise
            unusable.append(placed(index, problem))
    made = [
        Record(place[0], fields, interval_s=place[1], again=again, stamps=stamps[place])
        for place, fields, again in gather(rows)
    ]
    return settled([*made, *unusable])


def _results(
    observation: Observation, unusable: list[Unusable]
) -> Iterator[tuple[dict[str, str], Any]]:
    """Yield the times and result of each row; append problems of rows to `unusable`."""
    rows = observation.data_array
    if rows is None:
        if observation.result is msgspec.UNSET:
            raise Unusable("unreadable", _("an observation without result"))
        texts = (observation.phenomenon_time, observation.result_time)
        yield {n: t for n, t in zip(TIMES, texts, strict=True) if t}, observation.result
        return
    places = {name: at for at, name in enumerate(observation.components)}
    result_at = places.get("result")
    if result_at is None:
        raise Unusable("unreadable", _("components without result"))
    for index, row in enumerate(rows):
        try:
            yield _times_of(row, observation.components), row[result_at]
        except Unusable as problem:
            at = f"dataArray[{index}]"
            unusable.append(Unusable(problem.reason, "{}: {}", at, problem.detail))


def _times_of(row: Any, components: list[str]) -> dict[str, str]:
    if not isinstance(row, list) or len(row) != len(components):
        raise Unusable("unreadable", _("a row that does not match its components"))
    cells = dict(zip(components, row, strict=True))
    times = {name: cells[name] for name in TIMES if cells.get(name) not in (None, "")}
    for name, time in times.items():
        if not isinstance(time, str):
            raise Unusable("not-a-time", f"{name} = {str(time)[:80]!r}")
    return times


def _place(times: dict[str, str]) -> tuple[Place, tuple[Stamp, ...]]:
    """Parse the interval, or else the possible times of an instant."""
    if not times:
        return (None, None, None), ()
    name, text = next(iter(times.items()))
    first, is_interval, last = text.partition("/")
    start, end = aware(first), aware(last)
    if start and end:
        return (start, round((end - start).total_seconds()), None), ()
    result = aware(times.get("resultTime"))
    if is_interval or not (start or result):
        raise Unusable("not-a-time", f"{name} = {text[:80]!r}")
    if result is None or name == "resultTime":
        return (start, None, None), ()
    stamps = tuple(Stamp(each, value, aware(value)) for each, value in times.items())
    unset = start is None or start.year < MIN_CLOCK_YEAR
    return (start, None, result if unset else None), stamps


FORMATS: Final = (Format(name="sensorthings", decode=decode, device_levels=(1,)),)
