"""The general anomaly score: what it finds, what it leaves alone, what it promises."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from analytics.scores import general
from analytics.scores.novelty import Novelty
from analytics.scores.views import Level, Spread, TimeOfDay
from benchmarks.proof import nab
from tests.frames import utc

START = utc("2026-03-02 00:00")
DAY = 288


def series(values: nab.Array | list[float | None], **more: object) -> pl.DataFrame:
    """Rows of five minutes."""
    return pl.DataFrame(
        {
            "time": [START + timedelta(minutes=5 * n) for n in range(len(values))],
            "value": values,
            **more,
        },
        schema_overrides={"time": pl.Datetime("us", "UTC"), "value": pl.Float64},
    )


def alarms(values: nab.Array | list[float | None], *, since: int = DAY) -> list[int]:
    """Rows with an alarm, after a day to learn from."""
    score = general.scores(series(values))["score"].fill_null(0)
    return (since + np.flatnonzero(score.to_numpy()[since:] >= 0.5)).tolist()


def days(number: int) -> nab.Array:
    """A smooth daily course with some noise, between about 20 and 80."""
    row = np.arange(number * DAY)
    noise = np.random.default_rng(1).normal(0, 1, len(row))
    return 50 - 30 * np.cos(2 * np.pi * row / DAY) + noise


class TestFinds:
    def test_spike(self) -> None:
        values = days(7)
        values[6 * DAY] = 140
        assert alarms(values) == [6 * DAY]

    def test_usual_value_at_an_unusual_time(self) -> None:
        """At noon the value of midnight: only the time of day tells."""
        values = days(14)
        noon = 13 * DAY + DAY // 2
        values[noon : noon + 12] = 22
        assert set(alarms(values)) & set(range(noon, noon + 12))

    def test_shift_of_the_level_within_the_range(self) -> None:
        values = np.tile([0.0, 100.0, 50.0, 25.0, 75.0], 400)
        values[1500:1560] = 75
        assert set(alarms(values)) & set(range(1500, 1560))

    def test_value_between_two_that_are_usual(self) -> None:
        values = np.tile([0.0, 0.0, 100.0], 300)
        values[700] = 50
        assert alarms(values) == [700]

    def test_first_change_of_a_constant(self) -> None:
        values = np.full(600, 7.0)
        values[500] = 7.5
        assert alarms(values) == [500]

    def test_one_incident_is_few_alarms(self) -> None:
        values = days(7)
        values[6 * DAY : 6 * DAY + 100] += 90
        assert 1 <= len(alarms(values)) <= 4

    def test_forgotten_value_is_new_again(self) -> None:
        values = np.random.default_rng(2).normal(0, 1, 2 * general.MEMORY_ROWS)
        values[[1000, 1500, 8000]] = 30
        assert 1000 in (found := alarms(values))
        assert 1500 not in found
        assert 8000 in found


class TestLeavesAlone:
    def test_constant(self) -> None:
        assert alarms(np.full(1000, 7.0)) == []

    def test_steps_that_repeat(self) -> None:
        """From the second day on nothing is new."""
        values = np.tile(np.repeat([20.0, 80.0], DAY // 2), 10)
        assert alarms(values, since=2 * DAY) == []

    def test_start(self) -> None:
        noise = np.random.default_rng(1).normal(0, 1, general.WARM_UP_ROWS)
        assert alarms(noise, since=0) == []

    def test_noise_is_rarely_an_alarm(self) -> None:
        values = np.random.default_rng(1).normal(0, 1, 10_000)
        assert len(alarms(values)) <= 6


class TestFrame:
    def test_missing_value_has_no_score_and_leaves_no_trace(self) -> None:
        values = days(5).tolist()
        gaps: list[float | None] = [*values[:700], None, float("nan"), *values[700:]]
        plain = general.scores(
            series(values).with_columns(
                time=pl.when(pl.int_range(pl.len()) < 700)
                .then("time")
                .otherwise(pl.col("time") + timedelta(minutes=10))
            )
        )["score"].to_list()
        found = general.scores(series(gaps))["score"].to_list()
        assert found == [*plain[:700], None, None, *plain[700:]]

    def test_keys_are_series_of_their_own(self) -> None:
        a, b = series(days(4)), series(days(4) * 1000)
        both = pl.concat(
            [a.with_columns(key=pl.lit("a")), b.with_columns(key=pl.lit("b"))]
        )
        mixed = general.scores(both.sort("time", maintain_order=True))
        for key, alone in (("a", a), ("b", b)):
            expected = general.scores(alone)["score"]
            assert mixed.filter(key=key)["score"].to_list() == expected.to_list()

    def test_rows_come_back_in_the_order_given(self) -> None:
        rows = series(days(4))
        shuffled = rows.sample(fraction=1, shuffle=True, seed=3)
        found = general.scores(shuffled)
        assert found.drop("score").equals(shuffled)
        assert found.sort("time").equals(general.scores(rows))

    def test_no_rows(self) -> None:
        empty = general.scores(series([]))
        assert empty.schema["score"] == pl.Float64
        assert empty.is_empty()

    def test_unit_and_origin_do_not_matter(self) -> None:
        """Ranges are relative: 1/8 and 64 are exact in binary."""
        values = np.round(days(6) * 8) / 8
        assert alarms(values) == alarms(values * 8) == alarms(values * 8 + 64)

    def test_huge_values(self) -> None:
        assert alarms([*days(3).tolist(), 1e308, -1e308]) == [3 * DAY]


class TestNovelty:
    def test_distance_to_the_nearest_place(self) -> None:
        points = np.array([[0.0], [10.0], [10.5], [14.0]])
        found = Novelty(tolerance=0.1, memory=100).update(points)
        # the range is 0, 10, 10; 10.5 is within a tenth of it
        assert found.tolist() == [0, 1, 0, 0.4]

    def test_given_range(self) -> None:
        points, ranges = np.array([[0.0, 0.0], [3.0, 5.0]]), np.array([0.0, 20.0])
        found = Novelty(tolerance=0.1, memory=100).update(points, ranges)
        assert found.tolist() == [0, 0.25]


class TestViews:
    def test_level(self) -> None:
        found = Level().points([float(n) for n in range(100)])
        assert found[0].tolist() == [0, 0]
        assert found[-1].tolist() == [89.5, 59.5]

    def test_spread(self) -> None:
        found = Spread(weight=0.5).points([10, 20, 20])
        assert found.tolist() == [[10, 0], [15, 5], [17.5, 5]]

    def test_time_of_day(self) -> None:
        """Usual is the mean of day and weekday; on the first day it is unknown."""
        seconds = [86_400 * day for day in range(3)]
        found = TimeOfDay().points(seconds, [10.0, 30.0, 50.0])[:, 0]
        assert np.isnan(found[0])
        assert found[1:].tolist() == [20, 30]

    def test_weekday_is_trusted_the_more_it_is_known(self) -> None:
        seconds = [86_400 * day for day in range(29)]
        found = TimeOfDay().points(seconds, [float(day % 7 == 0) for day in range(29)])
        assert abs(found[28, 0]) < abs(found[14, 0]) < abs(found[7, 0])


def test_benchmark(data: Path) -> None:
    """The figures that the documentation states: NAB, one threshold for all files."""
    found = nab.measure(data / "nab_full", general.scores)
    assert found["nab_standard_at_alarm"] > 75
    assert found["nab_realtraffic_at_alarm"] > 85
    assert found["nab_event_recall"] > 0.85
