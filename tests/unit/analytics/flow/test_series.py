"""Values of a counted series."""

import polars as pl
import pytest

from analytics.flow import series


def test_mean_of_seven_days_needs_most_of_them() -> None:
    days = pl.Series([10.0, None, None, None, 10.0, 17.0, 10.0, 10.0, 10.0, 10.0])
    assert series.smoothed(days).to_list()[0] is None
    assert series.smoothed(days)[6] == pytest.approx(67 / 6)


def test_total_is_compared_with_the_usual_one_where_both_are_known() -> None:
    values = pl.DataFrame({"value": [30.0, 50.0, None], "usual": [20.0, None, 90.0]})
    assert series.change_from_usual(values) == pytest.approx(0.5)


def test_nothing_usual_is_no_comparison() -> None:
    values = pl.DataFrame({"value": [30.0], "usual": [0.0]})
    assert series.change_from_usual(values) is None


def test_band_is_two_spreads_to_either_side_and_never_below_zero() -> None:
    values = pl.DataFrame({"usual": [10.0, 3.0, None], "usual_spread": [2.0, 2.0, 1.0]})
    assert values.select(**series.usual_band()).rows() == [
        (6.0, 14.0),
        (0.0, 7.0),
        (None, None),
    ]


def test_a_day_is_estimated_only_where_it_has_no_value_and_is_nearly_whole() -> None:
    days = pl.DataFrame(
        {
            "valid": [True, False, False, None],
            "volume_normalised": [100.0, 60.0, 60.0, None],
            "volume_estimated": [100.0, 90.0, 90.0, None],
            "observed": [1.0, 0.6, 0.6, None],
            "imputed": [0.0, 0.4, 0.3, None],
        }
    ).with_columns(normalised=pl.lit(0.0), excluded=pl.lit(0.0))
    found = days.select(**series.whole_day())
    assert found.rows() == [(100, None), (None, 90), (None, None), (None, None)]


def test_a_span_without_any_volume_has_none() -> None:
    values = pl.DataFrame(
        {"day": [1, 1, 2], "volume": [3, None, None], "observed": [1.0, 0.0, 0.0]}
    )
    spans = values.group_by("day", maintain_order=True).agg(
        *series.of_span(values.columns)
    )
    assert spans.rows() == [(1, 3, 0.5), (2, None, 0.0)]
