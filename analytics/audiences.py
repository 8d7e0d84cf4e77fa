"""Audiences: what everybody sees is computed from nothing that only some may see.

A site is seen by everybody (audience 0), by the towns of the cluster (-1), or by its
own municipality only (its number). Where sites of a town are held against each other,
each is held against those that all see who see it.
"""

from collections.abc import Callable, Iterator

import polars as pl


def rank() -> pl.Expr:
    """Return how few see a row: 0 everybody, 1 the cluster, 2 its municipality."""
    audience = pl.col("audience")
    return pl.when(audience > 0).then(2).when(audience < 0).then(1).otherwise(0)


def ranks(rows: pl.DataFrame) -> Iterator[int]:
    """Yield the ranks that rows have, the widest audience first."""
    yield from sorted(rows.select(rank().unique()).to_series())


def apart(
    rows: pl.DataFrame, compute: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    """Compute something for rows of one municipality, each audience by itself.

    `compute` gets the rows that all see who see those of an audience, and returns them
    with `audience`. The order of rows is not kept.
    """
    found = [
        compute(rows.filter(rank() <= each)).filter(rank() == each)
        for each in ranks(rows)
    ]
    return pl.concat(found) if found else compute(rows)
