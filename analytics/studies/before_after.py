"""Before and after a measure, with sites that the measure left alone as controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from analytics.flow.figure import Reason
from analytics.frames import FLOW_DAYS, check
from analytics.passport import Passport, of_days
from analytics.studies.change import Change, change

METHOD: Final = "before-after-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfter:
    """The answer: what changed at the site beyond what changed at its controls."""

    effect: Change
    #: the same without controls: measure, season and weather together
    site: Change
    controls: Mapping[str, Change]
    #: the effect that the same method finds in the middle of the time before, where
    #: there is none: when it is clear, site and controls do not go together
    placebo: Change
    passport: Passport


def before_after(
    site: pl.DataFrame,
    controls: Mapping[str, pl.DataFrame],
    *,
    before: tuple[date, date],
    after: tuple[date, date],
    day_types: Sequence[str] | None = None,
) -> BeforeAfter:
    """Compare FLOW_DAYS before and after a measure (periods include both ends).

    effect: change of ln V - mean over controls of ln V_control, on days that are valid
    at the site and at all of its controls; without controls that of ln V alone. Days
    without any traffic have no logarithm and are left out. `day_types` chooses days;
    public holidays are left out unless they are chosen.
    """
    chosen = {
        key: _valid(days, before, after, day_types)
        for key, days in {"": site, **controls}.items()
    }
    treated = chosen.pop("")
    together = treated.select("day", "weekday", "later", "value")
    for days in chosen.values():
        share = days.select("day", other=pl.col("value") / max(len(chosen), 1))
        together = (
            together.join(share, on="day")
            .with_columns(value=pl.col("value") - pl.col("other"))
            .drop("other")
        )
    calendar = check(site, FLOW_DAYS).filter(_within(before) | _within(after))
    return BeforeAfter(
        effect=change(together),
        site=change(treated),
        controls={key: change(days) for key, days in chosen.items()},
        placebo=_placebo(together.filter(~pl.col("later"))),
        passport=of_days(
            calendar,
            method=METHOD,
            days_expected=calendar.height,
            days_used=together.height,
        ),
    )


def _valid(
    days: pl.DataFrame,
    before: tuple[date, date],
    after: tuple[date, date],
    day_types: Sequence[str] | None,
) -> pl.DataFrame:
    kind = (
        ~pl.col("holiday")
        if day_types is None
        else pl.col("day_type").is_in(list(day_types))
    )
    return (
        check(days, FLOW_DAYS)
        .filter(_within(before) | _within(after))
        .filter(kind & pl.col("valid") & (pl.col("volume") > 0))
        .with_columns(value=pl.col("volume").log(), later=_within(after))
    )


def _within(period: tuple[date, date]) -> pl.Expr:
    return pl.col("day").is_between(*period)


def _placebo(earlier: pl.DataFrame) -> Change:
    if earlier.is_empty():
        nothing = Reason("too-few-weeks", 0, 1)
        return Change(
            days_before=0, days_after=0, weeks_before=0, weeks_after=0, reason=nothing
        )
    middle = earlier["day"].sort()[earlier.height // 2]
    return change(earlier.with_columns(later=pl.col("day") >= middle))
