"""The report of a manual count: what both counted, and what is decided of it."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import polars as pl

from analytics import frames
from analytics.studies.manual_count import (
    QUARTER,
    TAPS,
    Comparison,
    comparable,
    compare,
)
from analytics.volumes.volume import volumes
from verkehrspuls.manual_counts import Device, ManualCount, Way
from verkehrspuls.model import Calibration
from verkehrspuls.registry import manual_counts
from verkehrspuls.registry.registration import Change
from verkehrspuls.settings import Acceptance
from verkehrspuls.storage.database import Transaction
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.volumes import read_counts_known_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A manual count with its comparison: as it was decided on, else as of now."""

    count: ManualCount
    ways: tuple[Way, ...]
    devices: tuple[Device, ...]
    #: all that was counted, also outside of common quarter-hours
    tallies: manual_counts.Tallies
    comparison: Comparison


def report_manual_count(
    reader: Reader,
    municipality: str,
    number: int,
    *,
    now: datetime,
    rates: Acceptance,
) -> Report:
    """Compare a manual count with what the sensors of the site counted, raw."""
    with reader.connection() as connection:
        count = manual_counts.read(connection, municipality, number)
        ways = tuple(manual_counts.ways(connection, count))
        devices = tuple(manual_counts.devices(connection, count))
        tallies = manual_counts.tallies(connection, number)
        taps = manual_counts.read_taps(connection, number)
    if count.result is not None:
        found = msgspec.convert(count.result, Comparison)
    else:
        given = pl.DataFrame(taps, schema=dict(TAPS), orient="row")
        found = _compared(reader, count, ways, given, now=now, rates=rates)
    return Report(
        count=count, ways=ways, devices=devices, tallies=tallies, comparison=found
    )


def decide(
    reader: Reader,
    writing: Transaction,
    municipality: str,
    number: int,
    *,
    accepted: bool,
    calibrate: bool = False,
    since: datetime | None = None,
    remark: str = "",
    now: datetime,
    rates: Acceptance,
) -> list[Change]:
    """Accept a sensor by a manual count, or not; the comparison is kept as it is now.

    With `calibrate` the factors of the comparison are registered, from `since` on, or
    from the begin of the count. Return what changes in the registry.
    """
    report = report_manual_count(reader, municipality, number, now=now, rates=rates)
    calibrations = {
        (factor.quantity, factor.direction): Calibration(
            since=since or report.count.began,
            factor=round(factor.factor, 4),
            uncertainty=round(factor.uncertainty, 4),
            source=f"manual count {number}",
        )
        for factor in report.comparison.factors
        if calibrate
    }
    with writing() as connection:
        return manual_counts.decide(
            connection,
            municipality,
            number,
            accepted=accepted,
            remark=remark,
            result=msgspec.to_builtins(report.comparison),
            calibrations=calibrations,
        )


def _compared(
    reader: Reader,
    count: ManualCount,
    ways: tuple[Way, ...],
    taps: pl.DataFrame,
    *,
    now: datetime,
    rates: Acceptance,
) -> Comparison:
    ended = count.ended or now
    with reader.frames() as source:
        readings = [
            read_counts_known_at(
                source,
                site_id=count.site_id,
                quantity=quantity,
                start=count.began - QUARTER,
                end=ended,
                known_at=now,
            )
            for quantity in sorted({way.quantity for way in ways})
        ]
    counts = pl.concat(
        [
            frames.empty(frames.COUNT_READINGS),
            *(frames.check(each, frames.COUNT_READINGS) for each in readings),
        ]
    )
    return compare(
        taps,
        comparable(volumes(counts), counts),
        ways,
        began=count.began,
        ended=ended,
        rates=rates,
    )
