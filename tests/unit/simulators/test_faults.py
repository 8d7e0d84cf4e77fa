"""Faults: what a sensor makes of the truth."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from simulators.faults import Report, report
from simulators.scenario import Drift, Dropout, Recurrence, Stuck, Swapped
from simulators.sensor import messages
from simulators.street import passages
from simulators.town import SimulatedTown, load_towns
from simulators.world import DAY_S, World
from verkehrspuls.classes import SCHEMES

#: a Tuesday
DAY = int(datetime(2026, 11, 17, tzinfo=UTC).timestamp()) // DAY_S
QUIET = World(seed=1, towns=load_towns(), scenarios=())
WHEN = Recurrence(weekday=2, time="09:00", hours=4, every_weeks=1)
#: 9 to 13 h local time
DURING = slice(8 * 12, 12 * 12)


def hit(scenario: Any, *, day: int = DAY) -> tuple[Report, Report]:
    """What a sensor reports with a fault, and what it would without."""
    world = replace(QUIET, scenarios=(scenario,))
    town, sensor = scenario.municipality, scenario.sensor
    return report(world, town, sensor, day), report(QUIET, town, sensor, day)


def outside(mine: np.ndarray, usual: np.ndarray) -> bool:
    """Whether two days agree outside of the fault."""
    keep = np.ones(len(mine), dtype=bool)
    keep[DURING] = False
    return np.array_equal(mine[keep], usual[keep], equal_nan=mine.dtype.kind == "f")


def test_swapped_outputs_carry_each_other_s_counts() -> None:
    found, usual = hit(
        Swapped(
            key="s",
            text="",
            municipality="kaiserslautern",
            sensor="kamera-kaiserstrasse",
            pairs=(("1", "2"),),
            when=WHEN,
        )
    )
    for mine, theirs in (("1", "2"), ("2", "1")):
        for field in ("counts", "speed_kmh", "occupancy"):
            swapped = getattr(found.outputs[mine], field)
            assert np.array_equal(
                swapped[DURING],
                getattr(usual.outputs[theirs], field)[DURING],
                equal_nan=True,
            )
            assert outside(swapped, getattr(usual.outputs[mine], field))


def test_a_stuck_sensor_repeats_its_last_interval() -> None:
    found, usual = hit(
        Stuck(
            key="s",
            text="",
            municipality="landkreis-kusel",
            sensor="radar-altenglan",
            when=WHEN,
        )
    )
    for key, output in found.outputs.items():
        last = usual.outputs[key]
        row = DURING.start - 1
        assert (output.counts[DURING] == last.counts[row]).all()
        assert (output.speed_kmh[DURING] == last.speed_kmh[row]).all()
        assert output.histogram is not None
        assert last.histogram is not None
        assert (output.histogram[DURING] == last.histogram[row]).all()
        assert outside(output.counts, last.counts)


def test_a_stuck_sensor_repeats_over_midnight() -> None:
    stuck = Stuck(
        key="s",
        text="",
        municipality="linz-am-rhein",
        sensor="pegel-linz",
        when=Recurrence(weekday=1, time="20:00", hours=10, every_weeks=1),
    )
    found, _ = hit(stuck)
    before = report(QUIET, "linz-am-rhein", "pegel-linz", DAY - 1)
    # 20 h local time is 19 h UTC; six hours of ten lie before midnight UTC
    last = before.values["water_level_cm"][19 * 4 - 1]
    assert (found.values["water_level_cm"][: 5 * 4] == last).all()


def test_a_dropout_sends_nothing_and_its_numbers_go_on() -> None:
    scenario = Dropout(
        key="d",
        text="",
        municipality="eifelkreis-bitburg-pruem",
        sensor="radar-schoenecken",
        when=WHEN,
    )
    found, usual = hit(scenario)
    assert usual.sent.all()
    assert not found.sent[DURING].any()
    assert outside(found.sent, usual.sent)
    world = replace(QUIET, scenarios=(scenario,))
    sensor = world.by_key[scenario.municipality].sensor(scenario.sensor)
    sent = messages(
        world, scenario.municipality, sensor, DAY * DAY_S, (DAY + 1) * DAY_S
    )
    gaps = np.diff([message["seq"] for message in sent])
    assert sorted(set(gaps.tolist())) == [1, 4 * 12 + 1]


def test_a_drifting_counter_loses_more_and_more() -> None:
    scenario = Drift(
        key="d",
        text="",
        municipality="landkreis-st-wendel",
        sensor="radar-theley",
        loss=0.5,
        when=Recurrence(weekday=2, time="01:00", hours=168, every_weeks=4, week=3),
    )
    world = replace(QUIET, scenarios=(scenario,))
    (event,) = world.events(
        scenario.municipality, DAY * DAY_S, (DAY + 1) * DAY_S, Drift
    )
    first = event.start // DAY_S
    lost = []
    for day in range(first, first + 7):
        found, usual = hit(scenario, day=day)
        counts = [
            sum(int(output.counts.sum()) for output in one.outputs.values())
            for one in (found, usual)
        ]
        lost.append(1 - counts[0] / counts[1])
    assert lost == pytest.approx([0.5 * (day + 0.55) / 7 for day in range(7)], abs=0.02)


def test_a_drifting_cell_runs_away() -> None:
    found, usual = hit(
        Drift(
            key="d",
            text="",
            municipality="landkreis-mayen-koblenz",
            sensor="umwelt-kobern-gondorf",
            offsets={"no2_ugm3": 20},
            when=WHEN,
        )
    )
    more = found.values["no2_ugm3"] - usual.values["no2_ugm3"]
    middle = slice(8 * 6, 12 * 6)
    assert more[middle] == pytest.approx(np.arange(24) * 20 / 24, abs=0.06)
    assert more[: middle.start] == pytest.approx(0)
    assert np.array_equal(found.values["laeq_db"], usual.values["laeq_db"])


@pytest.mark.parametrize("town", QUIET.towns, ids=lambda town: town.key)
def test_a_sensor_counts_by_its_scheme_and_loses_nothing(
    town: SimulatedTown,
) -> None:
    for sensor in town.town.sensors:
        if sensor.class_scheme is None:
            continue
        found = report(QUIET, town.key, sensor.key, DAY)
        for one in sensor.installations:
            output = found.outputs[one.output]
            truth = passages(QUIET, town.key, one.site, DAY)[one.channel]
            assert output.classes == SCHEMES[sensor.class_scheme]
            total = truth.counts.sum(axis=1)
            assert np.array_equal(output.counts.sum(axis=1), total)
            if output.histogram is not None:
                assert np.array_equal(output.histogram.sum(axis=1), total)
            measured = ~np.isnan(output.speed_kmh)
            if town.behaviour.streets[one.site].free_speed_kmh:
                assert np.array_equal(measured, total > 0)
            else:
                assert not measured.any()
