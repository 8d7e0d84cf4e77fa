"""The passport of a figure: the origin of its parts, and its method."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypedDict, Unpack

import polars as pl

from verkehrspuls.calibrations import Calibrated

#: Origins of a figure's parts.
SHARES: Final = ("observed", "normalised", "imputed", "excluded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """The evidence needed to defend a figure.

    The shares are parts of the expected data, 0 to 1; the rest is missing. `excluded`
    data was observed, but left out because of a case.
    """

    observed: float
    normalised: float
    imputed: float
    excluded: float
    #: days used for the figure, and days required; None if days do not matter
    days_used: int | None = None
    days_required: int | None = None
    #: name and version, such as `dtv-1`
    method: str
    #: open cases that touch the figure
    cases: tuple[int, ...] = ()
    #: share of the period with a suspected sensor fault, see
    #: `analytics.quality.suspected`; undecided, so it is in the figure
    suspected: float = 0.0
    #: hours (UTC) that a wall clock showed twice, whose readings may be of either pass
    ambiguous_hours: tuple[datetime, ...] = ()
    #: factors that the counts were multiplied with
    calibrations: tuple[Calibrated, ...] = ()

    @property
    def missing(self) -> float:
        """Share of the expected data that is unknown."""
        known = self.observed + self.normalised + self.imputed + self.excluded
        return max(0.0, 1.0 - known)


class Touching(TypedDict, total=False):
    """What touches a figure of a period, for its passport."""

    cases: tuple[int, ...]
    ambiguous_hours: tuple[datetime, ...]
    calibrations: tuple[Calibrated, ...]


def of_days(
    days: pl.DataFrame,
    *,
    method: str,
    days_expected: int,
    days_used: int | None = None,
    days_required: int | None = None,
    **touching: Unpack[Touching],
) -> Passport:
    """Build the passport of a figure from its days (DAYS of one group).

    Days without a row count as missing, so the shares are parts of `days_expected`.
    """
    sums = days.select(pl.col(SHARES).cast(pl.Float64).sum()).row(0, named=True)
    return Passport(
        **shares_of(sums, days_expected),
        days_used=days.height if days_used is None else days_used,
        days_required=days_required,
        method=method,
        **touching,
    )


class Shares(TypedDict):
    """The SHARES of a passport."""

    observed: float
    normalised: float
    imputed: float
    excluded: float


def shares_of(sums: Mapping[str, float], expected: int) -> Shares:
    """Return the shares of what is `expected`, from their sums."""

    def share(name: str) -> float:
        return min(1.0, sums[name] / max(expected, 1))

    return {
        "observed": share("observed"),
        "normalised": share("normalised"),
        "imputed": share("imputed"),
        "excluded": share("excluded"),
    }
