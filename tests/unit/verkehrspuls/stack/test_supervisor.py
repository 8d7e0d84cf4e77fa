import errno
import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from verkehrspuls.errors import StackFailed
from verkehrspuls.stack.supervisor import Supervisor, delay_s, failures_after


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Process:
    """A process that ends when the test says so."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode

    def wait(self) -> int | None:
        return self.returncode


class FakePart:
    def __init__(self, name: str = "part", *, once: bool = False) -> None:
        self.name = name
        self.once = once
        self.process: Any = None
        self.is_ready = True
        self.spawned = 0
        self.asked: Callable[[], None] = self.end

    def spawn(self) -> None:
        self.spawned += 1
        self.process = Process(self.spawned)

    def end(self, code: int = 0) -> None:
        self.process.returncode = code

    def answers(self) -> bool:
        return self.is_ready

    def last_log_lines(self) -> str:
        return "its last words"

    def terminate(self) -> None:
        self.asked()

    def kill(self) -> None:
        self.end(-9)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def printed() -> list[str]:
    return []


@pytest.fixture
def supervisor(clock: Clock, printed: list[str]) -> Supervisor:
    return Supervisor(print_line=printed.append, start_s=60, clock=clock)


def test_delay_doubles_up_to_half_a_minute() -> None:
    assert [delay_s(n) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert delay_s(10_000) == 30


def test_part_that_ran_for_a_minute_begins_anew() -> None:
    assert failures_after(5, ran_s=59.9) == 6
    assert failures_after(5, ran_s=60) == 1


def test_dead_part_is_started_again_after_the_delay_and_said_so(
    supervisor: Supervisor, clock: Clock, printed: list[str]
) -> None:
    part = FakePart("ingest")
    supervisor.add(part)
    supervisor.step()
    part.end(-9)
    supervisor.step()
    assert part.spawned == 1
    assert printed[0] == "ingest: it was ended by SIGKILL. Starting it again in 1 s."
    clock.now += 0.9
    supervisor.step()
    assert part.spawned == 1
    clock.now += 0.2
    supervisor.step()
    supervisor.step()
    assert part.spawned == 2
    assert printed[-1] == "ingest answers again"
    (state,) = supervisor.states()
    assert (state.restarts, state.answers, state.pid) == (1, True, 2)


def test_part_that_keeps_dying_is_left_more_and_more_time(
    supervisor: Supervisor, clock: Clock
) -> None:
    part = FakePart()
    supervisor.add(part)
    starts = []
    for _ in range(2000):
        if part.process.poll() is None:
            starts.append(clock.now)
            part.end(1)
        supervisor.step()
        clock.now += 0.1
    gaps = [round(b - a) for a, b in pairwise(starts)]
    assert gaps[:6] == [1, 2, 4, 8, 16, 30]
    assert set(gaps[6:]) == {30}


def test_part_that_never_answers_is_ended_and_started_again(
    supervisor: Supervisor, clock: Clock, printed: list[str]
) -> None:
    part = FakePart("api")
    part.is_ready = False
    supervisor.add(part)
    clock.now += 61
    supervisor.step()
    assert printed == ["api does not answer within 60 s"]
    supervisor.step()
    clock.now += 1.1
    supervisor.step()
    assert part.spawned == 2


def test_part_that_runs_once_is_not_started_again(supervisor: Supervisor) -> None:
    part = FakePart(once=True)
    one = supervisor.add(part)
    part.end(0)
    supervisor.wait_for(one)
    assert one.done
    assert supervisor.states() == ()


def test_part_is_given_up_after_its_attempts(
    supervisor: Supervisor, clock: Clock, printed: list[str]
) -> None:
    part = FakePart("migration", once=True)
    one = supervisor.add(part, attempts=2)
    part.end(1)
    supervisor.step()
    clock.now += 1.1
    supervisor.step()
    part.end(1)
    with pytest.raises(StackFailed, match=r"migration .* failed 2 times"):
        supervisor.wait_for(one)
    assert "again" not in printed[-2]


def test_parts_are_stopped_in_reverse_order(supervisor: Supervisor) -> None:
    order = []
    for name in ("database", "broker", "ingest"):
        part = FakePart(name)

        def ask(part: FakePart = part) -> None:
            order.append(part.name)
            part.end()

        part.asked = ask
        supervisor.add(part)
    supervisor.stop(budget_s=1)
    assert order == ["ingest", "broker", "database"]


def test_part_that_does_not_stop_is_ended(printed: list[str]) -> None:
    supervisor = Supervisor(print_line=printed.append, start_s=60)
    part = FakePart("api")
    part.asked = lambda: None
    supervisor.add(part)
    supervisor.stop(budget_s=0.1)
    assert part.process.returncode == -9
    assert printed == ["api did not stop in time and is ended"]


def test_change_is_told(supervisor: Supervisor) -> None:
    reported = []
    supervisor.changed = lambda: reported.append(supervisor.states())
    part = FakePart()
    supervisor.add(part)
    supervisor.step()
    supervisor.step()
    part.end(1)
    supervisor.step()
    assert [states[0].answers for states in reported] == [False, True, False]
    assert reported[-1][0].pid is None


def refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENOENT]
)
def test_what_cannot_be_told_is_said_once_and_told_later(
    supervisor: Supervisor, clock: Clock, printed: list[str], number: int
) -> None:
    reported = []
    full = True

    def tell() -> None:
        if full:
            raise refused(number)
        reported.append(supervisor.states())

    supervisor.changed = tell
    part = FakePart("ingest")
    supervisor.add(part)
    for _ in range(300):
        supervisor.step()
        clock.now += 0.1
    assert printed == [
        "other commands do not see what runs: the state cannot be written "
        f"({os.strerror(number)}). All parts go on."
    ]
    full = False
    clock.now += 5
    supervisor.step()
    assert printed[1:] == ["other commands see again what runs"]
    assert [states[0].answers for states in reported] == [True]
    clock.now += 5
    supervisor.step()
    assert len(reported) == 1


def test_part_whose_methods_fail_ends_nothing(
    supervisor: Supervisor, clock: Clock, printed: list[str], monkeypatch: Any
) -> None:
    part, other = FakePart("broker"), FakePart("api")

    def fail() -> Any:
        raise refused(errno.ENOSPC)

    monkeypatch.setattr(part, "spawn", fail)
    supervisor.add(part)
    supervisor.add(other)
    assert printed == [
        "broker: The operating system refused to read or write: "
        "No space left on device. Starting it again in 1 s."
    ]
    monkeypatch.undo()
    clock.now += 1.1
    monkeypatch.setattr(part, "answers", lambda: int(""))
    supervisor.step()
    clock.now += 61
    supervisor.step()
    assert "broker does not answer within 60 s: invalid literal" in printed[-1]
    monkeypatch.undo()
    monkeypatch.setattr(part, "last_log_lines", fail)
    supervisor.step()
    assert printed[-1] == "  its log cannot be read: [Errno 28] No space left on device"
    clock.now += 2.1
    supervisor.step()
    supervisor.step()
    assert [state.answers for state in supervisor.states()] == [True, True]


def test_part_that_cannot_be_asked_to_stop_leaves_none_running(
    printed: list[str],
) -> None:
    supervisor = Supervisor(print_line=printed.append, start_s=60)
    part, other = FakePart("api"), FakePart("database")

    def fail() -> None:
        raise refused(errno.EPERM)

    supervisor.add(other)
    supervisor.add(part)
    part.asked = fail
    supervisor.stop(budget_s=0.1)
    assert (part.process.returncode, other.process.returncode) == (-9, 0)
