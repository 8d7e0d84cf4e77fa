"""Files of counts, one file here per format: a path in, a `CountFile` out.

`replay` publishes it over MQTT, `import counts` writes it directly; both as messages
of the native format, through the same decoding, checks and ledger.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec
import polars as pl

from verkehrspuls.classes import COUNTS
from verkehrspuls.errors import UsageError
from verkehrspuls.model import Installation, Sensor, Site, Town
from verkehrspuls.wire import topic

#: The columns of a file's frame: one row per sensor output and interval. Counts that
#: the file does not have are null; `time` is the interval's start.
SCHEMA: Final = pl.Schema(
    {
        "sensor": pl.String(),
        "output": pl.String(),
        "time": pl.Datetime("us", "UTC"),
        "interval_s": pl.Int32(),
        **dict.fromkeys(COUNTS, pl.Int64()),
        "speed_kmh": pl.Float64(),
    }
)

#: So many sites are named where another was asked for.
MOST_NAMED: Final = 5

#: Installations of a file's sensors reach back as far as ingest accepts readings.
SINCE: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CountFile:
    """What a file holds: the registration of its sites, and its counts."""

    town: Town
    counts: pl.DataFrame
    #: rows of the file that hold no reading, by reason
    left_out: dict[str, int] = field(default_factory=dict)


class Read(Protocol):
    """Reads a file or folder; `town` names the municipality it belongs to."""

    def __call__(self, path: Path, town: Town) -> CountFile:
        """Read it, or raise `BadFile`."""


class FileMessage(NamedTuple):
    """A message made of a file's rows, and the time at which its last interval ends."""

    due: datetime
    topic: str
    payload: bytes


def formats() -> dict[str, Read]:
    """All file formats by name."""
    from ingest.files import generic, muenster_bike, muenster_kfz

    return {
        "generic": generic.read,
        "muenster-bike": muenster_bike.read,
        "muenster-kfz": muenster_kfz.read,
    }


def messages(file: CountFile, *, per: timedelta) -> Iterator[FileMessage]:
    """Turn counts into native messages, ordered by time, one per sensor and period."""
    counts = file.counts
    used = [c for c in COUNTS if not counts[c].is_null().all()]
    has_speed = not counts["speed_kmh"].is_null().all()
    rows = (
        counts.select(
            pl.col("time").dt.truncate(per).alias("period"),
            "sensor",
            "time",
            "interval_s",
            "output",
            "speed_kmh",
            *used,
        )
        .sort("period", "sensor", "time", "output")
        .iter_rows()
    )
    encode = msgspec.json.Encoder().encode
    for (_, sensor), group in groupby(rows, key=lambda row: row[:2]):
        intervals = []
        due = datetime.min.replace(tzinfo=UTC)
        for (time, interval_s), outputs in groupby(group, key=lambda row: row[2:4]):
            due = max(due, time + timedelta(seconds=interval_s))
            intervals.append(
                {
                    "time": time,
                    "interval_s": interval_s,
                    "counts": [
                        {
                            "channel": row[4],
                            "classes": {
                                name: count
                                for name, count in zip(used, row[6:], strict=True)
                                if count is not None
                            },
                            **({"speed_kmh": row[5]} if has_speed else {}),
                        }
                        for row in outputs
                    ],
                }
            )
        yield FileMessage(
            due, topic(file.town.key, sensor, "counts"), encode(intervals)
        )


def cut(
    file: CountFile,
    *,
    since: date | None = None,
    until: date | None = None,
    sites: Collection[str] = (),
) -> CountFile:
    """Keep the local days `[since, until)` and these sites; where not given, all.

    A `UsageError` where the file has no such site, or no count of these days.
    """
    there = {site.key for site in file.town.sites}
    if other := set(sites) - there:
        some = ", ".join(sorted(there)[:MOST_NAMED])
        raise UsageError(
            reason=f"the file has no site {min(other)}; there are {len(there)}: {some}"
            + (", …" if len(there) > MOST_NAMED else "")
        )
    day = pl.col("time").dt.convert_time_zone(file.town.time_zone).dt.date()
    town, counts = file.town, file.counts
    if since:
        counts = counts.filter(day >= since)
    if until:
        counts = counts.filter(day < until)
    if sites:
        town = msgspec.structs.replace(
            town,
            sites=tuple(site for site in town.sites if site.key in sites),
            sensors=tuple(
                sensor
                for sensor in town.sensors
                if any(at.site in sites for at in sensor.installations)
            ),
        )
        counts = counts.filter(pl.col("sensor").is_in([s.key for s in town.sensors]))
    if counts.is_empty() and not file.counts.is_empty():
        first, last = file.counts.select(first=day.min(), last=day.max()).row(0)
        raise UsageError(
            reason=f"of these days the file counts nothing; it goes from {first} to "
            f"{last}"
        )
    return replace(file, town=town, counts=counts)


def whole(counts: pl.DataFrame) -> pl.DataFrame:
    """Bring a frame to `SCHEMA`: columns that the file does not have become null."""
    missing = [pl.lit(None).alias(n) for n in SCHEMA if n not in counts.columns]
    return counts.with_columns(missing).select(*SCHEMA).cast(SCHEMA)


def localise(column: str, time_zone: str) -> pl.Expr:
    """Turn local wall-clock times into UTC.

    A wall clock shows the hour of the autumn change twice; where a file does not say
    which is meant, it is the first (summer time). A time that never was, in the hour
    skipped in spring, becomes null.
    """
    return (
        pl.col(column)
        .dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC")
        .dt.cast_time_unit("us")
    )


class Device(NamedTuple):
    """What a file tells of the sensor behind a channel."""

    interval_s: int
    class_scheme: str


def one_output_town(
    town: Town, sites: list[Site], devices: Mapping[str, Device]
) -> Town:
    """Register sites so that each channel is fed by a sensor of its own, of its key.

    `devices` are by channel; the sensor's one output is called "1".
    """
    made = msgspec.structs.replace(
        town,
        sites=tuple(sites),
        sensors=tuple(
            Sensor(
                key=channel.key,
                name=channel.name,
                interval_s=devices[channel.key].interval_s,
                class_scheme=devices[channel.key].class_scheme,
                installations=(
                    Installation(
                        site=site.key, channel=channel.key, output="1", since=SINCE
                    ),
                ),
            )
            for site in sites
            for channel in site.channels
        ),
    )
    # a file may name what cannot be registered
    return msgspec.convert(msgspec.to_builtins(made), Town)
