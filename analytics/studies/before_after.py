"""Before and after a measure, with unaffected sites as controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from analytics.frames import FLOW_DAYS, check
from analytics.quality.passport import Passport, of_days
from analytics.studies.change import Change, change_of_pairs
from analytics.studies.pairs import LEFT_OUT, pair

METHOD: Final = "before-after-2"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfter:
    """The change at the site beyond the change at its controls."""

    effect: Change
    #: the change without controls: measure, season and weather together
    site: Change
    controls: Mapping[str, Change]
    #: the effect by the same method in the middle of the time before, without a
    #: measure: if it is clear, site and controls do not correspond
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
    at the site and at all of its controls, each with its partner of the other period;
    without controls that of ln V alone. Days without any traffic have no logarithm and
    are left out. `day_types` chooses days; public holidays are left out unless they are
    chosen.
    """
    treated = _values(site, day_types)
    chosen = {key: _values(days, day_types) for key, days in controls.items()}
    together = treated
    for days in chosen.values():
        share = days.select("day", other=pl.col("value") / len(chosen))
        together = (
            together.join(share, on="day", how="left")
            .with_columns(value=pl.col("value") - pl.col("other"))
            .drop("other")
        )
    calendar = check(site, FLOW_DAYS).filter(_within(before) | _within(after))
    effect = pair(together, before=before, after=after)

    def alone(days: pl.DataFrame) -> Change:
        return change_of_pairs(pair(days, before=before, after=after))

    return BeforeAfter(
        effect=change_of_pairs(effect),
        site=alone(treated),
        controls={key: alone(days) for key, days in chosen.items()},
        placebo=_placebo(together, before),
        passport=of_days(
            calendar,
            method=METHOD,
            days_expected=calendar.height,
            days_used=2 * effect.found.height,
        ),
    )


def _values(days: pl.DataFrame, day_types: Sequence[str] | None) -> pl.DataFrame:
    """Return PAIR_DAYS of a site."""
    chosen = (
        ~pl.col("holiday")
        if day_types is None
        else pl.col("day_type").is_in(list(day_types))
    )
    usable = chosen & pl.col("valid") & (pl.col("volume") > 0)
    return check(days, FLOW_DAYS).select(
        "day",
        kind=pl.when(chosen).then("day_type").otherwise(pl.lit(LEFT_OUT)),
        value=pl.when(usable).then(pl.col("volume").log()),
    )


def _within(period: tuple[date, date]) -> pl.Expr:
    return pl.col("day").is_between(*period)


def _placebo(days: pl.DataFrame, before: tuple[date, date]) -> Change:
    """Compare the second half of the time before with the first, in whole weeks."""
    half = timedelta(weeks=max(1, ((before[1] - before[0]).days + 1) // 14))
    middle = before[1] - half
    day = timedelta(days=1)
    pairs = pair(
        days, before=(middle - half + day, middle), after=(middle + day, before[1])
    )
    return change_of_pairs(pairs)
