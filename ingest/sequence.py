"""Count lost messages by sequence numbers and frame counters.

A sensor numbers its messages; numbers missing between the smallest and the greatest
received are lost, or still in transit. A repeated message changes nothing, and a late
one fills its gap, in any order.

A restarted sensor begins again at a small number. The reading's time distinguishes that
from a late message: a number that is not above the greatest so far, with a later time,
begins a new *run*. The same applies to a counter that rolls over. Losses just before a
restart are unknown and are not counted.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from datetime import datetime
from operator import le
from typing import Final

from msgspec import Struct

#: A larger jump is a new start, not a loss.
MAX_GAP: Final = 10_000
#: Gaps and runs remembered for late messages; numbers in forgotten gaps stay lost.
MAX_GAPS: Final = 200
MAX_RUNS: Final = 3
#: Greater numbers are not counters.
MAX_NUMBER: Final = 2**53


#: The sequence number of a message, and the time of its reading.
Numbered = tuple[int, datetime]


class Run(Struct):
    """Numbers from `first` to `last`, except the gaps."""

    first: int
    last: int
    #: reading times of the smallest and the greatest number
    began: datetime
    ended: datetime
    #: missing numbers in order, each range from its first to its last
    gaps: list[tuple[int, int]]


class SequenceNumbers(Struct):
    """State of one sensor's numbers; runs in order of time."""

    #: missing numbers, including those of forgotten gaps
    lost: int = 0
    resets: int = 0
    runs: list[Run] = []

    def add(self, numbered: Sequence[Numbered]) -> None:
        """Add received numbers."""
        run = self.runs[-1] if self.runs else None
        if run and numbered and _follow(run, numbered):
            run.last, run.ended = numbered[-1]
            return
        for seq, time in numbered:
            if run and seq == run.last + 1 and time >= run.ended and seq <= MAX_NUMBER:
                run.last, run.ended = seq, time  # the expected next number
            elif seq <= MAX_NUMBER:
                self._add(seq, time)
                run = self.runs[-1] if self.runs else None

    def _add(self, seq: int, time: datetime) -> None:
        runs = self.runs
        index = bisect_right(runs, time, key=_began) - 1
        run_before = runs[index] if index >= 0 else None
        run_after = runs[index + 1] if index + 1 < len(runs) else None
        if run_before is not None and self._into(run_before, seq, time):
            return
        # older than the first number received of its run
        if run_after is not None and seq < run_after.first:
            if run_after.first - seq <= MAX_GAP:
                self._miss(run_after, seq + 1, run_after.first - 1)
                run_after.first, run_after.began = seq, time
            return
        if run_before is None and run_after is not None:
            return  # of a run that is no longer remembered
        self._begin(index + 1, seq, time)

    def _into(self, run: Run, seq: int, time: datetime) -> bool:
        """Add a number to a run; return False if it cannot belong to it."""
        if seq > run.last:
            if seq - run.last > MAX_GAP:
                return time <= run.ended
            self._miss(run, run.last + 1, seq - 1)
            run.last, run.ended = seq, max(time, run.ended)
            return True
        if time > run.ended:
            return False
        self._fill(run, seq)
        return True

    def _begin(self, index: int, seq: int, time: datetime) -> None:
        self.resets += bool(self.runs)
        self.runs.insert(index, Run(seq, seq, time, time, []))
        del self.runs[:-MAX_RUNS]

    def _miss(self, run: Run, first: int, last: int) -> None:
        if first <= last:
            self.lost += last - first + 1
            insort(run.gaps, (first, last))
            del run.gaps[:-MAX_GAPS]

    def _fill(self, run: Run, seq: int) -> None:
        index = bisect_right(run.gaps, seq, key=lambda gap: gap[0]) - 1
        if index < 0 or seq > run.gaps[index][1]:
            return  # a repetition
        first, last = run.gaps[index]
        parts = ((first, seq - 1), (seq + 1, last))
        run.gaps[index : index + 1] = [part for part in parts if part[0] <= part[1]]
        del run.gaps[:-MAX_GAPS]
        self.lost -= 1


def _follow(run: Run, numbered: Sequence[Numbered]) -> bool:
    """Return whether the numbers continue a run without a gap."""
    numbers, times = zip(*numbered, strict=True)
    first, last = numbers[0], numbers[-1]
    return (
        first == run.last + 1
        and last <= MAX_NUMBER
        and numbers == tuple(range(first, first + len(numbers)))
        and times[0] >= run.ended
        and all(map(le, times, times[1:]))
    )


def _began(run: Run) -> datetime:
    return run.began
