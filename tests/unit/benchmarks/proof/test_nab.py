"""The scorer of the Numenta Anomaly Benchmark, by hand and by its extremes."""

from datetime import timedelta
from math import exp
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.proof import nab
from tests.frames import utc

#: The false alarms of a file of 100 rows count from row 15 on.
ROWS = 100


def file(*windows: tuple[int, int]) -> nab.File:
    start = utc("2026-01-01")
    rows = pl.DataFrame(
        {
            "time": [start + timedelta(minutes=n) for n in range(ROWS)],
            "value": [0.0] * ROWS,
        }
    )
    return nab.File(name="folder/file.csv", rows=rows, windows=windows)


def alarms(*rows: int, score: float = 1.0) -> nab.Array:
    result = np.zeros(ROWS)
    result[list(rows)] = score
    return result


def sigmoid(place: float) -> float:
    return 2 / (1 + exp(5 * place)) - 1


def result(*rows: int) -> float | None:
    return nab.tally([file((50, 59))], [alarms(*rows)]).at(0.5)


class TestOneWindow:
    """Ten rows, 50 to 59: found is worth 1 more than 0, missed 1 less: 200 in all."""

    def test_no_alarm(self) -> None:
        assert result() == 0

    def test_perfect(self) -> None:
        assert result(50) == pytest.approx(100)

    def test_later_is_worth_less(self) -> None:
        # row 54 is six tenths of the window before its end
        assert result(54) == pytest.approx(50 * (1 + sigmoid(-0.6) / sigmoid(-1)))

    def test_only_the_best_row_counts(self) -> None:
        assert result(50, 51, 59) == result(50)

    def test_false_alarm_before(self) -> None:
        assert result(40, 50) == pytest.approx(100 - 50 * 0.11)

    def test_false_alarm_behind_is_cheaper_near_the_window(self) -> None:
        # row 60 is one row behind, of nine
        assert result(50, 60) == pytest.approx(100 + 50 * 0.11 * sigmoid(1 / 9))
        assert result(50, 99) == pytest.approx(100 - 50 * 0.11)

    def test_beginning_is_not_scored(self) -> None:
        assert result(14, 50) == pytest.approx(100)
        assert result(15, 50) == pytest.approx(100 - 50 * 0.11)


class TestThreshold:
    def test_best_of_all_files_together(self) -> None:
        files = [file((50, 59)), file((50, 59))]
        quiet, loud = alarms(50, score=0.3), alarms(50, score=0.9)
        loud[20] = 0.2
        found = nab.tally(files, [quiet, loud])
        assert found.best_threshold() == 0.3
        assert found.at(0.3) == pytest.approx(100)
        assert found.at(0.9) == pytest.approx(50)

    def test_rows_of_one_score_are_alarms_together(self) -> None:
        """The threshold cannot take the hit and leave the false alarms."""
        found = nab.tally([file((50, 59))], [alarms(*range(45, 51))])
        assert found.at(found.best_threshold()) == pytest.approx(100 - 5 * 50 * 0.11)

    def test_useless_detector_is_better_without_alarms(self) -> None:
        found = nab.tally([file((50, 59))], [alarms(20, 30)])
        assert found.at(found.best_threshold()) == 0

    def test_files_without_windows_have_no_result(self) -> None:
        assert nab.tally([file()], [alarms(20)]).at(0.5) is None


class TestEvents:
    def test_share_found_within_the_budget(self) -> None:
        files = [file((50, 59)), file((50, 59))]
        scores = [alarms(52, score=0.9), alarms(53, score=0.4)]
        scores[0][20] = 0.5
        # 150 rows outside: 5 in 1000 allow none, 7 allow one
        assert nab.events(files, scores, budget=5) == 0.5
        assert nab.events(files, scores, budget=7) == 1

    def test_silence_finds_nothing(self) -> None:
        assert nab.events([file((50, 59))], [alarms()], budget=1000) == 0


@pytest.fixture
def benchmark_data(data: Path) -> Path:
    return data / "nab_full"


class TestData:
    def test_files(self, benchmark_data: Path) -> None:
        files = nab.read(benchmark_data)
        assert len(files) == 58
        assert sum(len(each.rows) for each in files) == 365_558
        assert sum(len(each.windows) for each in files) == 116

    def test_extremes(self, benchmark_data: Path) -> None:
        files = nab.read(benchmark_data)

        def silent(rows: pl.DataFrame) -> pl.DataFrame:
            return rows.with_columns(score=pl.lit(0.0))

        def perfect(rows: pl.DataFrame) -> pl.DataFrame:
            score = np.zeros(len(rows))
            for each in files:
                if each.rows.equals(rows):
                    score[[first for first, _ in each.windows]] = 1
            return rows.with_columns(score=score)

        assert nab.measure(benchmark_data, silent)["nab_standard"] == 0
        best = nab.measure(benchmark_data, perfect)
        assert best["nab_standard"] == pytest.approx(100)
        assert best["nab_realtraffic"] == pytest.approx(100)
        assert best["nab_event_recall"] == 1
