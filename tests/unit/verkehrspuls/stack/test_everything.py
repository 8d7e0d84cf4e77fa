"""What holds all parts of `up` together."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.parts import PATIENCE_S
from verkehrspuls.settings import load
from verkehrspuls.stack.everything import Everything, Interrupted, interruptible
from verkehrspuls.stack.supervisor import Supervisor

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_who_swallows_that_it_is_to_stop_is_asked_again() -> None:
    def swallow() -> None:
        with suppress(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE_S)

    with pytest.raises(Interrupted), interruptible():
        swallow()
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_stop_within_a_callback_of_the_interpreter_prints_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An exception there cannot be raised: the interpreter prints it with its trace."""
    printed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: printed.append(what))

    class Dropped:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    def drop() -> None:
        Dropped()
        time.sleep(PATIENCE_S)

    with pytest.raises(Interrupted), interruptible():
        drop()
    assert printed == []


def test_who_stops_already_is_not_asked_again() -> None:
    with pytest.raises(Interrupted), interruptible():
        os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)


@pytest.mark.parametrize(
    ("part", "login"),
    [
        ("migration", "vp"),
        ("registration", "vp"),
        ("api", "vp_web"),
        ("ingest", "vp_ingest"),
        ("analytics", "vp_analytics"),
        ("history", "vp_analytics"),
        ("simulator", ""),
    ],
)
def test_each_part_knows_no_other_login_than_its_own(
    tmp_path: Path, part: str, login: str
) -> None:
    given = {
        "VERKEHRSPULS_DATABASE__URL": "vp",
        **{
            f"VERKEHRSPULS_DATABASE__{name.upper()}_URL": f"vp_{name}"
            for name in ("web", "ingest", "analytics")
        },
    }
    supervisor = Supervisor(print_line=print, start_s=1)
    parts = Everything(load(given), tmp_path, supervisor, show_logs=False)
    database = parts._settings_of(part).database
    known = {secret.get_secret_value() for _, secret in database}
    assert known - {""} == {login} - {""}
