"""Forecasts: what they are made of, and that nothing later is in them."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from analytics import frames
from analytics.forecast import grid, horizons, model, ratio
from analytics.forecast.grid import Floats, Grid, Place
from analytics.forecast.profile import median, profile
from tests.frames import volumes

HOUR = timedelta(hours=1)
PLACE = Place("Europe/Berlin", "RP")
WEEKS = 10
#: Wednesday, 10:00 in Berlin; the ten weeks before have no change of clocks
NOW = datetime(2026, 9, 16, 8, tzinfo=UTC)
START = NOW - timedelta(weeks=WEEKS)
ROWS = WEEKS * 168


def counted(seed: int = 1, *, channels: int = 3, start: datetime = START) -> Floats:
    """Daily and weekly shapes with levels that last for some days, counted."""
    dice = np.random.default_rng(seed)
    hour = (np.arange(ROWS) + start.hour + 2) % 24
    shape = 40 + 300 * np.exp(-(((hour - 16) / 4) ** 2))
    weather = np.repeat(dice.lognormal(0, 0.3, ROWS // 24), 24)
    levels = np.linspace(1, 2, channels)
    return dice.poisson(shape[:, None] * weather[:, None] * levels).astype(np.float64)


def as_volumes(values: Floats, *, start: datetime = START) -> pl.DataFrame:
    rows, columns = np.nonzero(np.isfinite(values))
    return pl.DataFrame(
        {
            "channel_id": columns + 1,
            "interval_s": 3600,
            "time": pl.Series(rows * 3_600_000_000).cast(pl.Duration("us")) + start,
            "observed_s": 3600,
            "volume": values[rows, columns],
        },
    ).cast(pl.Schema(frames.BIN_VOLUMES))


def as_grid(values: Floats, *, start: datetime = START) -> Grid:
    return grid.from_values(
        values,
        PLACE,
        channels=tuple(range(1, values.shape[1] + 1)),
        interval_s=3600,
        start=start,
    )


def test_an_hour_observed_to_less_than_half_is_unknown_not_zero() -> None:
    found = grid.make(
        volumes(
            {"time": START, "observed_s": 1799, "volume": 5},
            {"time": START + HOUR, "observed_s": 1800, "volume": 5},
            {"time": START + 2 * HOUR, "volume": 0},
        ),
        PLACE,
        interval_s=3600,
        start=START,
        end=START + 4 * HOUR,
    )
    assert found.values[:, 0].tolist() == pytest.approx(
        [np.nan, 10, 0, np.nan], nan_ok=True
    )


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)]
)
def test_days_of_changing_clocks_have_their_hours(day: date, hours: int) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    found = as_grid(np.zeros((96, 1)), start=start)
    bins = found.bin[found.day == found.days.index(day)].tolist()
    assert len(bins) == hours
    assert (2 in bins) == (hours == 25)
    assert bins.count(2) == (2 if hours == 25 else 0)
    times = found.times(np.arange(96))
    assert all(b - a == HOUR for a, b in pairwise(times.to_list()))


def test_the_profile_follows_the_local_clock_over_a_change_of_clocks() -> None:
    # 25 October: one hour more; a peak at 8 o'clock local time on each day
    start = datetime(2026, 9, 1, 22, tzinfo=UTC)
    found = as_grid(np.zeros((70 * 24, 1)), start=start)
    values = np.where(found.bin == 8, 100.0, 10.0)[:, None]
    usual = profile(as_grid(values, start=start), side="before")
    known = np.isfinite(usual)
    assert (usual[known] == values[known]).all()
    assert known[-24:].all()


def test_a_public_holiday_has_the_profile_of_sundays() -> None:
    # Saturday 3 October is one; Sundays count a tenth
    start = datetime(2026, 8, 2, 22, tzinfo=UTC)
    found = as_grid(np.zeros((63 * 24, 1)), start=start)
    sunday = np.array([day.weekday() == 6 for day in found.days])
    values = np.where(sunday[found.day], 10.0, 100.0)[:, None]
    usual = profile(as_grid(values, start=start), side="before")
    holiday = found.day == found.days.index(date(2026, 10, 3))
    assert set(usual[holiday, 0]) == {10.0}


def test_the_median_leaves_unknown_samples_out() -> None:
    samples = np.array([[1.0, np.nan], [np.nan, np.nan], [4.0, 2.0]])
    assert median(samples).tolist() == [2.5, 2]
    assert np.isnan(median(samples, fewest=2)[1])
    assert np.isnan(median(samples[:0])).all()


def test_ratios_at_night_do_not_blow_up() -> None:
    found = ratio.ratio(np.array([40.0, 3.0]), np.array([0.0, 0.0]))
    assert np.exp(found).max() < 5
    assert ratio.volume(np.array([0.0]), np.array([9.0]))[0] < 11


def test_means_of_ratios_fade_where_nothing_is_known() -> None:
    ratios = np.full((50, 1), np.nan)
    ratios[:10] = 1.0
    found = ratio.smoothed(ratios, 4)[:, 0]
    assert 0.5 < found[9] < 1
    assert 0 < found[-1] < 0.01
    assert (np.diff(found[9:]) < 0).all()


def test_a_forecast_is_better_than_the_profile_and_its_interval_holds() -> None:
    known = model.past(as_grid(counted()))
    until = ROWS - 14 * 24
    weights = model.fit(known, 1, until=until, share=0.9)
    rows = slice(until, ROWS)
    estimate, came = model.predict(known, weights, rows), known.grid.values[rows]
    missed = np.abs(estimate - came).sum() / came.sum()
    by_profile = np.abs(known.profile[rows] - came).sum() / came.sum()
    assert missed < 0.7 * by_profile
    low, high = weights.bands.around(estimate)
    assert 0.8 < ((came >= low) & (came <= high)).mean() < 0.97


def test_a_fit_to_some_rows_is_near_that_to_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = model.past(as_grid(counted()))
    rows = slice(ROWS - 48, ROWS)
    of_all = model.predict(
        known, model.fit(known, 1, until=rows.start, share=0.9), rows
    )
    monkeypatch.setattr(model, "MAX_FIT_VOLUMES", 1000)
    of_some = model.predict(
        known, model.fit(known, 1, until=rows.start, share=0.9), rows
    )
    assert 0 < np.abs(of_some - of_all).mean() < 0.05 * of_all.mean()


def test_forecasts_name_their_intervals() -> None:
    found = horizons.forecast(
        as_volumes(counted()),
        PLACE,
        interval_s=3600,
        now=NOW + timedelta(minutes=40),
        weeks=WEEKS,
    )
    first = found.filter(pl.col("channel_id") == 1)
    assert first["time"].to_list() == [NOW + n * HOUR for n in range(24)]
    assert first["lead_s"].to_list() == [3600 * n for n in range(1, 25)]
    assert set(found["made_at"]) == {NOW}
    assert found.select((pl.col("low") <= pl.col("volume")).all()).item()
    assert found.select((pl.col("high") >= pl.col("volume")).all()).item()


def test_little_history_gives_no_forecast() -> None:
    for rows in (0, 24, 8 * 24):
        values = counted()[ROWS - rows :]
        found = horizons.forecast(
            as_volumes(values, start=NOW - rows * HOUR),
            PLACE,
            interval_s=3600,
            now=NOW,
            weeks=WEEKS,
        )
        assert found.is_empty()


def test_a_channel_without_history_has_none_beside_others_that_have() -> None:
    values = counted()
    values[: ROWS - 24, 2] = np.nan
    found = horizons.forecast(
        as_volumes(values), PLACE, interval_s=3600, now=NOW, weeks=WEEKS
    )
    assert set(found["channel_id"]) == {1, 2}
