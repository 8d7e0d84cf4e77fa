"""Speed histograms: merged without loss, and what is quoted from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from analytics import frames
from analytics.flow.figure import Figure, Reason
from analytics.flow.histograms import BINS, merged, rebin
from analytics.flow.speeds import speeds
from tests.frames import HOUR, make, one, utc

T = utc("2026-02-03 07:00")


def readings(*rows: Mapping[str, Any], **same: Any) -> pl.DataFrame:
    return make(
        frames.HISTOGRAM_READINGS,
        rows,
        **{
            "channel_id": 1,
            "time": T,
            "interval_s": 300,
            "histogram_from_kmh": 0.0,
            "histogram_width_kmh": 5.0,
            **same,
        },
    )


def grid(*counts: int) -> list[int]:
    return [*counts, *[0] * (BINS - len(counts))]


def figures(
    *rows: Mapping[str, Any],
    limit_kmh: float | None = None,
    hours: pl.DataFrame | None = None,
    expected: int = 1,
    excluded_s: int = 0,
    **same: Any,
) -> dict[str, Figure]:
    found = speeds(
        merged(readings(*rows, **same)),
        frames.empty(frames.FLOW_BINS) if hours is None else hours,
        limit_kmh=limit_kmh,
        expected=expected,
        lanes=1,
        excluded_s=excluded_s,
    )
    return {figure.name: figure for figure in found.figures}


# --- merging


def test_histograms_of_an_hour_are_added() -> None:
    found = one(
        merged(
            readings(
                {"histogram": [0, 1, 2, 0]},
                {"time": T + HOUR / 12, "histogram": [1, 0, 4, 0]},
            )
        )
    )
    assert found["counts"] == grid(1, 1, 6)
    assert (found["observed_s"], found["rebinned"], found["refused"]) == (600, 0, 0)
    assert found["open_kmh"] is None


def test_layouts_that_fit_the_grid_are_exact() -> None:
    """Bins of 1, 2.5 and 5 km/h, from 0 and from 10."""
    found = one(
        merged(
            readings(
                {"histogram": [1] * 10 + [0], "histogram_width_kmh": 1.0},
                {"histogram": [1, 2, 3, 0], "histogram_width_kmh": 2.5},
                {"histogram": [7, 0], "histogram_from_kmh": 10.0},
            )
        )
    )
    assert found["counts"] == grid(5 + 3, 5 + 3, 7)
    assert found["rebinned"] == 0


def test_wide_bins_are_split_and_counted_as_rebinned() -> None:
    found = one(merged(readings({"histogram": [5, 4, 0], "histogram_width_kmh": 10.0})))
    assert found["counts"] == grid(3, 2, 2, 2)
    assert found["rebinned"] == 9


def test_bins_that_are_too_wide_are_refused_and_counted() -> None:
    found = one(merged(readings({"histogram": [5, 4], "histogram_width_kmh": 30.0})))
    assert found["counts"] == grid()
    assert (found["refused"], found["observed_s"]) == (9, 0)


def test_the_lowest_open_bin_with_vehicles_counts() -> None:
    found = one(
        merged(
            readings(
                {"histogram": [0, 0, 0, 1]},
                {"histogram": [0, 0, 0, 0, 0, 2]},
                {"histogram": [1, 0]},
            )
        )
    )
    assert found["open_kmh"] == 15


def test_a_reading_without_a_histogram_is_not_one_of_zeros() -> None:
    assert merged(readings({"histogram": None})).is_empty()
    assert merged(readings({"histogram": [1], "interval_s": 7200})).is_empty()


@pytest.mark.parametrize("begin", [0.0, 2.5, 30.0, 240.0, 300.0])
@pytest.mark.parametrize("width", [0.1, 2.0, 5.0, 7.5, 20.0])
def test_no_vehicle_is_lost_or_invented(begin: float, width: float) -> None:
    counts = np.random.default_rng(1).poisson(3, (5, 40))
    on_grid, _ = rebin(counts, begin, width)
    assert (on_grid >= 0).all()
    assert on_grid.sum(axis=1).tolist() == counts.sum(axis=1).tolist()


# --- quantiles and means


def test_v85_is_linear_inside_the_bin() -> None:
    """Of 100 vehicles 80 below 50, and 10 each to 55 and 60: the 85th is at 52.5."""
    found = figures({"histogram": [0] * 9 + [80, 10, 10, 0]})
    assert found["v85"].value == pytest.approx(52.5)
    assert not found["v85"].above


def test_percentiles_are_of_the_sum_and_never_averaged() -> None:
    """A busy slow hour and a quiet fast one."""
    rows: list[dict[str, Any]] = [
        {"histogram": [0] * 5 + [990, 0]},
        {"time": T + HOUR, "histogram": [0] * 15 + [10, 0]},
    ]
    assert figures(*rows)["v85"].value == pytest.approx(25 + 5 * 850 / 990)


def test_a_quantile_in_the_open_bin_is_only_known_to_be_above() -> None:
    found = figures({"histogram": [0] * 9 + [50, 50]})
    assert (found["v85"].value, found["v85"].above) == (50, True)
    assert (found["v50"].value, found["v50"].above) == (50, False)


def test_the_space_mean_is_harmonic_and_below_the_time_mean() -> None:
    """One vehicle at 7.5 km/h, one at 22.5."""
    found = figures({"histogram": [0, 1, 0, 0, 1, 0]})
    assert found["mean_space"].value == pytest.approx(2 / (1 / 7.5 + 1 / 22.5))
    assert found["mean_time"].value == 15


def test_without_histograms_there_is_only_the_sensors_mean() -> None:
    hours = make(
        frames.FLOW_BINS,
        [
            {"volume": 30.0, "speed_kmh": 40.0},
            {"volume": 10.0, "speed_kmh": 60.0},
            {"volume": 99.0},
        ],
    )
    found = figures(hours=hours)
    assert found["mean_time"].value == 45
    for name in ("v85", "mean_space", "above_limit"):
        assert found[name].reason == Reason("no-histograms"), name
    assert figures()["mean_time"].reason == Reason("no-speeds")


def test_the_sensors_mean_has_the_passport_of_the_hours_with_a_speed() -> None:
    """Half an hour with speeds, an hour without, one excluded; no histogram."""
    shares = {"normalised": 0.0, "imputed": 0.0, "excluded": 0.0}
    hours = make(
        frames.FLOW_BINS,
        [
            {"volume": 30.0, "speed_kmh": 40.0, "observed": 0.5, "normalised": 0.5},
            {"volume": 30.0, "observed": 1.0},
            {"observed": 0.0, "excluded": 1.0},
        ],
        **shares,
    )
    found = figures(hours=hours, expected=4)
    passport = found["mean_time"].passport
    assert (passport.observed, passport.normalised) == (0.125, 0.125)
    assert passport.excluded == 0.25
    assert found["v85"].passport.observed == 0


@pytest.mark.parametrize(
    ("limit", "share"), [(50.0, 0.2), (52.5, 0.15), (10.0, 1.0), (60.0, 0.0)]
)
def test_share_above_the_limit(limit: float, share: float) -> None:
    found = figures({"histogram": [0] * 9 + [80, 10, 10, 0]}, limit_kmh=limit)
    assert found["above_limit"].value == pytest.approx(share)


def test_a_limit_in_the_open_bin_tells_nothing() -> None:
    histogram = {"histogram": [0] * 9 + [50, 50]}
    assert figures(histogram, limit_kmh=70)["above_limit"].reason == Reason(
        "open-bin", 50
    )
    assert figures(histogram, limit_kmh=50)["above_limit"].value == 0.5
    assert figures(histogram)["above_limit"].reason == Reason("no-limit")


@pytest.mark.parametrize(
    ("histogram", "rows"),
    [
        ([0, 3, 0, 1, 0], [(5, 10, 3), (10, 15, 0), (15, 20, 1)]),
        ([0, 3, 0, 1], [(5, 10, 3), (10, 15, 0), (15, None, 1)]),
    ],
    ids=["closed", "open"],
)
def test_distribution(
    histogram: Sequence[int], rows: Sequence[tuple[float, float | None, int]]
) -> None:
    found = speeds(
        merged(readings({"histogram": histogram})),
        frames.empty(frames.FLOW_BINS),
        limit_kmh=None,
        expected=1,
        lanes=1,
    ).table
    assert found is not None
    assert found.select("from_kmh", "to_kmh", "vehicles").rows() == rows
    assert found["share"].sum() == 1


def test_the_passport_tells_the_time_covered_and_what_was_rebinned() -> None:
    found = figures(
        {"histogram": [1, 2, 0], "interval_s": 900},
        {"histogram": [0, 1, 0], "interval_s": 900, "histogram_width_kmh": 10.0},
    )
    passport = found["v85"].passport
    assert (passport.observed, passport.normalised) == (0.375, 0.125)
    assert passport.missing == 0.5


def test_a_device_that_reaches_beyond_the_grid() -> None:
    """Its open bin begins at 300 km/h; the grid's last one, open too, at 250."""
    found = figures({"histogram": [0, 3], "histogram_from_kmh": 295.0})
    assert (found["v85"].value, found["v85"].above) == (250, True)
    assert found["mean_space"].above


def test_what_was_excluded_is_not_missing() -> None:
    found = figures({"histogram": [1, 2, 0], "interval_s": 900}, excluded_s=1800)
    passport = found["v85"].passport
    assert (passport.observed, passport.excluded) == (0.25, 0.5)
    assert passport.missing == 0.25
