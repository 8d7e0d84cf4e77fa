"""Short random histories: a few faults each, at random times, under load.

Each is made from its seed alone. A failing one prints its seed and what happened when;
repeat it with

    VERKEHRSPULS_FAULTS_SEED=<seed> make soak ARGS="--histories 1"
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

import pytest

from tests.faults.matrix import FAULTS, GROUPS, Act, Injury
from tests.faults.world import Sender, Server, World, world
from tests.towns import COUNTS_TOPIC

FIRST_SEED = int(os.environ.get("VERKEHRSPULS_FAULTS_SEED", "1"))
MESSAGES = 400
LASTS_S = 2.0
#: of a message's number, in random order: a fifth is 40 days late
LATE_MINUTES = 40 * 24 * 60


@dataclass(frozen=True)
class Planned:
    """A fault of a history: begins at a time, is healed after another."""

    name: str
    at_s: float
    for_s: float


def plan(dice: Random) -> list[Planned]:
    """Choose two to four faults, no two that undo each other."""
    chosen: list[str] = []
    for name in dice.sample(sorted(FAULTS), 8):
        if GROUPS[name] not in {GROUPS[other] for other in chosen}:
            chosen.append(name)
    return [
        Planned(name, dice.uniform(0.1, LASTS_S), dice.uniform(0.1, 1.2))
        for name in chosen[: dice.randint(2, 4)]
    ]


def test_random_history(server: Server, seed: int) -> None:
    dice = Random(seed)
    kind = dice.choice(("nats", "mosquitto"))
    bulk = dice.random() < 0.5
    planned = plan(dice)
    with (
        world(server, kind, ingest__bulk=bulk) as it,
        Sender(it.broker.publish_url) as sender,
    ):
        it.note(f"seed {seed}, bulk {bulk}, {planned}")
        run(it, sender, planned, dice)
        it.finish(sender)


def run(it: World, sender: Sender, planned: list[Planned], dice: Random) -> None:
    """Publish, inject and heal, each at its time."""
    numbers = list(range(MESSAGES))
    dice.shuffle(numbers)
    actions: list[tuple[float, Callable[[], None]]] = [
        (index * LASTS_S / MESSAGES, partial(publish, sender, number, dice))
        for index, number in enumerate(numbers)
    ]
    for one in planned:
        fault, injury = FAULTS[one.name], Injury(it, sender, dice)
        actions.append(
            (one.at_s, partial(act_on, injury, f"inject {one.name}", fault.inject))
        )
        if fault.heal:
            healed_at = one.at_s + one.for_s
            actions.append(
                (healed_at, partial(act_on, injury, f"heal {one.name}", fault.heal))
            )
    began = time.monotonic()
    for due, act in sorted(actions, key=lambda action: action[0]):
        time.sleep(max(0.0, began + due - time.monotonic()))
        act()
    it.note("all healed")


def act_on(injury: Injury, note: str, act: Act) -> None:
    injury.world.note(note)
    act(injury)


def publish(sender: Sender, number: int, dice: Random) -> None:
    """Publish a message; now and then late, twice, or one that cannot be used."""
    minutes = 5 * number - (LATE_MINUTES if number % 5 == 0 else 0)
    for _ in range(2 if dice.random() < 0.05 else 1):
        sender.counts(number, minutes=minutes)
    chance = dice.random()
    if chance < 0.02:
        sender.send(COUNTS_TOPIC, dice.randbytes(dice.randint(1, 200)))
    elif chance < 0.03:
        sender.send("vp/v1/kusel/stranger/counts", b"{}")
    elif chance < 0.04:
        sender.send("vp/v1/kusel/camera-1/counts", b'{"time": "2026-02-30"}')


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        count = metafunc.config.getoption("histories")
        metafunc.parametrize("seed", range(FIRST_SEED, FIRST_SEED + count))
