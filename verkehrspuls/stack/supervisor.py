"""Keep parts running: watch them, restart them with back-off, stop them.

A part that dies is restarted after 1, 2, 4 … 30 s; after a minute of running the delay
is reset to 1 s. Everything happens in `step`, called from the main thread, which never
waits: while one part is starting, the others are watched.

No exception of a part ends it, and neither does a full disk: reporting the state of the
parts is retried.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from verkehrspuls.errors import MachineFailed, StackFailed
from verkehrspuls.stack.process import Part, describe_end
from verkehrspuls.stack.state import PartState

MAX_DELAY_S = 30.0
RECOVERED_S = 60.0
STEP_S = 0.1
#: delay before a failed report is retried
REPORT_RETRY_S = 5.0
#: time for one part to stop before the next one is asked to
STOP_WAIT_S = 0.5


def delay_s(failures: int) -> float:
    """Return the delay before the start after this many failures in a row."""
    return min(MAX_DELAY_S, 2.0 ** min(failures - 1, 10))


def failures_after(failures: int, *, ran_s: float) -> int:
    """Count a failure; a long run resets the count."""
    return 1 if ran_s >= RECOVERED_S else failures + 1


@dataclass(slots=True)
class Watched:
    """A part and its state. Times are of a monotonic clock, in seconds."""

    part: Part
    began: float
    #: give up after this many failures in a row; None: never
    attempts: int | None = None
    failures: int = 0
    restarts: int = 0
    #: time of the next start; None: it is running
    due: float | None = None
    answers: bool = False
    done: bool = False
    given_up: bool = False

    def state(self) -> PartState:
        """State of the part, for others."""
        process = self.part.process
        return PartState(
            name=self.part.name,
            pid=None if process is None or self.due is not None else process.pid,
            restarts=self.restarts,
            answers=self.answers,
        )


class Supervisor:
    """Watches parts in the order in which they were added."""

    def __init__(
        self,
        *,
        print_line: Callable[[str], None],
        start_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._print_line = print_line
        self._start_s = start_s
        self._clock = clock
        self._watched: list[Watched] = []
        #: reports the state of the parts
        self.changed: Callable[[], None] = lambda: None
        #: called at each step; raises if there is no point in continuing
        self.look: Callable[[], None] = lambda: None
        #: time of the next report retry; None: the report is current
        self._report_at: float | None = None

    def add(
        self, part: Part, *, running: bool = False, attempts: int | None = None
    ) -> Watched:
        """Watch a part: start it, unless it already runs and answers."""
        watched = Watched(
            part=part, began=self._clock(), attempts=attempts, answers=running
        )
        self._watched.append(watched)
        if not running:
            self._start(watched)
        self.report_state()
        return watched

    def states(self) -> tuple[PartState, ...]:
        """State of all parts."""
        return tuple(one.state() for one in self._watched)

    def step(self) -> None:
        """Check each part once, and start those that are due."""
        self.look()
        for one in list(self._watched):
            before = one.state()
            self._look_at(one)
            if one.done:
                self._watched.remove(one)
            if one.done or one.state() != before:
                self.report_state()
        if self._report_at is not None and self._clock() >= self._report_at:
            self.report_state()

    def report_state(self) -> None:
        """Report the state of the parts; log the first failure only."""
        try:
            self.changed()
        except OSError as error:
            if self._report_at is None:
                self._print_line(
                    "other commands do not see what runs: the state cannot be written "
                    f"({error.strerror or error}). All parts go on."
                )
            self._report_at = self._clock() + REPORT_RETRY_S
        else:
            if self._report_at is not None:
                self._print_line("other commands see again what runs")
            self._report_at = None

    def wait(self, condition: Callable[[], bool]) -> None:
        """Watch until a condition holds."""
        while not condition():
            self.step()
            time.sleep(STEP_S)

    def wait_for(self, one: Watched) -> None:
        """Watch until a part answers, has finished (if it runs once), or has failed."""
        self.wait(
            lambda: one.done or one.given_up or (one.answers and not one.part.once)
        )
        one.attempts = None
        if one.given_up:
            self._watched.remove(one)
            raise StackFailed(
                part=one.part.name, reason=f"it failed {one.failures} times, see above"
            )

    def stop(self, *, budget_s: float) -> None:
        """Stop all parts in reverse order, together within the budget.

        Each is asked, and has a moment before the next one is asked; those left at the
        end are killed. No data is lost.
        """
        deadline = self._clock() + budget_s
        for one in reversed(self._watched):
            if _ended(one):
                continue
            with suppress(OSError):
                one.part.terminate()
            patience = min(deadline, self._clock() + STOP_WAIT_S)
            while not _ended(one) and self._clock() < patience:
                time.sleep(0.01)
        while not all(map(_ended, self._watched)) and self._clock() < deadline:
            time.sleep(0.01)
        for one in reversed(self._watched):
            if not _ended(one) and one.part.process is not None:
                self._print_line(f"{one.part.name} did not stop in time and is ended")
                one.part.kill()
                one.part.process.wait()
        self._watched.clear()

    def _look_at(self, one: Watched) -> None:
        if one.given_up:
            return
        if one.due is not None:
            if self._clock() >= one.due:
                self._start_again(one)
            return
        process = one.part.process
        code = None if process is None else process.poll()
        if code == 0 and one.part.once:
            one.done = True
        elif code is not None:
            self._put_off(one, describe_end(code), _last_words(one.part))
        elif not one.answers:
            one.answers, why = _check(one.part)
            if one.answers and one.restarts:
                self._print_line(f"{one.part.name} answers again")
            late = self._clock() > one.began + self._start_s
            if late and not one.answers and not one.part.once:
                self._print_line(
                    f"{one.part.name} does not answer within {self._start_s:g} s{why}"
                )
                one.part.kill()

    def _start_again(self, one: Watched) -> None:
        one.restarts += 1
        self._start(one)

    def _start(self, one: Watched) -> None:
        one.due = None
        one.began = self._clock()
        try:
            one.part.spawn()
        except OSError as error:
            self._put_off(one, str(MachineFailed.of(error)), "")
        except Exception as error:
            self._put_off(one, str(error), "")

    def _put_off(self, one: Watched, reason: str, last_log_lines: str) -> None:
        one.answers = False
        one.failures = failures_after(one.failures, ran_s=self._clock() - one.began)
        one.given_up = one.failures == one.attempts
        if one.given_up:
            self._print_line(f"{one.part.name}: {reason}")
        else:
            delay = delay_s(one.failures)
            one.due = self._clock() + delay
            self._print_line(
                f"{one.part.name}: {reason} Starting it again in {delay:g} s."
            )
        for line in last_log_lines.splitlines()[-4:]:
            self._print_line(f"  {line}")


def _check(part: Part) -> tuple[bool, str]:
    """Return whether a part answers, and an error of asking."""
    try:
        return part.answers(), ""
    except Exception as error:
        return False, f": {error}"


def _last_words(part: Part) -> str:
    try:
        return part.last_log_lines()
    except OSError as error:
        return f"its log cannot be read: {error}"


def _ended(one: Watched) -> bool:
    process = one.part.process
    return process is None or process.poll() is not None
