"""The figures a site's page opens with, each with what it rests on."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

#: a mean of day figures needs at least so many valid days, and so much of the calendar
#: days (DAVe)
FEWEST_DAYS: Final = 2
FEWEST_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean of valid days; no value where the gate does not hold."""

    value: float | None
    valid: int
    days: int

    @property
    def allowed(self) -> bool:
        """Whether there are enough valid days."""
        return self.valid >= FEWEST_DAYS and self.valid >= FEWEST_SHARE * self.days


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """What a site carried in a period."""

    #: counted, not scaled up; None where nothing was counted
    total: int | None
    #: shares of the period, 0 to 1
    observed: float
    normalised: float
    imputed: float
    excluded: float
    daily: Mean
    workday: Mean
    #: Schwerverkehr by volume, of days that know the classes
    heavy: float | None
    peak: int | None
    peak_hour: datetime | None
    methods: tuple[str, ...]


def key_figures(
    days: pl.DataFrame, first: date, last: date, *, holidays: Collection[date]
) -> KeyFigures:
    """Compute them from day figures of the cross-section, `first` to `last` included.

    Calendar days that have no figure count as not observed.
    """
    known = days.filter(pl.col("direction") == "all")
    calendar = pl.date_range(first, last, eager=True)
    workdays = [d for d in calendar if d.weekday() < 5 and d not in holidays]
    with_classes = known.drop_nulls("heavy")
    peak = known.drop_nulls("peak_volume").sort("peak_volume").tail(1).to_dicts()
    counted = int(with_classes["volume"].sum())
    return KeyFigures(
        total=int(known["volume"].sum()) if known.height else None,
        **{
            share: float(known[share].sum()) / len(calendar)
            for share in ("observed", "normalised", "imputed", "excluded")
        },
        daily=_mean(known, len(calendar)),
        workday=_mean(known.filter(pl.col("day").is_in(workdays)), len(workdays)),
        heavy=int(with_classes["heavy"].sum()) / counted if counted else None,
        peak=peak[0]["peak_volume"] if peak else None,
        peak_hour=peak[0]["peak_hour"] if peak else None,
        methods=tuple(sorted(known["method"].unique())),
    )


def _mean(days: pl.DataFrame, calendar_days: int) -> Mean:
    valid = days.filter("valid")
    found = Mean(value=None, valid=valid.height, days=calendar_days)
    if not found.allowed:
        return found
    value = float(valid["volume_normalised"].mean())  # type: ignore[arg-type]
    return Mean(value=value, valid=valid.height, days=calendar_days)
