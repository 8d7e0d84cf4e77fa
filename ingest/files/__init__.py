"""Files of counts, one module per type of file: reads a path, returns a `CountFile`.

`replay` publishes it over MQTT, `import counts` writes it directly; both send messages
of the native format through the same decoding, checks and ledger.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import polars as pl

from ingest.files.wall_clock import AMBIGUOUS, localise
from ingest.reasons import Detail
from verkehrspuls.classes import COUNTS
from verkehrspuls.errors import BadFile, UsageError
from verkehrspuls.model import Installation, Sensor, Site, Town
from verkehrspuls.wire import topic

#: The columns of a file's frame: one row per sensor output and interval. Counts that
#: are not in the file are null; `time` is the interval's start.
SCHEMA: Final = pl.Schema(
    {
        "sensor": pl.String(),
        "output": pl.String(),
        "time": pl.Datetime("us", "UTC"),
        "interval_s": pl.Int32(),
        **dict.fromkeys(COUNTS, pl.Int64()),
        "speed_kmh": pl.Float64(),
        # why the pass of a repeated hour is unknown; null: it is known
        "ambiguous": pl.String(),
    }
)

#: Rows of a file without a reading; null where the row has no such value.
LEFT_OUT: Final = pl.Schema(
    {"sensor": pl.String(), "day": pl.Date(), "reason": pl.String()}
)
#: Reason for a time that the wall clock skipped.
SKIPPED_TIME: Final = "time that never was"

#: Bytes of a message; rejected messages are kept whole and written in one batch.
MAX_MESSAGE_BYTES: Final = 60_000

#: Sites listed in the message about an unknown site.
MAX_SITES_LISTED: Final = 5

#: Start of the installations of a file's sensors: the earliest time that ingest
#: accepts.
INSTALLED_SINCE: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CountFile:
    """The content of a file: the registration of its sites, and its counts."""

    town: Town
    counts: pl.DataFrame
    #: rows of the file without a reading (LEFT_OUT)
    unread: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LEFT_OUT))
    #: a remark on all its counts
    remark: str = ""

    @property
    def left_out(self) -> dict[str, int]:
        """Number of rows without a reading, by reason."""
        return dict(self.unread.group_by("reason", maintain_order=True).len().rows())

    @property
    def remarks(self) -> dict[str, int]:
        """Number of rows by remark: the ambiguous ones, or all if `remark` is set."""
        found = self.counts["ambiguous"].drop_nulls().value_counts().sort("ambiguous")
        remarks = {AMBIGUOUS[why]: rows for why, rows in found.iter_rows()}
        return remarks | ({self.remark: self.counts.height} if self.remark else {})


class Read(Protocol):
    """Reads a file or folder; `town` is the key of its municipality."""

    def __call__(self, path: Path, town: Town) -> CountFile:
        """Read it; raise `BadFile` if it is not of this type."""


class FileMessage(NamedTuple):
    """A message made of a file's rows, and the time at which its last interval ends."""

    due: datetime
    topic: str
    payload: bytes


def file_types() -> dict[str, Read]:
    """Return what reads each type of file."""
    from ingest.files import generic, muenster_bike, muenster_kfz

    return {
        "generic": generic.read,
        "muenster-bike": muenster_bike.read,
        "muenster-kfz": muenster_kfz.read,
    }


def messages(file: CountFile, *, per: timedelta) -> Iterator[FileMessage]:
    """Turn counts into native messages ordered by time, by sensor and period.

    One message each, or several if it would be too large.
    """
    counts = file.counts
    used = [c for c in COUNTS if not counts[c].is_null().all()]
    has_speed = not counts["speed_kmh"].is_null().all()
    rows = (
        counts.select(
            pl.col("time").dt.truncate(per).alias("period"),
            "sensor",
            "time",
            "interval_s",
            "ambiguous",
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
        for (time, interval_s, ambiguous), outputs in groupby(
            group, key=lambda row: row[2:5]
        ):
            due = max(due, time + timedelta(seconds=interval_s))
            intervals.append(
                {
                    "time": time,
                    "interval_s": interval_s,
                    **({"ambiguous": ambiguous} if ambiguous else {}),
                    "counts": [
                        {
                            "channel": row[5],
                            "classes": {
                                name: count
                                for name, count in zip(used, row[7:], strict=True)
                                if count is not None
                            },
                            **({"speed_kmh": row[6]} if has_speed else {}),
                        }
                        for row in outputs
                    ],
                }
            )
        to = topic(file.town.key, sensor, "counts")
        for payload in _payloads(intervals, encode):
            yield FileMessage(due, to, payload)


def _payloads(intervals: list[Any], encode: Callable[[Any], bytes]) -> Iterator[bytes]:
    """Encode intervals in as many messages as needed to keep each below the limit."""
    payload = encode(intervals)
    if len(payload) <= MAX_MESSAGE_BYTES or len(intervals) == 1:
        yield payload
        return
    # the fewest messages of about equal size
    step = max(1, len(intervals) // (len(payload) // MAX_MESSAGE_BYTES + 1))
    for first in range(0, len(intervals), step):
        yield encode(intervals[first : first + step])


class Outlook(NamedTuple):
    """The expected result of importing a file, if none of it is stored yet."""

    readings: int
    sites: int
    channels: int
    #: local times of the first and last interval's start
    first: str
    last: str
    #: number of readings by reason
    rejected: dict[str, int]
    #: number of fields by name and problem
    fields_dropped: dict[str, int]


def outlook(file: CountFile) -> Outlook:
    """Decode a file as ingest does, and store nothing."""
    from ingest.formats import native
    from ingest.reasons import DROPPED

    rejected: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for message in messages(file, per=timedelta(days=1)):
        found = native.decode("counts", message.payload)
        for each in found.unusable:
            inner = each.detail.values[-1] if each.detail.values else each.detail
            text = inner if isinstance(inner, str) else Detail(*inner).in_language("en")
            rejected[text if len(rejected) < MAX_SITES_LISTED else "…"] += 1
        dropped.update(f"{name}, {DROPPED[what]}" for name, what, _ in found.dropped)
    there = pl.col("time").dt.convert_time_zone(file.town.time_zone)
    times = file.counts.select(first=there.min(), last=there.max()).row(0)
    first, last = (time.isoformat(sep=" ") if time else "" for time in times)
    return Outlook(
        readings=file.counts.height,
        sites=len(file.town.sites),
        channels=sum(len(site.channels) for site in file.town.sites),
        first=first,
        last=last,
        rejected=dict(rejected),
        fields_dropped=dict(dropped),
    )


def cut(
    file: CountFile,
    *,
    since: date | None = None,
    until: date | None = None,
    sites: Collection[str] = (),
) -> CountFile:
    """Keep the local days `[since, until)` and these sites; without an argument, all.

    Raise `UsageError` if the file has no such site, or no count on these days.
    """
    there = {site.key for site in file.town.sites}
    if other := set(sites) - there:
        some = ", ".join(sorted(there)[:MAX_SITES_LISTED])
        raise UsageError(
            reason=f"the file has no site {min(other)}; there are {len(there)}: {some}"
            + (", …" if len(there) > MAX_SITES_LISTED else "")
        )
    day = pl.col("time").dt.convert_time_zone(file.town.time_zone).dt.date()
    town, counts, unread = file.town, file.counts, file.unread
    # rows without a day or sensor are always kept
    any_day, any_sensor = (pl.col(n).is_null() for n in ("day", "sensor"))
    if since:
        counts = counts.filter(day >= since)
        unread = unread.filter(any_day | (pl.col("day") >= since))
    if until:
        counts = counts.filter(day < until)
        unread = unread.filter(any_day | (pl.col("day") < until))
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
        kept = pl.col("sensor").is_in([sensor.key for sensor in town.sensors])
        counts, unread = counts.filter(kept), unread.filter(any_sensor | kept)
    if counts.is_empty() and not file.counts.is_empty():
        first, last = file.counts.select(first=day.min(), last=day.max()).row(0)
        raise UsageError(
            reason=f"the file has no count on these days; its counts are from {first} "
            f"to {last}"
        )
    return replace(file, town=town, counts=counts, unread=unread)


def completed(counts: pl.DataFrame) -> pl.DataFrame:
    """Complete a frame to `SCHEMA`: columns missing from the file become null."""
    missing = [pl.lit(None).alias(n) for n in SCHEMA if n not in counts.columns]
    return counts.with_columns(missing).select(*SCHEMA).cast(SCHEMA)


def without_reading(rows: pl.DataFrame, why: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Find the rows without a reading (LEFT_OUT); `why` maps reasons to their rows.

    The rows have the columns `sensor` and `day`.
    """
    return pl.concat(
        rows.filter(wrong).select("sensor", "day", reason=pl.lit(reason))
        for reason, wrong in why.items()
    )


class Device(NamedTuple):
    """The sensor of a channel as described by the file."""

    interval_s: int
    class_scheme: str


def one_output_town(
    town: Town, sites: list[Site], devices: Mapping[str, Device]
) -> Town:
    """Register sites so that each channel has its own sensor with the channel's key.

    `devices` are by channel; the sensor's only output is named "1".
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
                        site=site.key,
                        channel=channel.key,
                        output="1",
                        since=INSTALLED_SINCE,
                    ),
                ),
            )
            for site in sites
            for channel in site.channels
        ),
    )
    # a file may contain names that cannot be registered
    return msgspec.convert(msgspec.to_builtins(made), Town)


@contextmanager
def reading(path: Path, file_type: str, *, columns: str) -> Iterator[None]:
    """Turn errors into `BadFile`; `columns` are those of the Parquet form."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        reason = f"it is no Parquet file with the columns {columns}"
        raise BadFile(path=path, format=file_type, reason=reason) from error
    except (OSError, ValueError) as error:
        raise BadFile(path=path, format=file_type, reason=error) from error


def one_class_file(
    town: Town,
    counts: pl.DataFrame,
    *,
    sites: list[Site],
    by: str,
    device: Device,
    unread: Sequence[pl.DataFrame] = (),
) -> CountFile:
    """Build a file from rows of `sensor`, `ts` (wall clock), `count` and a series `by`.

    The only class of the device's scheme is the column of the counts. `unread` are
    further rows of the file without a reading (LEFT_OUT).
    """
    counts = counts.with_columns(
        *localise(counts, "ts", town.time_zone, by=[by]), day=pl.col("ts").dt.date()
    )
    blank, skipped = (pl.col(name).is_null() for name in ("count", "time"))
    usable = counts.filter(~blank, ~skipped).select(
        "sensor",
        "time",
        "ambiguous",
        output=pl.lit("1"),
        interval_s=pl.lit(device.interval_s),
        **{device.class_scheme: "count"},
    )
    keys = [channel.key for site in sites for channel in site.channels]
    return CountFile(
        one_output_town(town, sites, dict.fromkeys(keys, device)),
        completed(usable),
        pl.concat(
            [
                *unread,
                without_reading(counts, {"blank": blank, SKIPPED_TIME: skipped}),
            ]
        ),
    )
