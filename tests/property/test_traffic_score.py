"""What must hold for the traffic score: nothing later, and no order, has a say."""

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analytics.scores import score, traffic

START = datetime(2026, 3, 2)  # noqa: DTZ001 - a Monday, on the local clock
HOURS = 5 * 168


def town(
    seed: int, series: int = 6, hours: int = HOURS, *, sound: bool = False
) -> pl.DataFrame:
    """Counts with a rhythm; unless sound, a halved week, a stuck run, holes."""
    dice = np.random.default_rng(seed)
    hour = np.arange(hours)
    rhythm = 1.2 + np.sin((hour % 24 - 9) / 24 * 2 * np.pi)
    week = np.where(hour // 24 % 7 < 5, 1.0, 0.6)
    level = dice.uniform(5, 300, (series, 1))
    counts = dice.poisson(level * rhythm * week).astype(float)
    if not sound:
        _spoil(counts, dice)
    times = [START + timedelta(hours=int(h)) for h in hour]
    return pl.DataFrame(
        {
            "key": np.repeat([f"s{n}" for n in range(series)], hours),
            "time": times * series,
            "value": counts.ravel(),
        }
    ).with_columns(pl.col("value").fill_nan(None))


def _spoil(counts: traffic.Floats, dice: np.random.Generator) -> None:
    counts[0, -200:] = dice.binomial(counts[0, -200:].astype(int), 0.5)
    counts[1, -60:-40] = counts[1, -61]
    counts[2, -30:-20] = 0
    counts[3, 500:520] = np.nan


def same(one: pl.DataFrame, other: pl.DataFrame) -> None:
    order = ["key", "time"]
    assert_frame_equal(one.sort(order), other.sort(order), abs_tol=1e-6)


@settings(max_examples=5)
@given(seed=st.integers(0, 99), cut=st.integers(1, HOURS - 1))
def test_what_comes_later_changes_no_score_and_no_case(seed: int, cut: int) -> None:
    rows = town(seed)
    past = rows.filter(pl.col("time") < START + timedelta(hours=cut))
    known = score.scores(rows).filter(pl.col("time") < START + timedelta(hours=cut))
    same(score.scores(past), known)


@settings(max_examples=5)
@given(seed=st.integers(0, 99), cut=st.integers(1, 400))
def test_series_that_begin_later_change_nothing(seed: int, cut: int) -> None:
    begins = START + timedelta(hours=400)
    rows = town(seed, series=9, hours=500).filter(
        (pl.col("key") < "s6") | (pl.col("time") >= begins)
    )
    past = rows.filter(pl.col("time") < START + timedelta(hours=cut))
    known = score.scores(rows).filter(pl.col("time") < START + timedelta(hours=cut))
    order = ["key", "time"]
    found = score.scores(past).sort(order)
    assert_frame_equal(found, known.sort(order), rel_tol=0, abs_tol=1e-12)


@pytest.mark.parametrize("cut", [1, 9, 10, 11])
def test_first_rows_are_what_they_are_without_those_after(cut: int) -> None:
    rows = town(1, series=2, hours=30, sound=True).with_columns(
        value=pl.when(pl.col("time").dt.hour() != 4).then("value")
    )
    past = rows.filter(pl.col("time") < START + timedelta(hours=cut))
    known = score.scores(rows).filter(pl.col("time") < START + timedelta(hours=cut))
    assert_frame_equal(score.scores(past), known)


@settings(max_examples=5)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(1, HOURS - 1), max_size=6))
def test_live_rows_are_judged_like_those_of_a_file(seed: int, cuts: list[int]) -> None:
    rows = town(seed)
    state = traffic.Traffic(3600)
    edges = [0, *sorted(set(cuts)), HOURS]
    parts = [
        state.push(
            rows.filter(
                pl.col("time").is_between(
                    START + timedelta(hours=first),
                    START + timedelta(hours=last),
                    closed="left",
                )
            )
        )
        for first, last in pairwise(edges)
    ]
    same(pl.concat(parts), traffic.scores(rows))


@settings(max_examples=5)
@given(seed=st.integers(0, 99))
def test_order_and_repetition_of_rows_change_nothing(seed: int) -> None:
    rows = town(seed)
    shuffled = pl.concat([rows, rows.sample(50, seed=seed)]).sample(
        fraction=1, shuffle=True, seed=seed
    )
    judged = traffic.scores(shuffled)
    assert_frame_equal(judged.select("key", "time"), shuffled.select("key", "time"))
    same(judged.unique(["key", "time"]), traffic.scores(rows))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_days_of_the_clock_change_are_judged_throughout(zone: str) -> None:
    rows = town(3).with_columns(
        pl.col("time").dt.replace_time_zone("UTC") + timedelta(days=14)
    )
    judged = traffic.scores(rows, zone=zone)
    assert judged["score"].is_finite().all()
    assert len(judged) == len(rows)
