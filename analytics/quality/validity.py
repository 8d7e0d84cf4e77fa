"""Validity of hours, days and means (DOMAIN.md 4.2, 4.4 and 6)."""

import math
from dataclasses import dataclass, field
from typing import Self

import polars as pl

from analytics.quality.gaps import Tolerance
from verkehrspuls.settings import Analytics


@dataclass(frozen=True, slots=True)
class Rules:
    """Minimum observed shares; defaults are this project's, based on the sources.

    A day with 23 or 25 hours needs the same share as any other.
    """

    #: share of a bin
    bin: float = 0.75
    gaps: Tolerance = field(default_factory=Tolerance)
    #: share of valid hours of a day; the hours of both peaks must all be valid
    day: float = 21 / 24
    #: valid days required for a mean, and their share of the calendar's days (DAVe)
    days: int = 2
    days_share: float = 0.5

    @classmethod
    def of(cls, settings: Analytics) -> Self:
        """Read the rules from the settings."""
        return cls(
            bin=settings.valid_bin,
            gaps=Tolerance(settings.gap_volumes, settings.gap_minutes),
            day=settings.valid_day,
            days=settings.mean_days,
            days_share=settings.mean_days_share,
        )

    def of_bin(self) -> pl.Expr:
        """Expression for the STORED_VOLUMES with a valid bin.

        Observed to 75 %, and without a gap longer than the tolerance for the usual
        volume or, if that is unknown, for the bin's own volume. A gap of unknown length
        is as long as all missing time.
        """
        observed, length = pl.col("observed_s"), pl.col("interval_s")
        flow = pl.col("volume") * 3600 / observed
        gap = pl.col("gap_s").fill_null(length - observed)
        acceptable = self.gaps.seconds(pl.coalesce(pl.col("usual"), flow))
        return (observed >= self.bin * length) & (gap <= acceptable)

    def days_required(self, days: int) -> int:
        """Return the valid days required for a mean over this many calendar days.

        `days` are those that belong to the mean, such as the Saturdays of a month.
        """
        return max(self.days, math.ceil(self.days_share * days))


#: without settings
DEFAULT = Rules()
