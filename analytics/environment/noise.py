"""Noise: levels of day, evening and night, always averaged by energy.

What a sensor measures (LAeq) is not the calculated level (Beurteilungspegel) that the
limits of the 16. BImSchV are about: it may be shown beside the limits, but not judged
by them.
"""

from typing import Final

import polars as pl

from analytics.environment.averages import MIN_CAPTURE
from analytics.frames import ENVIRONMENT_HOURS, Schema, check

#: Local hours from and to (exclusive), and their number on the clock. Source: § 2 (1)
#: of the 34. BImSchV, Directive 2002/49/EC annex I.
PERIODS: Final = {"lday": (6, 18, 12), "levening": (18, 22, 4), "lnight": (22, 6, 8)}
#: dB added to the period's level in Lden
PENALTIES: Final = {"lday": 0, "levening": 5, "lnight": 10}

#: Levels in dB(A) of the 24 hours from 6 o'clock on, named by the local day on which
#: they begin: a night belongs to the evening before it. Null if too little is observed;
#: `lden` needs all three.
NOISE_DAYS: Final[Schema] = {
    "channel_id": pl.Int32(),
    "day": pl.Date(),
    **dict.fromkeys((*PERIODS, "lden"), pl.Float64()),
}


def energetic_mean(level: pl.Expr, weight: pl.Expr | None = None) -> pl.Expr:
    """Average levels (dB) by their energy: 10·lg(Σ w·10^(L/10) / Σ w)."""
    energy = 10 ** (level / 10)
    if weight is None:
        return 10 * energy.mean().log10()
    return 10 * ((energy * weight).sum() / weight.sum()).log10()


def noise_days(hours: pl.DataFrame, *, time_zone: str) -> pl.DataFrame:
    """Compute NOISE_DAYS from hours of LAeq (ENVIRONMENT_HOURS).

    A period has a level with three quarters of its seconds observed. The night of a
    change of clocks has 7 or 9 hours.

    Lden = 10·lg((12·10^(Lday/10) + 4·10^((Levening+5)/10) + 8·10^((Lnight+10)/10))/24)
    """
    clock = pl.col("time").dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    return check(
        check(hours, ENVIRONMENT_HOURS)
        .with_columns(
            day=(clock - pl.duration(hours=6)).dt.date(), hour=clock.dt.hour()
        )
        .group_by("channel_id", "day")
        .agg(_level(*period).alias(name) for name, period in PERIODS.items())
        .with_columns(lden=_lden())
        .sort("channel_id", "day"),
        NOISE_DAYS,
    )


def noise_levels(days: pl.DataFrame) -> pl.DataFrame:
    """Average NOISE_DAYS over all their days: per channel, with the days of each level.

    `days_lden` etc. are the numbers of days in the means.
    """
    return _averaged(check(days, NOISE_DAYS), "channel_id")


def noise_months(days: pl.DataFrame) -> pl.DataFrame:
    """Average NOISE_DAYS over each `month` (its first day), like `noise_levels`."""
    months = check(days, NOISE_DAYS).with_columns(
        month=pl.col("day").dt.truncate("1mo")
    )
    return _averaged(months, "channel_id", "month")


def _averaged(days: pl.DataFrame, *by: str) -> pl.DataFrame:
    levels = (*PERIODS, "lden")
    return days.group_by(by, maintain_order=True).agg(
        *(energetic_mean(pl.col(name).drop_nulls()).alias(name) for name in levels),
        *(pl.col(name).count().alias(f"days_{name}") for name in levels),
    )


def _level(first: int, last: int, length: int) -> pl.Expr:
    """Level of the hours of a period; null if too little of it is observed."""
    hour = pl.col("hour")
    within = (
        hour.is_between(first, last, closed="left")
        if first < last
        else (hour >= first) | (hour < last)
    )
    observed = pl.col("observed_s").filter(within)
    level = energetic_mean(pl.col("mean").filter(within), observed)
    return pl.when(observed.sum() >= MIN_CAPTURE * length * 3600).then(level)


def _lden() -> pl.Expr:
    energy = [
        length * 10 ** ((pl.col(name) + PENALTIES[name]) / 10)
        for name, (_, _, length) in PERIODS.items()
    ]
    return 10 * (pl.sum_horizontal(energy, ignore_nulls=False) / 24).log10()
