"""Reads what was measured of a site's environment, with and without suspected data."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from analytics.frames import LONG_VALUES, check
from analytics.reports import extracts
from analytics.reports.environment import look_back
from analytics.reports.site.asked import Asked
from verkehrspuls.storage.database import FrameSource
from verkehrspuls.storage.environment import read_environment, read_long_environment
from verkehrspuls.storage.reader import Reader


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of an environment quantity."""

    #: of the period, and before it, where running means reach back to them
    hours: pl.DataFrame
    #: LONG_VALUES: values over intervals above an hour, such as daily means
    long: pl.DataFrame
    #: local days of the first channel, where there are longer intervals and no hours
    days: pl.DataFrame | None

    @property
    def hours_of_first(self) -> pl.DataFrame:
        """The hours of the first channel."""
        return of_first(self.hours)


def of_first(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the first channel."""
    return frame.filter(pl.col("channel") == pl.col("channel").min())


def in_period(asked: Asked, hours: pl.DataFrame) -> bool:
    """Return whether some of the hours are of the period, not of before it."""
    return not hours.filter(pl.col("time") >= asked.start).is_empty()


def read_hours(
    asked: Asked, source: FrameSource, quantity: str, *, trusted: bool = False
) -> pl.DataFrame:
    """Read the hours, and those before that running means reach back to."""
    return read_environment(
        source,
        site_id=asked.site.site_id,
        quantity=quantity,
        start=asked.start - look_back(quantity),
        end=asked.end,
        trusted=trusted,
    )


def read_days(
    asked: Asked, source: FrameSource, quantity: str, *, trusted: bool = False
) -> pl.DataFrame:
    """Read the local days of the first channel."""
    return of_first(
        extracts.environment_days(
            asked.site,
            quantity,
            asked.first,
            asked.last,
            source=source,
            trusted=trusted,
        )
    )


def read_measured(
    asked: Asked,
    reader: Reader,
    environment: Sequence[str],
    suspected: pl.DataFrame,
) -> tuple[dict[str, Measured], dict[str, Measured] | None]:
    """Read what is measured of each quantity; without what is SUSPECTED, too.

    The second is None where nothing is. Only suspected quantities are read again.
    """
    found: dict[str, Measured] = {}
    if not environment:
        return found, None
    touched = suspected.filter(pl.col("quantity").is_in(environment))
    suspects = touched["quantity"].unique().to_list()
    with reader.frames() as source:
        for quantity in environment:
            found[quantity] = _measured(asked, source, quantity, trusted=False)
        if not suspects:
            return found, None
        return found, found | {
            quantity: _measured(asked, source, quantity, trusted=True)
            for quantity in suspects
        }


def _measured(
    asked: Asked, source: FrameSource, quantity: str, *, trusted: bool
) -> Measured:
    hours = read_hours(asked, source, quantity, trusted=trusted)
    long = check(
        read_long_environment(
            source,
            site_id=asked.site.site_id,
            quantity=quantity,
            **asked.period,
            trusted=trusted,
        ),
        LONG_VALUES,
    )
    days = None
    if long.height and not in_period(asked, hours):
        days = read_days(asked, source, quantity, trusted=trusted)
    return Measured(hours, long, days)
