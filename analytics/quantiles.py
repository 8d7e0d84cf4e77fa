"""Quantiles of few values, without interpolation.

Interpolating between the greatest of twenty values and the one before it would turn one
odd day into a value that never occurred. So a quantile is the value of a rank (inverted
distribution function, definition 1 of Hyndman and Fan 1996), and the lower one its
mirror image.
"""

import polars as pl


def upper(value: pl.Expr, percent: int) -> pl.Expr:
    """Return the least value that `percent` of 100 do not exceed: rank ⌈n · p⌉."""
    known = value.drop_nulls()
    return known.sort().get((known.len() * percent + 99) // 100 - 1, null_on_oob=True)


def lower(value: pl.Expr, percent: int) -> pl.Expr:
    """Return the value that `percent` of 100 fall short of: the mirror of `upper`."""
    known = value.drop_nulls()
    return known.sort().get(known.len() * percent // 100, null_on_oob=True)
