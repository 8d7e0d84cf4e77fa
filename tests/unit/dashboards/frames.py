"""Frames as the reading layer gives them."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from dashboards.period import Bin, Period
from verkehrspuls.classes import COUNTS

BERLIN = "Europe/Berlin"


def period(start: datetime, end: datetime, bin: Bin = "PT1H") -> Period:
    return Period(start=start, end=end, zone=BERLIN, bin=bin, preset="")


def volumes(
    start: datetime,
    counted: list[int | None],
    *,
    direction: str = "in",
    observed: list[float] | None = None,
    usual: float | None = None,
    **classes: list[int],
) -> pl.DataFrame:
    """Hours from `start`; None is an hour without a row."""
    shares = observed or [1.0] * len(counted)
    rows = [
        {
            "time": start + timedelta(hours=n),
            "direction": direction,
            "observed": shares[n],
            "normalised": 1 - shares[n] if shares[n] >= 0.5 else 0.0,
            "volume": volume,
            **{
                name: (classes[name][n] if name in classes else None) for name in COUNTS
            },
            "usual": usual,
            "usual_spread": None if usual is None else 5.0,
        }
        for n, volume in enumerate(counted)
        if volume is not None
    ]
    return pl.DataFrame(
        rows,
        schema={
            "time": pl.Datetime("us", "UTC"),
            "direction": pl.String,
            "observed": pl.Float64,
            "normalised": pl.Float64,
            "volume": pl.Int64,
            **{name: pl.Int64() for name in COUNTS},
            "usual": pl.Float64,
            "usual_spread": pl.Float64,
        },
    )


def days(first: date, counted: list[int], *, valid: list[bool]) -> pl.DataFrame:
    """Day figures of the cross-section; an invalid day is half observed."""
    return pl.DataFrame(
        [
            {
                "day": first + timedelta(days=n),
                "direction": "all",
                "volume": volume,
                "volume_normalised": volume * 1.1,
                "volume_estimated": volume * 1.1,
                "heavy": volume // 10,
                "peak_hour": datetime(2026, 3, 1, 16, tzinfo=UTC) + timedelta(days=n),
                "peak_volume": volume // 8,
                "observed": 1.0 if valid[n] else 0.5,
                "normalised": 0.0,
                "imputed": 0.0,
                "excluded": 0.0,
                "valid": valid[n],
                "method": "daily-1",
            }
            for n, volume in enumerate(counted)
        ]
    )
