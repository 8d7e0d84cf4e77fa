"""Flows for noise: mean hourly flow by day, evening and night, and lorry shares."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analytics.flow.classes import GROUPS, summed
from analytics.flow.figure import Figure, Reason, Result, ratio
from analytics.flow.inputs import passport_of_bins
from analytics.frames import FLOW_BINS, check, mean
from analytics.quality.passport import Passport
from analytics.quality.validity import DEFAULT, Rules

METHOD: Final = "noise-flows-1"
#: Local hours by period. Day and night are those of 16. BImSchV and RLS-19, the three
#: parts those of Lden in Germany (DOMAIN.md 4.12).
PERIODS: Final[Mapping[str, frozenset[int]]] = {
    "t": frozenset(range(6, 22)),
    "n": frozenset((22, 23, *range(6))),
    "d": frozenset(range(6, 18)),
    "e": frozenset(range(18, 22)),
}
#: Lorries: heavy ones, and of RLS-19: 1 without trailer and buses, 2 with trailer.
_LORRIES: Final = {
    "p": GROUPS["heavy"],
    "p1": frozenset({"truck", "bus"}),
    "p2": GROUPS["road_trains"],
}


def noise_flows(
    hours: pl.DataFrame,
    *,
    scheme: str | None,
    days: int,
    unit: str,
    rules: Rules = DEFAULT,
) -> Result:
    """Compute the inputs of noise calculations from FLOW_BINS of hours.

    m_t, m_n, m_d, m_e: mean flow in vehicles/h of day (06-22), night (22-06), day
        without evening (06-18) and evening (18-22): the mean over the period's local
        hours of the mean flow of each hour, so that missing hours of the day do not
        shift it. Each hour needs two days, and half of the calendar's.
    p_t, p_n, p_d, p_e: heavy share (SV), a ratio of sums over the hours with a known
        share.
    p1_t … p2_e: shares of Lkw1 (lorries without trailer, buses) and Lkw2 (with trailer,
        articulated) of RLS-19, likewise.

    Null if the scheme does not separate these classes. For a calculation after RLS-19
    the period should be a year. Source: BASt station yearbook; DOMAIN.md 4.2 and 4.12.
    """
    hours = check(hours, FLOW_BINS)
    shares = {name: summed(held, scheme) for name, held in _LORRIES.items()}
    figures: list[Figure] = []
    for name, of_period in PERIODS.items():
        rows = hours.filter(pl.col("hour").is_in(sorted(of_period)))
        passport = passport_of_bins(rows, method=METHOD, expected=len(of_period) * days)
        mean = _mean(
            f"m_{name}",
            rows,
            of_period,
            need=rules.days_required(days),
            unit=unit,
            passport=passport,
        )
        figures.append(mean)
        figures += [
            _share(f"{key}_{name}", rows, parts, mean=mean)
            for key, parts in shares.items()
        ]
    return Result(tuple(figures))


def _mean(
    name: str,
    rows: pl.DataFrame,
    period: frozenset[int],
    *,
    need: int,
    unit: str,
    passport: Passport,
) -> Figure:
    by_hour = rows.group_by("hour").agg(
        pl.col("flow").mean(), known=pl.col("flow").count()
    )
    enough = by_hour.filter(pl.col("known") >= need)
    short = enough.height < len(period)
    return Figure(
        name=name,
        unit=f"{unit}/h",
        passport=passport,
        value=None if short else mean(enough["flow"]),
        reason=Reason("too-few-hours", enough.height, len(period)) if short else None,
    )


def _share(
    name: str, rows: pl.DataFrame, parts: pl.Expr | None, *, mean: Figure
) -> Figure:
    known = None if parts is None else rows.select(of=parts, all="volume").drop_nulls()
    if known is None or known.is_empty():
        reason = mean.reason or Reason("class-scheme")
        return Figure(name=name, unit="1", passport=mean.passport, reason=reason)
    return ratio(
        name,
        float(known["of"].sum()),
        float(known["all"].sum()),
        passport=mean.passport,
        reason=mean.reason,
    )
