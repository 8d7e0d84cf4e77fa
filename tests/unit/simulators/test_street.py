"""Streets: chance, queues, closures and crowds, with vehicles conserved."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from simulators.demand import STEP_S
from simulators.noise import Floats
from simulators.scenario import Closure, Crowd, Gathering, Incident, Recurrence
from simulators.street import flows, passages, queue, wanted
from simulators.town import load_towns
from simulators.world import DAY_S, World

#: a Tuesday
DAY = int(datetime(2026, 11, 17, tzinfo=UTC).timestamp()) // DAY_S
QUIET = World(seed=1, towns=load_towns(), scenarios=())
KL = "kaiserslautern"
seconds = DAY * DAY_S + np.arange(288) * STEP_S


def at(time: str, hours: float, weekday: int = 2) -> Recurrence:
    """Every week."""
    return Recurrence(weekday=weekday, time=time, hours=hours, every_weeks=1)


INCIDENT = Incident(
    key="i",
    text="",
    municipality=KL,
    site="ludwigstrasse",
    direction="ost",
    capacity=0.3,
    when=at("16:00", 1.5),
)
CLOSURE = Closure(
    key="c",
    text="",
    municipality=KL,
    site="berliner-strasse",
    detour="koenigstrasse",
    share=0.55,
    directions={"ost": "ost", "west": "west"},
    neighbours={"ludwigstrasse": 0.6},
    when=at("10:00", 3),
)


def direction_sum(world: World, site: str, direction: str) -> Floats:
    """Expected counts of a direction over the day."""
    lanes = world.by_key[KL].lanes(site, direction)
    found = flows(world, KL, site, DAY)
    total: Floats = np.stack([found[key].rate for key in lanes]).sum(axis=0)
    return total


def test_counts_scatter_around_what_is_expected() -> None:
    drawn = passages(QUIET, KL, "ludwigstrasse", DAY)
    for key, flow in flows(QUIET, KL, "ludwigstrasse", DAY).items():
        total = drawn[key].counts.sum()
        assert total == pytest.approx(flow.rate.sum(), rel=0.05)
        # more than Poisson: platoons
        spread = (drawn[key].counts.sum(axis=1) - flow.rate) / np.sqrt(flow.rate)
        assert 1.0 < spread.std() < 2.0


def test_traffic_slows_down_with_load() -> None:
    flow = flows(QUIET, KL, "ludwigstrasse", DAY)["ost-1"]
    night = flow.speed_kmh[2 * 12 : 4 * 12].mean()
    peak = flow.speed_kmh[flow.rate.argmax()]
    assert peak < 0.97 * night
    assert 40 < peak < night < 56


def test_the_corridor_carries_the_traffic_of_a_ring_road() -> None:
    for site in ("pariser-strasse", "berliner-strasse", "ludwigstrasse"):
        total = sum(p.counts.sum() for p in passages(QUIET, KL, site, DAY).values())
        assert 24_000 < total < 36_000


def test_a_closed_street_is_empty_and_its_share_is_on_the_detour() -> None:
    closed = replace(QUIET, scenarios=(CLOSURE,))
    (event,) = closed.events(KL, DAY * DAY_S, (DAY + 1) * DAY_S, Closure)
    during = (seconds >= event.start) & (seconds < event.end)
    assert during.sum() == 36
    for key in ("ost-1", "west-2"):
        here = wanted(closed, KL, "berliner-strasse", DAY)[key]
        usual = wanted(QUIET, KL, "berliner-strasse", DAY)[key]
        assert (here[during] == 0).all()
        assert (here[~during] == usual[~during]).all()
    moved = sum(
        wanted(QUIET, KL, "berliner-strasse", DAY)[key][during].sum()
        for key in ("ost-1", "ost-2", "west-1", "west-2")
    )
    gained = sum(
        (
            wanted(closed, KL, "koenigstrasse", DAY)[key]
            - wanted(QUIET, KL, "koenigstrasse", DAY)[key]
        ).sum()
        for key in ("ost", "west")
    )
    assert gained == pytest.approx(0.55 * moved)


def test_a_closure_is_felt_at_its_neighbours() -> None:
    closed = replace(QUIET, scenarios=(CLOSURE,))
    ratio = direction_sum(closed, "ludwigstrasse", "ost") / direction_sum(
        QUIET, "ludwigstrasse", "ost"
    )
    assert ratio.min() == pytest.approx(0.6)
    assert np.count_nonzero(ratio < 0.99) == 36


def test_a_queue_lets_everybody_pass_in_the_end() -> None:
    world = replace(QUIET, scenarios=(INCIDENT,))
    (event,) = world.events(KL, DAY * DAY_S, (DAY + 1) * DAY_S, Incident)
    course = queue(world, event)
    usual = direction_sum(QUIET, "ludwigstrasse", "ost")
    begin = int(course.seconds[0] - seconds[0]) // STEP_S
    arrived = usual[begin : begin + len(course.seconds)]
    passed = course.passed[: len(arrived)] * arrived
    assert course.waiting.max() > 50
    assert course.waiting[len(arrived) - 1] == 0
    assert passed.sum() == pytest.approx(arrived.sum())
    assert (course.waiting >= 0).all()


def test_an_incident_is_seen_by_its_neighbours_in_one_direction() -> None:
    world = replace(QUIET, scenarios=(INCIDENT,))
    (event,) = world.events(KL, DAY * DAY_S, (DAY + 1) * DAY_S, Incident)
    # the second half, when the queue has grown
    late = (seconds >= (event.start + event.end) // 2) & (seconds < event.end)
    for site, least, most in (
        ("ludwigstrasse", 0.3, 0.75),  # the bottleneck
        ("mainzer-strasse", 0.3, 0.85),  # downstream: fewer arrive
        ("berliner-strasse", 0.3, 0.75),  # upstream: the queue reaches it
    ):
        ratio = direction_sum(world, site, "ost") / direction_sum(QUIET, site, "ost")
        assert least < ratio[late].mean() < most, site
        back = direction_sum(world, site, "west") == direction_sum(QUIET, site, "west")
        assert back.all()
    slow = flows(world, KL, "berliner-strasse", DAY)["ost-1"].speed_kmh
    free = flows(world, KL, "mainzer-strasse", DAY)["ost-1"].speed_kmh
    assert slow[late].mean() < 15
    assert free[late].mean() > 45
    before = seconds < event.start
    usual = flows(QUIET, KL, "berliner-strasse", DAY)["ost-1"].speed_kmh
    assert (slow[before] == usual[before]).all()


def test_an_incident_before_midnight_is_felt_after_it() -> None:
    late = Incident(
        key="i",
        text="",
        municipality=KL,
        site="ludwigstrasse",
        direction="ost",
        capacity=0.0,
        when=at("00:40", 0.5, weekday=2),
    )
    world = replace(QUIET, scenarios=(late,))
    # 00:40 local time is 23:40 UTC of the day before, so it ends in this UTC day
    rate = direction_sum(world, "ludwigstrasse", "ost")
    assert rate[0] == 0
    assert rate[2] > direction_sum(QUIET, "ludwigstrasse", "ost")[2]


def test_a_crowd_passes_once_each_way() -> None:
    crowd = Crowd(site="fackelstrasse", arrive="sued", leave="nord", count=2000)
    match = Gathering(
        key="g", text="", municipality=KL, crowds=(crowd,), when=at("13:00", 7)
    )
    world = replace(QUIET, scenarios=(match,))
    for key in ("sued", "nord"):
        more = (
            wanted(world, KL, "fackelstrasse", DAY)[key]
            - wanted(QUIET, KL, "fackelstrasse", DAY)[key]
        )
        assert more.sum() == pytest.approx(2000, rel=0.03)
    into = wanted(world, KL, "fackelstrasse", DAY)["sued"]
    assert into.argmax() < wanted(world, KL, "fackelstrasse", DAY)["nord"].argmax()
