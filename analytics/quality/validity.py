"""Validity: which hours, days and means hold (DOMAIN.md 4.2, 4.4 and 6)."""

import math
from dataclasses import dataclass, field
from typing import Self

import polars as pl

from analytics.quality.gaps import Tolerance
from verkehrspuls.settings import Analytics


@dataclass(frozen=True, slots=True)
class Rules:
    """What must be observed; the defaults are this project's, after the sources named.

    A day with 23 or 25 hours needs as large a part of them as any other.
    """

    #: share of a bin
    bin: float = 0.75
    gaps: Tolerance = field(default_factory=Tolerance)
    #: share of a day's hours that are valid; the hours of both peaks must all be
    day: float = 21 / 24
    #: a mean needs so many valid days, and so great a share of the calendar's (DAVe)
    days: int = 2
    days_share: float = 0.5

    @classmethod
    def of(cls, settings: Analytics) -> Self:
        """Take the rules from the settings."""
        return cls(
            bin=settings.valid_bin,
            gaps=Tolerance(settings.gap_volumes, settings.gap_minutes),
            day=settings.valid_day,
            days=settings.mean_days,
            days_share=settings.mean_days_share,
        )

    def of_bin(self) -> pl.Expr:
        """Tell which STORED_VOLUMES are of a valid bin.

        Observed to 75 %, and without a gap that is longer than the tolerance for the
        volume that is usual or, where that is unknown, for the bin's own. A gap of
        unknown length is as long as all that is missing.
        """
        observed, length = pl.col("observed_s"), pl.col("interval_s")
        flow = pl.col("volume") * 3600 / observed
        gap = pl.col("gap_s").fill_null(length - observed)
        acceptable = self.gaps.seconds(pl.coalesce(pl.col("usual"), flow))
        return (observed >= self.bin * length) & (gap <= acceptable)

    def days_required(self, days: int) -> int:
        """Tell how many valid days a mean over so many calendar days needs.

        `days` are those that belong to the mean, such as the Saturdays of a month.
        """
        return max(self.days, math.ceil(self.days_share * days))


#: without settings
DEFAULT = Rules()
