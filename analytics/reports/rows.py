"""The report of the rows of one of a site's tables: all values of a period."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from analytics.flow import months
from analytics.reports.environment import noise_of
from analytics.reports.extracts import ALL, SECONDS, stored_hours
from analytics.reports.site import environment as measured
from analytics.reports.site.asked import Asked
from analytics.reports.site.environment import in_period, of_first, read_hours
from analytics.reports.site.reading import read_days, volumes
from verkehrspuls.storage.estimates import read_imputed
from verkehrspuls.storage.reader import Reader

#: A series in the steps that are asked for, its local days, or the days of noise.
Table = Literal["series", "days", "noise"]
NOISE: Final = "laeq_db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All values of a quantity of a site in a period; of the environment by hours.

    Those of the environment are of its first channel, and days where it has no hours.
    """

    quantity: str
    #: local days, where these are the steps
    days: pl.DataFrame = field(default_factory=pl.DataFrame)
    #: shorter steps
    bins: pl.DataFrame = field(default_factory=pl.DataFrame)
    #: what is imputed of counted hours, where these are the steps
    estimates: pl.DataFrame | None = None


def report_rows(
    reader: Reader, asked: Asked, table: Table, *, environment: Sequence[str]
) -> Report:
    """Report the rows of a table; of `environment` the first where nothing is counted.

    Of the steps of a series the period is that which is asked for.
    """
    counted = asked.quantity or ""
    if table == "noise":
        return _noise(reader, asked)
    if table == "days":
        quantity = counted or next(iter(environment), "")
        days = months.by_day(read_days(asked, reader))
        return Report(quantity=quantity, days=days)
    if not counted:
        return _environment(reader, asked, next(iter(environment), ""))
    if asked.bin == "P1D":
        return Report(quantity=counted, days=read_days(asked, reader))
    with reader.frames() as source:
        bins = volumes(asked, source, SECONDS[asked.bin])
        estimates = None
        if asked.bin == "PT1H":
            estimates = read_imputed(source, **asked.counted, **asked.period)
    of_each = bins.filter(pl.col("direction") != ALL)
    return Report(quantity=counted, bins=of_each, estimates=estimates)


def _noise(reader: Reader, asked: Asked) -> Report:
    """Report the noise of each day at the first channel."""
    with reader.frames() as source:
        hours = stored_hours(read_hours(asked, source, NOISE), asked.site.channels)
    days = noise_of(hours, time_zone=asked.zone).days
    first = days.filter(pl.col("channel_id") == pl.col("channel_id").min())
    return Report(quantity=NOISE, days=first)


def _environment(reader: Reader, asked: Asked, quantity: str) -> Report:
    with reader.frames() as source:
        hours = read_hours(asked, source, quantity)
        if in_period(asked, hours):
            return Report(quantity=quantity, bins=of_first(hours))
        # longer intervals, such as daily means, have days and no hours
        days = measured.read_days(asked, source, quantity)
    return Report(quantity=quantity, days=days)
