"""The simulated towns in a database, with what really happened in them.

Readings are written as ingest would store them, without broker and messages.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from simulators.faults import report
from simulators.town import SimulatedTown
from simulators.world import DAY_S, World
from verkehrspuls.model import Sensor
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import Connection

#: A cause may be noticed until so long after it ended, and leaves traces that long.
AFTER = timedelta(hours=2)
#: What goes on for days shows in the days after, too.
AFTER_LONG = timedelta(days=4)


class Found(NamedTuple):
    """A case, and the channels (`site/channel`) of its members."""

    number: int
    municipality: str
    began: datetime
    ended: datetime
    reason: str
    channels: list[str]


def load(
    connection: Connection, world: World, towns: Sequence[str], *, first: int, last: int
) -> None:
    """Register towns; store what their sensors report on UTC days `[first, last)`."""
    span = [datetime.fromtimestamp(day * DAY_S, UTC) for day in (first, last)]
    for table in ("count_reading", "environment_reading"):
        connection.execute("select ensure_range(%s, %s, %s)", (table, *span))
    for key in towns:
        town = world.by_key[key]
        register(connection, town.town)
        for sensor in town.town.sensors:
            for day in range(first, last):
                _store(connection, world, town, sensor, day)
    connection.execute(
        "insert into stale_bucket (channel_id, hour) "
        "select distinct channel_id, date_trunc('hour', time) from count_reading "
        "union select distinct channel_id, date_trunc('hour', time) "
        "from environment_reading"
    )
    connection.commit()


def _store(
    connection: Connection, world: World, town: SimulatedTown, sensor: Sensor, day: int
) -> None:
    reported = report(world, town.key, sensor.key, day)
    step = sensor.interval_s
    seconds = day * DAY_S + np.arange(DAY_S // step) * step
    times = pl.from_epoch(pl.Series("time", seconds[reported.sent]), time_unit="s")
    for one in sensor.installations:
        channel = _channel(connection, town.key, one.site, one.channel)
        if reported.outputs:
            output = reported.outputs[one.output]
            counts = output.counts[reported.sent]
            columns = {name: counts[:, n] for n, name in enumerate(output.classes)}
            speed = pl.Series(output.speed_kmh[reported.sent]).fill_nan(None)
            frame = pl.DataFrame({"time": times, **columns, "speed_kmh": speed})
            table = "count_reading"
        else:
            values = reported.values[one.output][reported.sent]
            frame = pl.DataFrame({"time": times, "value": values})
            table = "environment_reading"
        frame = frame.with_columns(
            channel_id=pl.lit(channel),
            interval_s=pl.lit(step),
            sensor_id=pl.lit(1),
            received_at=pl.col("time") + pl.duration(seconds=step),
        )
        text = frame.write_csv(
            include_header=False, datetime_format="%Y-%m-%d %H:%M:%SZ"
        )
        names = ", ".join(frame.columns)
        with connection.cursor().copy(
            f"copy {table} ({names}) from stdin (format csv)"
        ) as copy:
            copy.write(text)


def _channel(connection: Connection, town: str, site: str, channel: str) -> int:
    row = connection.execute(
        "select channel_id from channel c join site s using (site_id) "
        "join municipality m using (municipality_id) "
        "where m.key = %s and s.key = %s and c.key = %s",
        (town, site, channel),
    ).fetchone()
    assert row
    return int(row[0])


def found(connection: Connection) -> list[Found]:
    """All cases that stand."""
    rows = connection.execute(
        "select a.anomaly_case_id, m.key, a.began, a.ended, a.reason, "
        "array_agg(s.key || '/' || c.key) "
        "from anomaly_case a join case_member e using (anomaly_case_id) "
        "join channel c on c.channel_id = e.channel_id "
        "join site s on s.site_id = c.site_id "
        "join municipality m using (municipality_id) "
        "where a.withdrawn_at is null and e.withdrawn_at is null "
        "group by a.anomaly_case_id, m.key order by a.began"
    ).fetchall()
    return [Found(*row) for row in rows]


def explains(event: dict[str, Any], case: Found) -> bool:
    """Tell whether an event is what a case is about."""
    after = AFTER if event["end"] - event["start"] < AFTER_LONG else AFTER_LONG
    felt = {*event["channels"], *event["also"]}
    return (
        case.municipality == event["municipality"]
        and case.began < event["end"] + after
        and case.ended > event["start"]
        and not felt.isdisjoint(case.channels)
    )


def noticed(
    events: Sequence[dict[str, Any]], cases: Sequence[Found]
) -> Iterator[tuple[str, bool]]:
    """Give each event's kind, and whether a case is about it."""
    for event in events:
        yield event["kind"], any(explains(event, case) for case in cases)
