"""Two web servers share limits a minute, and let in again whoever waits."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.parts import as_web, free_port, wait_for
from tests.people import TOWN
from verkehrspuls.access import tokens
from verkehrspuls.storage.database import connect

MOST: Final = 20

#: asks a server from an address, maybe with a token: status, and how long to wait
Ask = Callable[[str, str], tuple[int, int]]


@contextmanager
def servers(url: str, count: int, **limits: int) -> Iterator[list[Ask]]:
    """Start web servers on one database, which believe their proxy."""
    with ExitStack() as stack:
        started = []
        for _ in range(count):
            port = free_port()
            process = subprocess.Popen(
                [sys.executable, "-m", "verkehrspuls", "api", "run"],
                env={
                    "VERKEHRSPULS_DATABASE__URL": as_web(url),
                    "VERKEHRSPULS_API__PORT": str(port),
                }
                | {f"VERKEHRSPULS_API__{k.upper()}": str(v) for k, v in limits.items()},
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            started.append(_asking(f"http://127.0.0.1:{port}/api/v1/sites"))
        yield started


def _asking(address: str) -> Ask:
    def ask(client: str, token: str = "") -> tuple[int, int]:
        headers = {"X-Forwarded-For": client}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            with urlopen(Request(address, headers=headers)) as answer:
                return answer.status, 0
        except HTTPError as error:
            with error:
                return error.code, int(error.headers["retry-after"])

    return ask


@pytest.mark.parametrize("by", ["address", "account"])
def test_what_one_server_took_the_other_counts(plain_world: str, by: str) -> None:
    with connect(plain_world) as connection:
        token = tokens.create(connection, TOWN, permissions=["view"])
    used, others = ("", "203.0.113.7") if by == "address" else (token, "")
    limits = {f"{by}_requests_per_minute": MOST}
    with servers(plain_world, 2, **limits) as (one, other):

        def ask(of: Ask, number: int) -> tuple[int, int]:
            # a token is used from many addresses
            return of(others or f"203.0.113.{number}", used)

        answers = [ask(one, number)[0] for number in range(MOST)]
        assert answers == [200] * MOST
        taken = 0

        def refused() -> int:
            nonlocal taken
            status, wait_s = ask(other, taken)
            taken += status == 200
            return wait_s

        wait_s = wait_for(refused, every=0.5)
        assert taken < MOST
        back = time.monotonic() + wait_s
        wait_for(lambda: time.monotonic() >= back)
        assert ask(other, 0)[0] == 200
        # nobody else was in the way
        assert other("203.0.113.200", "")[0] == 200
