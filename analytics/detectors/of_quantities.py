"""Values of the records of environment quantities, as columns for detectors."""

from collections.abc import Callable

import polars as pl

from verkehrspuls.quantities import ENVIRONMENT, Quantity


def with_value(
    rows: pl.DataFrame,
    column: str,
    value: Callable[[Quantity], float | None],
    *,
    quantities: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Add a value of its quantity to each row; rows of a quantity without one go.

    `quantities` names the quantity of each channel, where rows do not.
    """
    values = pl.DataFrame(
        [(key, value(one)) for key, one in ENVIRONMENT.items()],
        schema={"quantity": pl.String, column: pl.Float64},
        orient="row",
    ).drop_nulls()
    if quantities is not None:
        rows = rows.join(quantities.select("channel_id", "quantity"), on="channel_id")
    return rows.join(values, on="quantity")
