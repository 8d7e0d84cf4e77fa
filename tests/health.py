"""Evidence for tests of channel health: by hand, and from the simulated towns."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analytics import frames
from analytics.baseline.hours import usual as usual_volumes
from analytics.health import evidence
from analytics.health.evidence import LOOK_BACK, Evidence
from analytics.health.verdicts import judge
from analytics.volumes.volume import volume_of_reading, volumes
from simulators import faults
from simulators.world import DAY_S, World
from tests.frames import make, utc
from verkehrspuls.settings import Health

#: A Wednesday in Berlin.
DAY = date(2026, 11, 18)
BEGAN = utc("2026-11-17 23:00")
LATER = utc("2026-12-01 00:00")
LIMITS = Health()

#: Vehicles per hour: towards the centre in the morning, out of it in the evening.
INBOUND = (
    *(40, 20, 15, 15, 30, 90, 300, 620, 540, 360, 300, 310),
    *(330, 330, 340, 370, 400, 380, 310, 240, 170, 130, 100, 70),
)
OUTBOUND = (
    *(60, 30, 20, 15, 20, 50, 130, 230, 250, 270, 300, 330),
    *(360, 370, 400, 520, 660, 640, 450, 300, 210, 160, 130, 90),
)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A channel over some days before `LATER`, by interval from `start` on."""

    channel_id: int = 1
    #: None leaves a reading out
    counts: Sequence[int | None] = ()
    values: Sequence[float | None] = ()
    occupancy: Sequence[float] = ()
    speeds: Sequence[float] = ()
    #: usual volume by the hour, repeated each day; None is unknown
    usual: Sequence[float] | None = INBOUND
    start: datetime = BEGAN
    interval_s: int = 300
    channel: dict[str, Any] = field(default_factory=dict)


def ordinary(
    profile: Sequence[float] = INBOUND,
    *,
    seed: int = 1,
    days: int = 1,
    factor: float = 1.0,
) -> list[int | None]:
    """Counts of 5 minutes that follow a profile of hourly volumes."""
    rate = np.repeat(np.array(profile) / 12, 12) * factor
    chance = np.random.default_rng(seed)
    return [int(n) for _ in range(days) for n in chance.poisson(rate)]


def given(*streams: Stream, days: Collection[date] = (DAY,), **more: Any) -> Evidence:
    """Make evidence of what streams report; all of their channels are judged."""
    channels = make(
        frames.HEALTH_CHANNELS,
        [
            {"channel_id": one.channel_id, "interval_s": one.interval_s} | one.channel
            for one in streams
        ],
        municipality_id=1,
        audience=0,
        site_id=1,
        sensor_id=1,
        road="",
        latitude=None,
        longitude=None,
        quantity="motor",
        direction="in",
        time_zone="Europe/Berlin",
        since=utc("2000-01-01"),
        until=utc("2200-01-01"),
        heard=utc("2026-01-01"),
    )
    readings = make(
        {
            **frames.COUNT_READINGS,
            "occupancy": pl.Float32(),
            "value": pl.Float64(),
            "time_origin": pl.Int16(),
        },
        [row for one in streams for row in _rows(one)],
        quantity="motor",
        time_origin=0,
    )
    usual = {one.channel_id: one.usual for one in streams}
    return collected(channels, readings, days, usual=usual, **more)


def verdicts(*streams: Stream, **more: Any) -> dict[int, str]:
    """The verdict of each channel, where one period of it is judged."""
    found = judge(given(*streams, **more), LIMITS)
    return dict(found.select("channel_id", "verdict").iter_rows())


def collected(
    channels: pl.DataFrame,
    readings: pl.DataFrame,
    days: Collection[date],
    *,
    now: datetime = LATER,
    usual: dict[int, Sequence[float] | None] | None = None,
    hours: pl.DataFrame | None = None,
    **more: Any,
) -> Evidence:
    """Make evidence of readings with counts, `value` and `occupancy`."""
    if hours is None:
        hours = _hours(readings, usual or {})
    values = readings.filter(pl.col("value").is_not_null())
    hour = pl.col("time").dt.truncate("1h")
    observed = pl.concat(
        [
            hours.select("channel_id", "time", "observed_s"),
            values.group_by("channel_id", hour).agg(
                observed_s=pl.col("interval_s").sum()
            ),
        ]
    )
    periods = evidence.periods(channels, days, observed, now=now, **more)
    if periods.is_empty():
        none = frames.empty
        return Evidence(
            periods, periods, none(frames.HEALTH_READINGS), none(frames.STORED_VOLUMES)
        )
    since, until = periods.select(pl.min("began"), pl.max("ended")).row(0)
    within = pl.col("time").is_between(since, until, closed="left")
    mine = readings.filter(within).with_columns(volume=volume_of_reading())
    looked = pl.col("time").is_between(since - LOOK_BACK, until, closed="left")
    return Evidence(
        periods,
        periods,
        evidence.readings(periods, mine.drop("quantity"), channels),
        hours.filter(looked),
    )


def _rows(one: Stream) -> Iterator[dict[str, Any]]:
    size = max(len(one.counts), len(one.values))
    for n in range(size):
        count = one.counts[n] if one.counts else None
        value = one.values[n] if one.values else None
        if count is None and value is None:
            continue
        yield {
            "channel_id": one.channel_id,
            "time": one.start + n * timedelta(seconds=one.interval_s),
            "interval_s": one.interval_s,
            "car": count,
            "value": value,
            "occupancy": one.occupancy[n] if one.occupancy else None,
            "speed_kmh": one.speeds[n] if one.speeds else None,
            "quantity": one.channel.get("quantity", "motor"),
        } | ({"bicycle": count} if one.channel.get("quantity") == "bicycle" else {})


def _hours(
    readings: pl.DataFrame, usual: dict[int, Sequence[float] | None]
) -> pl.DataFrame:
    counted = readings.filter(pl.col("value").is_null())
    hours = volumes(counted.select(list(frames.COUNT_READINGS)))
    by_hour = pl.DataFrame(
        [
            (channel, hour, value)
            for channel, values in usual.items()
            for hour, value in enumerate(values or ())
        ],
        schema={"channel_id": pl.Int32, "hour": pl.Int8, "usual": pl.Float32},
        orient="row",
    )
    local = pl.col("time").dt.convert_time_zone("Europe/Berlin").dt.hour()
    return stored(
        hours.filter(pl.col("interval_s") == 3600)
        .with_columns(hour=local)
        .join(by_hour, on=["channel_id", "hour"], how="left")
    )


def stored(hours: pl.DataFrame) -> pl.DataFrame:
    """STORED_VOLUMES of hourly volumes that have `usual`."""
    absent = {
        name: dtype
        for name, dtype in frames.STORED_VOLUMES.items()
        if name not in hours.columns
    }
    return frames.check(
        hours.with_columns(
            pl.lit(None, dtype).alias(name) for name, dtype in absent.items()
        ),
        frames.STORED_VOLUMES,
    )


@dataclass(frozen=True)
class Simulated:
    """Simulated towns: channels with `name`, readings, and hours with their usual."""

    channels: pl.DataFrame
    readings: pl.DataFrame
    hours: pl.DataFrame


def simulate(world: World, towns: Collection[str], first: date, days: int) -> Simulated:
    """Let the sensors of simulated towns report for some UTC days."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    numbers = range(
        int(start.timestamp()) // DAY_S, int(start.timestamp()) // DAY_S + days
    )
    rows: list[dict[str, Any]] = []
    parts: list[pl.DataFrame] = []
    sites: dict[tuple[str, str], int] = {}
    for number, key in enumerate(sorted(towns), start=1):
        town = world.by_key[key]
        for sensor_number, sensor in enumerate(town.town.sensors):
            ids: dict[str, int] = {}
            for one in sensor.installations:
                channel = town.channel(one)
                ids[one.output] = len(rows) + 1
                rows.append(
                    {
                        "channel_id": len(rows) + 1,
                        "name": f"{key}/{one.site}/{one.channel}",
                        "municipality_id": number,
                        "audience": 0,
                        "site_id": sites.setdefault((key, one.site), len(sites) + 1),
                        "sensor_id": 100 * number + sensor_number,
                        **{
                            name: getattr(town.site(one.site), name)
                            for name in ("road", "latitude", "longitude")
                        },
                        "quantity": channel.quantity,
                        "direction": channel.direction,
                        "state": town.town.state,
                        "time_zone": town.town.time_zone,
                        "interval_s": sensor.interval_s,
                        "since": start,
                        "until": LATER,
                        "heard": start,
                    }
                )
            parts += [
                part.with_columns(interval_s=pl.lit(sensor.interval_s, pl.Int32))
                for day in numbers
                for part in _reported(
                    world, key, sensor.key, sensor.interval_s, day, ids
                )
            ]
    channels = make(
        {**frames.HEALTH_CHANNELS, "name": pl.String(), "state": pl.String()}, rows
    )
    readings = _filled(pl.concat(parts, how="diagonal"), channels)
    counts = readings.filter(pl.col("value").is_null())
    hours = volumes(counts.select(list(frames.COUNT_READINGS))).filter(
        pl.col("interval_s") == 3600
    )
    usual = usual_volumes(
        hours, hours, channels=channels.select(list(frames.CHANNELS)), weeks=8
    )
    return Simulated(
        channels,
        readings,
        stored(hours.join(usual, on=["channel_id", "time"], how="left")),
    )


def _reported(
    world: World, town: str, sensor: str, interval_s: int, day: int, ids: dict[str, int]
) -> Iterator[pl.DataFrame]:
    report = faults.report(world, town, sensor, day)
    sent = report.sent
    seconds = day * DAY_S + np.arange(len(sent)) * interval_s
    same = {"time": pl.from_epoch(pl.Series(seconds[sent]), "s")}
    for output, found in report.outputs.items():
        columns = {
            name: found.counts[sent, n].astype(np.int32)
            for n, name in enumerate(found.classes)
        }
        if found.occupancy is not None:
            columns["occupancy"] = found.occupancy[sent].astype(np.float32)
        speed = found.speed_kmh[sent].astype(np.float32)
        yield pl.DataFrame({**same, **columns, "speed_kmh": speed}).with_columns(
            channel_id=pl.lit(ids[output], pl.Int32)
        )
    for output, values in report.values.items():
        yield pl.DataFrame({**same, "value": values[sent]}).with_columns(
            channel_id=pl.lit(ids[output], pl.Int32)
        )


def _filled(readings: pl.DataFrame, channels: pl.DataFrame) -> pl.DataFrame:
    """Give the readings all columns, in the types of stored ones."""
    wanted = {
        **frames.COUNT_READINGS,
        "occupancy": pl.Float32(),
        "value": pl.Float64(),
        "time_origin": pl.Int16(),
    }
    named = readings.with_columns(
        pl.col("time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        pl.col("speed_kmh").fill_nan(None),
        time_origin=pl.lit(0, pl.Int16),
    ).join(channels.select("channel_id", "quantity"), on="channel_id")
    absent = {n: d for n, d in wanted.items() if n not in named.columns}
    return named.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in absent.items()
    ).select(list(wanted))
