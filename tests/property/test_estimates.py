"""Forecasts know nothing that is later; what is imputed never touches the observed."""

from datetime import date

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import frames
from analytics.forecast import horizons, model
from analytics.imputation.impute import impute
from analytics.volumes.daily import days
from tests.frames import HOUR, channels, installed, stored, utc, volumes
from tests.unit.analytics.test_forecast import (
    NOW,
    PLACE,
    ROWS,
    START,
    WEEKS,
    as_grid,
    as_volumes,
    counted,
)

SEEDS = st.integers(0, 2**32 - 1)
ATTACHED = installed(*({"channel_id": n} for n in (1, 2, 3)))


def forecast(rows: pl.DataFrame) -> pl.DataFrame:
    return horizons.forecast(rows, PLACE, interval_s=3600, now=NOW, weeks=WEEKS)


@settings(max_examples=5)
@given(later=SEEDS)
def test_what_comes_later_never_changes_a_forecast(later: int) -> None:
    past = as_volumes(counted())
    future = as_volumes(counted(later), start=NOW)
    assert forecast(pl.concat([past, future])).equals(forecast(past))


@settings(max_examples=8)
@given(
    row=st.integers(ROWS - 7 * 24, ROWS - 1),
    steps=st.sampled_from([1, 2, 23, 24]),
    later=SEEDS,
)
def test_no_row_after_the_origin_is_in_the_terms(
    row: int, steps: int, later: int
) -> None:
    values = counted()
    known = model.past(as_grid(values))
    weights = model.fit(known, steps, until=ROWS - 7 * 24, share=0.9)
    changed = values.copy()
    # the last row that is known lies `steps` before the one that is forecast
    first = row - steps + 1
    changed[first:] = counted(later)[first:]
    one = slice(row, row + 1)
    before = model.predict(known, weights, one)
    after = model.predict(model.past(as_grid(changed)), weights, one)
    np.testing.assert_allclose(after, before)


@settings(max_examples=5)
@given(seed=SEEDS)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    values = counted()
    values[700:760, 0] = np.nan
    rows = as_volumes(values)
    mixed = rows.sample(fraction=1, shuffle=True, seed=seed)
    assert forecast(mixed).equals(forecast(rows))
    assert filled(mixed).equals(filled(rows))


@settings(max_examples=8)
@given(
    gaps=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, ROWS - 1), st.integers(1, 200)),
        max_size=6,
    )
)
def test_only_what_is_missing_is_imputed(gaps: list[tuple[int, int, int]]) -> None:
    values = counted()
    for channel, first, length in gaps:
        values[first : first + length, channel] = np.nan
    rows = as_volumes(values)
    found = filled(rows)
    keys = ["channel_id", "time"]
    assert found.join(rows, on=keys, how="semi").is_empty()
    assert found.select(keys).is_unique().all()
    assert found.select(
        (pl.col("volume") >= 0).all() & (pl.col("low") <= pl.col("high")).all()
    ).row(0) == (True,)
    assert (found["method"] != "observed").all()


def filled(rows: pl.DataFrame) -> pl.DataFrame:
    return impute(rows, ATTACHED, PLACE, since=START, until=NOW)


@settings(max_examples=30)
@given(
    counts=st.lists(st.none() | st.integers(0, 500), min_size=1, max_size=60),
    observed_s=st.lists(st.integers(1, 3600), min_size=60, max_size=60),
    estimates=st.lists(st.none() | st.integers(0, 500), min_size=60, max_size=60),
)
def test_imputed_hours_never_change_what_was_observed(
    counts: list[int | None], observed_s: list[int], estimates: list[int | None]
) -> None:
    # over the change of clocks in spring
    start = utc("2026-03-28 12:00")
    hours = volumes(
        *(
            {"time": start + n * HOUR, "volume": count, "observed_s": observed_s[n]}
            for n, count in enumerate(counts)
            if count is not None
        )
    )
    imputed = pl.DataFrame(
        [
            (1, start + n * HOUR, 3600, float(estimate), "bridged")
            for n, estimate in enumerate(estimates)
            if estimate is not None
        ],
        schema=dict(frames.IMPUTED),
        orient="row",
    )
    town = channels()
    targets = pl.DataFrame(
        {"site_id": 1, "day": [date(2026, 3, 28 + n) for n in range(4)]},
        schema=dict(frames.SITE_DAYS),
    )

    def figures(estimated: pl.DataFrame) -> pl.DataFrame:
        return days(
            stored(hours),
            targets,
            channels=town,
            installed=installed(),
            excluded=frames.empty(frames.SPANS),
            imputed=estimated,
        ).sort("day", "direction")

    kept = ["day", "direction", "volume", "volume_normalised", "observed", "normalised"]
    without = figures(frames.empty(frames.IMPUTED)).select(kept)
    found = figures(imputed)
    both = found.select(kept).join(without, on=["day", "direction"], how="semi")
    assert both.equals(without)
    # days that nothing was observed of come in, without a volume
    added = found.join(without, on=["day", "direction"], how="anti")
    assert added["volume"].null_count() == added.height
    shares = found.select(
        pl.sum_horizontal("observed", "normalised", "imputed", "excluded").max()
    ).item()
    assert shares is None or shares <= 1.001
