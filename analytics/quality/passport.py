"""The passport of a figure: where its parts come from, and how it was computed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

#: Where a figure's parts come from.
SHARES: Final = ("observed", "normalised", "imputed", "excluded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """What has to be known to defend a figure.

    The shares are parts of what was expected, 0 to 1; what none of them covers is
    missing. `excluded` was observed, but left out because of a case.
    """

    observed: float
    normalised: float
    imputed: float
    excluded: float
    #: days that the figure was computed from, and how many it needs at least; None
    #: where days do not matter
    days_used: int | None = None
    days_required: int | None = None
    #: name and version, such as `dtv-1`
    method: str
    #: open cases that touch the figure
    cases: tuple[int, ...] = ()
    #: share of the period in which a fault of a sensor is suspected, see
    #: `analytics.quality.suspected`; nobody has decided, so it is in the figure
    suspected: float = 0.0
    #: hours (UTC) that a wall clock showed twice, whose readings may be of either pass
    ambiguous_hours: tuple[datetime, ...] = ()

    @property
    def missing(self) -> float:
        """Share of what was expected that nothing is known of."""
        known = self.observed + self.normalised + self.imputed + self.excluded
        return max(0.0, 1.0 - known)


def of_days(
    days: pl.DataFrame,
    *,
    method: str,
    days_expected: int,
    days_used: int | None = None,
    days_required: int | None = None,
    cases: tuple[int, ...] = (),
    ambiguous_hours: tuple[datetime, ...] = (),
) -> Passport:
    """Make the passport of a figure from the days (DAYS of one group) behind it.

    Days without a row count as missing, so the shares are parts of `days_expected`.
    """
    sums = days.select(pl.col(SHARES).cast(pl.Float64).sum()).row(0, named=True)
    expected = max(days_expected, 1)
    return Passport(
        **{name: min(1.0, sums[name] / expected) for name in SHARES},
        days_used=days.height if days_used is None else days_used,
        days_required=days_required,
        method=method,
        cases=cases,
        ambiguous_hours=ambiguous_hours,
    )
