"""Imputation: which hours, by which method, and what is never touched."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from analytics.forecast.grid import Floats
from analytics.imputation import choice, methods
from analytics.imputation.impute import impute
from tests.frames import installed
from tests.unit.analytics.test_forecast import (
    HOUR,
    NOW,
    PLACE,
    ROWS,
    START,
    as_grid,
    as_volumes,
    counted,
)

ATTACHED = installed(*({"channel_id": n} for n in (1, 2, 3)))


def imputed(values: Floats, **changes: pl.DataFrame) -> pl.DataFrame:
    given = {"installed": ATTACHED, **changes}
    return impute(as_volumes(values), given["installed"], PLACE, since=START, until=NOW)


def with_gap(first: int, length: int, *, channel: int = 1) -> Floats:
    values = counted()
    values[first : first + length, channel - 1] = np.nan
    return values


@pytest.mark.parametrize("length", [1, 3, 20, 100, 300])
def test_a_gap_is_filled_near_what_came(length: int) -> None:
    found = imputed(with_gap(800, length))
    came = counted()[800 : 800 + length, 0]
    assert found["channel_id"].unique().to_list() == [1]
    assert found["time"].to_list() == [START + (800 + n) * HOUR for n in range(length)]
    assert set(found["gap_h"]) == {length}
    missed = np.abs(found["volume"].to_numpy() - came).sum() / came.sum()
    assert missed < 0.25
    assert found.select(pl.col("volume").is_between("low", "high").all()).item()


def test_nothing_missing_is_nothing_imputed() -> None:
    assert imputed(counted()).is_empty()


def test_only_what_was_installed_is_imputed() -> None:
    since = START + 805 * HOUR
    some = installed(
        {"channel_id": 1, "since": since}, *({"channel_id": n} for n in (2, 3))
    )
    found = imputed(with_gap(800, 10), installed=some)
    assert found["time"].min() == since
    assert found.height == 5


def test_gaps_beyond_four_weeks_stay_missing() -> None:
    assert imputed(with_gap(200, 28 * 24)).height == 28 * 24
    assert imputed(with_gap(200, 28 * 24 + 1)).is_empty()


def test_a_channel_known_for_less_than_a_week_is_not_imputed() -> None:
    values = counted()
    values[: ROWS - 160, 0] = np.nan
    some = installed(
        {"channel_id": 1, "since": START + (ROWS - 160) * HOUR},
        *({"channel_id": n} for n in (2, 3)),
    )
    values[ROWS - 10, 0] = np.nan
    assert imputed(values, installed=some).is_empty()


def test_a_gap_that_lasts_is_imputed_from_one_side() -> None:
    found = imputed(with_gap(ROWS - 6, 6))
    came = counted()[-6:, 0]
    assert found.height == 6
    assert np.abs(found["volume"].to_numpy() - came).sum() < 0.3 * came.sum()


def test_a_town_that_is_silent_altogether_is_imputed_by_its_profile() -> None:
    values = counted()
    values[800:848] = np.nan
    found = imputed(values)
    assert found.height == 3 * 48
    assert found["volume"].is_finite().all()


def test_the_hour_that_comes_twice_is_imputed_twice() -> None:
    start = datetime(2026, 9, 1, 22, tzinfo=UTC)
    values = counted(start=start)
    # 25 October, 2 o'clock in Berlin, both of them
    gap = datetime(2026, 10, 25, 0, tzinfo=UTC)
    first = (gap - start) // HOUR
    values[first : first + 2, 0] = np.nan
    until = start + ROWS * HOUR
    found = impute(
        as_volumes(values, start=start), ATTACHED, PLACE, since=start, until=until
    )
    assert found["time"].to_list() == [gap, gap + HOUR]
    local = found["time"].dt.convert_time_zone("Europe/Berlin")
    assert local.dt.date().unique().to_list() == [date(2026, 10, 25)]
    assert local.dt.hour().to_list() == [2, 2]


def test_the_method_that_misses_least_is_chosen() -> None:
    chosen = choice.choose(as_grid(counted()), 24, share=0.9)
    assert chosen.errors.keys() == methods.METHODS.keys()
    assert chosen.errors[chosen.method] == min(chosen.errors.values())
    # a straight line over a day knows no morning
    assert chosen.errors["linear"] > 2 * chosen.errors["seasonal"]
    # levels are the town's, so what the others do tells more than the own profile
    assert chosen.errors["seasonal-network"] < 0.7 * chosen.errors["seasonal"]


def test_too_little_to_measure_takes_what_did_best_elsewhere() -> None:
    chosen = choice.choose(as_grid(counted()[:150, :1]), 4, share=0.9)
    assert chosen.method == choice.DEFAULT


def test_made_gaps_have_their_length_and_the_same_place_each_time() -> None:
    grid = as_grid(counted())
    hidden = choice.hide(grid, 24)
    assert (hidden == choice.hide(grid, 24)).all()
    assert 0.04 < hidden.mean() < 0.1
    edge = np.diff(np.vstack([np.zeros((1, 3)), hidden, np.zeros((1, 3))]), axis=0)
    lengths = np.flatnonzero(edge[:, 0] < 0) - np.flatnonzero(edge[:, 0] > 0)
    assert lengths.min() >= 24


def test_lengths_of_gaps_fall_into_classes() -> None:
    lengths = np.array([1, 2, 4, 5, 24, 25, 168, 500])
    assert choice.length_class(lengths).tolist() == [1, 4, 4, 24, 24, 168, 168, 168]


def test_a_bridge_meets_its_edges_and_fades() -> None:
    values = counted()
    values[600:648, 0] = np.nan
    # the channel ran at half of what is usual before its gap
    values[560:600, 0] /= 2
    town = methods.town(as_grid(values))
    ratio = (
        methods.bridged(town)[600:648, 0] / methods.seasonal_network(town)[600:648, 0]
    )
    assert ratio[0] < 0.85
    assert 0.9 < ratio[40] < 1.1


def test_neighbours_take_the_median_of_regressions() -> None:
    values = counted(channels=6)
    came = values[900:924, 0].copy()
    values[900:924, 0] = np.nan
    # one neighbour broken during the gap does not decide
    values[900:924, 1] = 0
    found = methods.neighbours(methods.town(as_grid(values)))[900:924, 0]
    assert np.abs(found - came).sum() < 0.25 * came.sum()


def test_days_apart_do_not_matter_to_the_line() -> None:
    values = np.array([[1.0], [np.nan], [np.nan], [4.0], [np.nan]])
    town = methods.Town(values, 1, values, values, values)
    assert methods.linear(town)[:, 0].tolist() == [1, 2, 3, 4, 4]


def test_edges_of_gaps() -> None:
    known = np.array([[False], [True], [False], [False], [True]])
    before, after = methods.edges(known)
    assert before[:, 0].tolist() == [-1, 1, 1, 1, 4]
    assert after[:, 0].tolist() == [1, 1, 4, 4, 4]


def test_the_interval_is_wide_enough_for_hours_that_were_not_measured() -> None:
    grid = as_grid(counted(7))
    gaps = choice.hide(grid, 24, seed=5)
    holed = grid.without(gaps)
    chosen = choice.choose(holed, 24, share=0.9)
    estimate = methods.METHODS[chosen.method](methods.town(holed))[gaps]
    low, high = chosen.bands.around(estimate)
    came = grid.values[gaps]
    assert 0.8 < ((came >= low) & (came <= high)).mean() < 0.98
