"""Counts times the factor that holds."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from analytics.frames import CALIBRATIONS
from analytics.volumes.calibration import calibrated
from analytics.volumes.volume import volumes
from tests.frames import counts, utc

T = utc("2026-11-18 00:00")
DAY = T + timedelta(days=1)


def factors(*rows: tuple[datetime, datetime, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(1, *row) for row in rows], schema=dict(CALIBRATIONS), orient="row"
    )


def day(car: int, *, bus: int | None = None, every_s: int = 60) -> pl.DataFrame:
    times = [T + timedelta(seconds=every_s) * n for n in range(86_400 // every_s)]
    return counts(
        *({"time": t, "interval_s": every_s, "car": car, "bus": bus} for t in times)
    )


@pytest.mark.parametrize("every_s", [60, 300, 900, 3600])
@pytest.mark.parametrize("factor", [0.93, 1.05, 1.37])
def test_each_hour_is_right_to_one_and_a_day_to_a_few(
    every_s: int, factor: float
) -> None:
    raw = day(3, bus=1, every_s=every_s)
    found = volumes(calibrated(raw, factors((T, DAY, factor))))
    hours = found.filter(pl.col("interval_s") == 3600)
    per_hour = 3600 // every_s
    assert ((hours["volume"] - factor * 4 * per_hour).abs() <= 1).all()
    assert ((hours["bus"] - factor * per_hour).abs() <= 1).all()
    assert (hours["volume"] == hours["car"] + hours["bus"]).all()
    assert hours["volume"].sum() == pytest.approx(factor * raw.height * 4, abs=2)
    quarters = found.filter(pl.col("interval_s") == 900)
    if every_s <= 900:
        assert quarters["volume"].sum() == hours["volume"].sum()


def test_few_vehicles_an_hour_are_not_all_rounded_away() -> None:
    # 1.05 x 1 is 1 in each hour, which is no correction at all
    found = calibrated(day(1, every_s=3600), factors((T, DAY, 1.05)))
    assert 24 <= found["car"].sum() <= 27
    found = calibrated(day(1, every_s=3600), factors((T, DAY, 1.5)))
    assert found["car"].sum() == pytest.approx(36, abs=1)


def test_a_factor_holds_within_its_period_and_unknown_stays_unknown() -> None:
    noon = T + timedelta(hours=12)
    raw = day(10, every_s=3600)
    found = calibrated(raw, factors((noon, DAY, 2.0)))
    assert found["car"].to_list() == [10] * 12 + [20] * 12
    assert found["bus"].null_count() == 24
    later = factors((noon, DAY, 2.0)).with_columns(
        channel_id=pl.lit(2, CALIBRATIONS["channel_id"])
    )
    assert calibrated(raw, later)["car"].to_list() == [10] * 24


def test_a_sum_and_its_classes_go_the_same_way() -> None:
    raw = day(3, bus=1, every_s=900).with_columns(total=pl.lit(4, pl.Int32))
    found = calibrated(raw, factors((T, DAY, 1.1)))
    hours = found.group_by_dynamic("time", every="1h").agg(
        pl.sum("total", "car", "bus")
    )
    assert (hours["total"] == hours["car"] + hours["bus"]).all()
