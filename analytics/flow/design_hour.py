"""The design hour: the 30th, 50th and 100th highest hour of a year, K and D factors."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analytics.flow.aadt import MAX_DAYS
from analytics.flow.figure import Figure, Reason, Result, ratio
from analytics.flow.inputs import passport_of_bins
from analytics.frames import FLOW_BINS, check
from analytics.quality.passport import Passport

METHOD: Final = "design-hour-1"
RANKS: Final = (30, 50, 100)
#: Minimum share of a year's hours for a ranking: missing ones may be among the highest.
#: Our own choice; there is no published one.
MIN_HOURS_SHARE: Final = 0.9

_YEAR_H: Final = 8760


def design_hour(
    hours: pl.DataFrame,
    directions: Mapping[str, pl.DataFrame],
    *,
    heavy: pl.Expr | None,
    dtv: float | None,
    days: int,
    unit: str,
) -> Result:
    """Rank the hours of a year: FLOW_BINS of the cross-section and of each direction.

    msv_30, msv_50, msv_100: the flow of the hour of this rank, in vehicles/h, and its
    time. Equal flows have different ranks, so that none is skipped. k_30, k_50, k_100:
    the same over the DTV of the same period. d_30: share of the stronger direction in
    the 30th highest hour. b_sv_30: heavy share in it; `heavy` is the sum of the heavy
    classes, None if the     sensors do not distinguish them.

    Clock hours, observed to 75 % and scaled to whole ones; null below 90 % of a year's
    hours, and for more than a year. Source: BASt station yearbook (MSV30, bSV30),
    Caltrans PeMS (K), HCM (D), see DOMAIN.md 4.2.
    """
    hours = check(hours, FLOW_BINS)
    passport = passport_of_bins(hours, method=METHOD, expected=24 * days)
    ranked = hours.drop_nulls("flow").sort("flow", "time", descending=[True, False])
    need = int(MIN_HOURS_SHARE * _YEAR_H)
    reason = None
    if days > MAX_DAYS:
        reason = Reason("too-long", days, MAX_DAYS)
    elif ranked.height < need:
        reason = Reason("too-few-hours", ranked.height, need)
    figures: list[Figure] = []
    for rank in RANKS:
        flow, time = (
            (None, None) if reason else ranked.select("flow", "time").row(rank - 1)
        )
        figures += [
            Figure(
                name=f"msv_{rank}",
                unit=f"{unit}/h",
                passport=passport,
                value=flow,
                at=time,
                reason=reason,
            ),
            ratio(f"k_{rank}", flow, dtv, passport=passport, reason=reason),
        ]
    hour = ranked.slice(RANKS[0] - 1, 1)
    return Result(
        (
            *figures,
            _d_factor(hour, directions, passport=passport, reason=reason),
            _heavy_share(hour, heavy, passport=passport, reason=reason),
        )
    )


def _d_factor(
    hour: pl.DataFrame,
    directions: Mapping[str, pl.DataFrame],
    *,
    passport: Passport,
    reason: Reason | None,
) -> Figure:
    found = [
        check(bins, FLOW_BINS).join(hour, on="time", how="semi")["flow"]
        for bins in directions.values()
    ]
    flows = [flow for of_one in found for flow in of_one.drop_nulls()]
    if len(directions) < 2:
        reason = reason or Reason("one-direction")
    elif len(flows) < len(directions):
        reason = reason or Reason("too-few-hours", len(flows), len(directions))
    return ratio(
        "d_30", max(flows, default=0), sum(flows), passport=passport, reason=reason
    )


def _heavy_share(
    hour: pl.DataFrame,
    heavy: pl.Expr | None,
    *,
    passport: Passport,
    reason: Reason | None,
) -> Figure:
    heavy_count = None if heavy is None else hour.select(heavy).to_series()
    if heavy_count is None or (heavy_count.is_null().any() and reason is None):
        reason = reason or Reason("class-scheme")
    over, under = (
        (0.0, 0.0)
        if reason or heavy_count is None
        else (heavy_count[0], hour["volume"][0])
    )
    return ratio("b_sv_30", over, under, passport=passport, reason=reason)
