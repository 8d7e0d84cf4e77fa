"""Ports that the embedded broker chooses."""

import random

from verkehrspuls.stack.broker import PORTS, free_port


def test_who_seeds_chance_alike_is_not_given_the_same_ports() -> None:
    """Else two that start at the same time take each other's port."""

    def chosen() -> list[int]:
        random.seed(1)
        return [free_port(PORTS) for _ in range(3)]

    assert chosen() != chosen()
