"""What sequence numbers and frame counters tell of messages that never came.

A sensor numbers its messages; between the smallest and the greatest number that came,
those that did not come are lost, or still on their way. A message that comes again
changes nothing, and one that comes late fills its gap, in whatever order.

A sensor that starts again begins anew at a small number. That is told from a late
message by the reading's time: a number that is not greater than the greatest so far,
with a later time, begins a new *run*. The same holds for a counter that rolls over.
What was lost just before that, nobody can tell; it is not counted.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from datetime import datetime
from operator import le
from typing import Final

from msgspec import Struct

#: A jump further than that is a new beginning, not a loss.
LONGEST_GAP: Final = 10_000
#: So many gaps are remembered for late messages, and so many runs; what is forgotten
#: stays lost.
GAPS: Final = 200
RUNS: Final = 3
#: A greater number is none that a device counts.
LARGEST: Final = 2**53


#: The sequence number of a message, and the time of its reading.
Numbered = tuple[int, datetime]


class Run(Struct):
    """Numbers from `first` to `last`, but for the gaps."""

    first: int
    last: int
    #: reading times of the smallest and the greatest number
    began: datetime
    ended: datetime
    #: missing numbers, in order, each from its first to its last
    gaps: list[tuple[int, int]]


class SequenceNumbers(Struct):
    """What is known of one sensor's numbers; runs in order of time."""

    #: missing numbers, those of forgotten gaps too
    lost: int = 0
    resets: int = 0
    runs: list[Run] = []

    def add(self, numbered: Sequence[Numbered]) -> None:
        """Take in what came."""
        run = self.runs[-1] if self.runs else None
        if run and numbered and _follow(run, numbered):
            run.last, run.ended = numbered[-1]
            return
        for seq, time in numbered:
            if run and seq == run.last + 1 and time >= run.ended and seq <= LARGEST:
                run.last, run.ended = seq, time  # as it should be
            elif seq <= LARGEST:
                self._add(seq, time)
                run = self.runs[-1] if self.runs else None

    def _add(self, seq: int, time: datetime) -> None:
        runs = self.runs
        index = bisect_right(runs, time, key=_began) - 1
        run_before = runs[index] if index >= 0 else None
        run_after = runs[index + 1] if index + 1 < len(runs) else None
        if run_before is not None and self._into(run_before, seq, time):
            return
        # from before the first that came of its run
        if run_after is not None and seq < run_after.first:
            if run_after.first - seq <= LONGEST_GAP:
                self._miss(run_after, seq + 1, run_after.first - 1)
                run_after.first, run_after.began = seq, time
            return
        if run_before is None and run_after is not None:
            return  # of a run that is not known any more
        self._begin(index + 1, seq, time)

    def _into(self, run: Run, seq: int, time: datetime) -> bool:
        """Put a number into a run; False where it cannot be of it."""
        if seq > run.last:
            if seq - run.last > LONGEST_GAP:
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
        del self.runs[:-RUNS]

    def _miss(self, run: Run, first: int, last: int) -> None:
        if first <= last:
            self.lost += last - first + 1
            insort(run.gaps, (first, last))
            del run.gaps[:-GAPS]

    def _fill(self, run: Run, seq: int) -> None:
        index = bisect_right(run.gaps, seq, key=lambda gap: gap[0]) - 1
        if index < 0 or seq > run.gaps[index][1]:
            return  # came before
        first, last = run.gaps[index]
        parts = ((first, seq - 1), (seq + 1, last))
        run.gaps[index : index + 1] = [part for part in parts if part[0] <= part[1]]
        del run.gaps[:-GAPS]
        self.lost -= 1


def _follow(run: Run, numbered: Sequence[Numbered]) -> bool:
    """Whether all numbers follow a run, each the one before it, as they should."""
    numbers, times = zip(*numbered, strict=True)
    first, last = numbers[0], numbers[-1]
    return (
        first == run.last + 1
        and last <= LARGEST
        and numbers == tuple(range(first, first + len(numbers)))
        and times[0] >= run.ended
        and all(map(le, times, times[1:]))
    )


def _began(run: Run) -> datetime:
    return run.began
