"""A manual count beside a sensor."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics.frames import VOLUMES
from analytics.studies.manual_count import (
    TAPS,
    Comparison,
    comparable,
    compare,
    ratio,
    student_t,
)
from analytics.volumes.volume import volumes as summed
from tests import frames
from tests.frames import utc
from verkehrspuls.manual_counts import Way
from verkehrspuls.settings import Acceptance

T = utc("2026-11-18 08:00")
QUARTER = timedelta(minutes=15)
EAST = Way("motor", "ost", "Ost", [1, 2], ["tls-2+1", "tls-2+1"])


def taps(*rows: tuple[datetime, str, int], direction: str = "ost") -> pl.DataFrame:
    found = [(time, "motor", direction, name, n) for time, name, n in rows]
    return pl.DataFrame(found, schema=dict(TAPS), orient="row")


def volumes(*rows: tuple[int, datetime, int, int], **same: Any) -> pl.DataFrame:
    usual = {name: None for name in VOLUMES} | {"interval_s": 900, "observed_s": 900}
    found = [
        usual
        | {"channel_id": channel, "time": time, "volume": car + truck, "gap_s": 0}
        | {"car": car, "truck": truck}
        | same
        for channel, time, car, truck in rows
    ]
    return pl.DataFrame(found, schema=dict(VOLUMES))


def hour(cars: list[int], measured: list[int], **rates: Any) -> Comparison:
    """Compare quarter-hours, of which two channels measured halves."""
    times = [T + n * QUARTER for n in range(len(cars))]
    bins = [
        (channel, time, count // 2 + (count % 2) * (channel == 1), 0)
        for time, count in zip(times, measured, strict=True)
        for channel in (1, 2)
    ]
    return compare(
        taps(*((time, "car", n) for time, n in zip(times, cars, strict=True))),
        volumes(*bins),
        (EAST,),
        began=T,
        ended=T + len(cars) * QUARTER,
        rates=Acceptance(**rates),
    )


def test_a_sensor_that_keeps_its_rates_is_accepted_with_its_factor() -> None:
    found = hour([100, 110, 90, 100], [98, 107, 88, 97])
    (whole, cars, trucks), (spread,), (factor,) = (
        found.sums,
        found.spreads,
        found.factors,
    )
    assert (whole.counted, whole.measured, whole.verdict) == (400, 390, "kept")
    assert whole.deviation_pct == pytest.approx(-2.5)
    assert (cars.name, cars.verdict) == ("car", "kept")
    assert (trucks.name, trucks.verdict) == ("truck", "few")
    assert spread.deviation_pct == pytest.approx(2.5)
    assert factor.factor == pytest.approx(400 / 390)
    assert (factor.quarters, found.common, found.accepted) == (4, 4, True)


def test_a_sensor_that_reports_hours_is_compared_by_hours() -> None:
    times = [T + n * timedelta(hours=1) for n in range(4)]
    found = compare(
        taps(*((t + n * QUARTER, "car", 25) for t in times for n in range(4))),
        volumes(
            *((c, t, 48, 0) for c in (1, 2) for t in times), interval_s=3600
        ).with_columns(observed_s=pl.lit(3600)),
        (EAST,),
        began=T - QUARTER,
        ended=T + timedelta(hours=4),
        rates=Acceptance(),
    )
    whole = [q for q in found.quarters if q.name == "all"]
    assert [(q.time, q.counted, q.measured, q.interval_s) for q in whole] == [
        (t, 100, 96, 3600) for t in times
    ]
    assert (found.factors[0].quarters, found.common, found.accepted) == (4, 4, True)


@pytest.mark.parametrize(
    ("minutes", "steps"),
    [(5, {900, 3600}), (15, {900, 3600}), (10, {3600}), (60, {3600}), (7, set())],
)
def test_only_bins_that_intervals_divide_are_compared(
    minutes: int, steps: set[int]
) -> None:
    interval = timedelta(minutes=minutes)
    times = [T + n * interval for n in range(timedelta(hours=2) // interval)]
    readings = frames.counts(
        *({"time": time, "total": 40} for time in times), interval_s=minutes * 60
    )
    found = comparable(summed(readings), readings)
    assert set(found["interval_s"]) == steps


def test_hours_are_not_compared_where_there_are_quarter_hours() -> None:
    quarters = volumes((1, T, 10, 0), (2, T, 10, 0))
    hours = volumes((1, T, 80, 0), (2, T, 80, 0), interval_s=3600, observed_s=3600)
    found = compare(
        taps((T, "car", 20)),
        quarters.vstack(hours),
        (EAST,),
        began=T,
        ended=T + timedelta(hours=1),
        rates=Acceptance(),
    )
    assert {(q.time, q.interval_s) for q in found.quarters} == {(T, 900)}


def test_errors_that_cancel_out_are_seen_in_the_quarter_hours() -> None:
    found = hour([100, 100, 100, 100], [120, 80, 120, 80])
    assert found.sums[0].verdict == "kept"
    assert (found.spreads[0].verdict, found.accepted) == ("missed", False)


def test_too_few_vehicles_or_quarter_hours_decide_nothing() -> None:
    assert hour([5, 5, 5, 5], [5, 5, 5, 5]).accepted is None
    short = hour([100, 100, 100], [100, 100, 100])
    assert (short.accepted, short.factors) == (None, ())
    assert hour([5] * 4, [5] * 4, vehicles=10).accepted is True


def test_only_what_both_counted_completely_is_compared() -> None:
    times = [T + n * QUARTER for n in range(4)]
    rows = [(1, t, 10, 0) for t in times] + [(2, t, 10, 0) for t in times[:3]]
    partly = volumes(*rows[:-1]).vstack(volumes(rows[-1], observed_s=600))
    found = compare(
        taps(*((t, "car", 20) for t in times)),
        partly,
        (EAST,),
        began=T + timedelta(seconds=1),
        ended=T + 4 * QUARTER,
        rates=Acceptance(),
    )
    # the first began before the count, the third has a gap, the fourth one channel only
    assert {q.time for q in found.quarters} == {times[1]}


def test_a_class_that_a_sensor_does_not_know_is_not_compared() -> None:
    way = Way("motor", "ost", "Ost", [1], ["total"])
    bins = volumes((1, T, 10, 0), car=None, truck=None, total=10)
    found = compare(
        taps((T, "car", 9), (T, "truck", 1)),
        bins,
        (way,),
        began=T,
        ended=T + QUARTER,
        rates=Acceptance(),
    )
    assert [(q.name, q.counted, q.measured) for q in found.quarters] == [
        ("all", 10, 10)
    ]


def test_nothing_counted_is_zero_where_the_person_was_there() -> None:
    found = hour([0, 0, 0, 0], [3, 0, 0, 0])
    assert (found.sums[0].counted, found.sums[0].deviation_pct) == (0, None)
    assert found.factors == ()


def test_the_factor_and_its_uncertainty_are_those_of_the_ratio_estimate() -> None:
    found = ratio([(10, 9), (20, 19), (15, 15), (12, 11)])
    assert found is not None
    factor, uncertainty = found
    assert factor == pytest.approx(57 / 54)
    residuals = [10 - factor * 9, 20 - factor * 19, 15 - factor * 15, 12 - factor * 11]
    variance = sum(r * r for r in residuals) / (4 * 3) / 13.5**2
    assert uncertainty == pytest.approx(3.1824 * variance**0.5, rel=0.01)
    assert ratio([(10, 9)]) is None
    assert ratio([(10, 0), (10, 0)]) is None


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (7, 2.365), (31, 2.040)],
)
def test_quantiles_are_those_of_the_tables(degrees: int, expected: float) -> None:
    assert student_t(degrees) == pytest.approx(expected, rel=0.01)
