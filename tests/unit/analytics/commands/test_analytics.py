"""The command that runs an analytics worker, without a database."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from analytics.commands import analytics
from analytics.jobs import worker
from verkehrspuls import service
from verkehrspuls.settings import Settings
from verkehrspuls.stack import state

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


class Told:
    """A worker that is told to stop as soon as it runs."""

    hangs = False

    def __init__(self, settings: Settings, *, on_ready: Callable[[], None]) -> None:
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True

    def run(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        if self.hangs:
            os.kill(os.getpid(), signal.SIGALRM)
            pytest.fail("it was not broken off")


@pytest.mark.parametrize("hangs", [False, True])
def test_no_alarm_is_left_for_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    monkeypatch.setattr(Told, "hangs", hangs)
    monkeypatch.setattr(worker, "Worker", Told)
    monkeypatch.setattr(service, "begin", lambda _: None)
    monkeypatch.setattr(state, "resolve", Settings)
    analytics.run()
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
