"""The general anomaly score is causal: pieces, and what comes later, change nothing."""

import numpy as np
import numpy.typing as npt
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.scores.general import Judge

Series = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]

VALUE = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 1.5, float("nan")])
#: Long enough for alarms, for the end of a block and for the time of day.
SERIES = st.tuples(
    st.lists(VALUE, min_size=1, max_size=150),
    st.integers(1, 20_000),
    st.integers(0, 2**32 - 1),
).map(lambda drawn: extended(*drawn))


def extended(values: list[float], step_s: int, seed: int) -> Series:
    """Append noise, so that there is a history; drawing it would take too long."""
    noise = np.random.default_rng(seed).normal(0, 10, 250)
    found = np.concatenate([noise, values])
    return np.arange(len(found)) * step_s, found


@given(SERIES, st.lists(st.integers(0, 400), max_size=8))
def test_pieces_give_the_same(series: Series, cuts: list[int]) -> None:
    seconds, values = series
    whole = Judge().update(seconds, values)
    judge = Judge()
    pieces = [
        judge.update(*piece)
        for piece in zip(
            np.split(seconds, sorted(cuts)), np.split(values, sorted(cuts)), strict=True
        )
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@settings(max_examples=20)
@given(SERIES)
def test_row_by_row_gives_the_same(series: Series) -> None:
    seconds, values = series
    judge = Judge()
    rows = [
        judge.update(seconds[row : row + 1], values[row : row + 1])
        for row in range(len(values))
    ]
    np.testing.assert_array_equal(np.concatenate(rows), Judge().update(seconds, values))


@given(SERIES, st.integers(1, 400))
def test_what_comes_later_changes_nothing(series: Series, known: int) -> None:
    seconds, values = series
    whole = Judge().update(seconds, values)
    part = Judge().update(seconds[:known], values[:known])
    np.testing.assert_array_equal(part, whole[:known])


@given(SERIES)
def test_scores_are_shares(series: Series) -> None:
    found = pl.Series(Judge().update(*series)).fill_nan(None)
    assert found.drop_nulls().is_between(0, 1).all()
    assert found.is_null().to_list() == (~np.isfinite(series[1])).tolist()
