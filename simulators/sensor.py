"""The payloads of simulated sensors: native format, version 1."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from typing import Any, Final

import numpy as np

from simulators.faults import BIN_KMH, Output, Report, report
from simulators.world import DAY_S, World
from verkehrspuls.model import Sensor

#: sequence numbers count intervals from here
_FIRST: Final = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())


def kind(sensor: Sensor) -> str:
    """Return the kind of topic a sensor's readings go to."""
    return "environment" if sensor.class_scheme is None else "counts"


def messages(
    world: World, municipality: str, sensor: Sensor, start: int, end: int
) -> list[dict[str, Any]]:
    """Return a sensor's messages on intervals that begin within `[start, end)`.

    There are none before its outputs were installed, nor after they were removed.
    """
    found: list[dict[str, Any]] = []
    step = sensor.interval_s
    periods = _periods(sensor)
    start = int(max(start, min(since for since, _ in periods.values())))
    end = int(min(end, max(until for _, until in periods.values())))
    first = -(-start // step) * step
    while first < end:
        day = first // DAY_S
        last = min(end, (day + 1) * DAY_S)
        span = slice((first - day * DAY_S) // step, -(-(last - day * DAY_S) // step))
        found += _messages(
            report(world, municipality, sensor.key, day), day, step, span
        )
        first = (day + 1) * DAY_S
    if len(set(periods.values())) > 1:
        found = [each for each in found if _keep_installed(each, periods)]
    return found


#: Start and end of an installation, in s since 1970.
Period = tuple[float, float]


def _periods(sensor: Sensor) -> dict[str, Period]:
    """Return the periods in which the outputs of a sensor were installed."""
    found: dict[str, Period] = {}
    for each in sensor.installations:
        since, until = found.get(each.output, (inf, -inf))
        ends = each.until.timestamp() if each.until else inf
        began = each.since.timestamp()
        found[each.output] = min(since, began), max(until, ends)
    return found


def _keep_installed(message: dict[str, Any], periods: dict[str, Period]) -> bool:
    """Keep the installed outputs in a message; return False if there are none."""
    time = datetime.fromisoformat(message["time"]).timestamp()
    installed = {
        name for name, (since, until) in periods.items() if since <= time < until
    }
    if "counts" in message:
        message["counts"] = [p for p in message["counts"] if p["channel"] in installed]
        return bool(message["counts"])
    values = message["values"]
    message["values"] = {name: values[name] for name in values if name in installed}
    return bool(message["values"])


def _messages(
    found: Report, day: int, interval_s: int, span: slice
) -> Iterator[dict[str, Any]]:
    times = _times(day, interval_s)[span]
    number = (day * DAY_S - _FIRST) // interval_s + span.start
    if found.outputs:
        parts = [_counts(key, output, span) for key, output in found.outputs.items()]
        bodies: Iterator[Any] = zip(*parts, strict=True)
        field = "counts"
    else:
        columns = [value[span].tolist() for value in found.values.values()]
        names = tuple(found.values)
        bodies = (
            dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)
        )
        field = "values"
    sent = found.sent[span].tolist()
    for row, (time, body) in enumerate(zip(times, bodies, strict=True)):
        if sent[row]:
            yield {
                "time": time,
                "interval_s": interval_s,
                "seq": number + row,
                field: body,
            }


def _counts(key: str, output: Output, span: slice) -> list[dict[str, Any]]:
    """Build one output's part of each message."""
    parts: list[dict[str, Any]] = [
        {"channel": key, "classes": dict(zip(output.classes, row, strict=True))}
        for row in output.counts[span].tolist()
    ]
    if not np.isnan(output.speed_kmh).all():
        for part, speed in zip(parts, output.speed_kmh[span].tolist(), strict=True):
            if speed == speed:  # not NaN
                part["speed_kmh"] = speed
    if output.histogram is not None:
        for part, counts in zip(parts, output.histogram[span].tolist(), strict=True):
            part["speed_histogram"] = {
                "width_kmh": BIN_KMH,
                "from_kmh": 0,
                "counts": counts,
            }
    if output.occupancy is not None:
        for part, share in zip(parts, output.occupancy[span].tolist(), strict=True):
            part["occupancy"] = share
    return parts


@lru_cache(maxsize=32)
def _times(day: int, interval_s: int) -> list[str]:
    seconds = day * DAY_S + np.arange(0, DAY_S, interval_s)
    text = np.datetime_as_string(seconds.astype("datetime64[s]"), timezone="UTC")
    return [str(one) for one in text.tolist()]
