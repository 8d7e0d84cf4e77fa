"""Whatever the order, what sequence numbers say was lost is what never came."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.sequence import MAX_GAPS, MAX_RUNS, Numbered, SequenceNumbers

START = datetime(2026, 9, 1, tzinfo=UTC)


def numbered(seq: int, *, since: int = 0) -> Numbered:
    """The message of a number, in a run that began after so many minutes."""
    return seq, START + timedelta(minutes=since + seq)


@given(
    st.sets(st.integers(0, 300), min_size=1).flatmap(
        lambda came: st.tuples(
            st.permutations(sorted(came)),
            # delivered again, at any later time
            st.lists(st.sampled_from(sorted(came)), max_size=20),
        )
    ),
    st.lists(st.integers(0, 320), max_size=5),
)
def test_lost_is_what_never_came_in_whatever_order(
    arrived: tuple[list[int], list[int]], restarts: list[int]
) -> None:
    order, again = arrived
    order = order + again
    sequence = SequenceNumbers()
    for index, seq in enumerate(order):
        if index in restarts:  # a restart forgets nothing
            state = msgspec.json.encode(sequence)
            sequence = msgspec.json.decode(state, type=SequenceNumbers)
        sequence.add([numbered(seq)])
    came = set(order)
    assert sequence.lost == max(came) - min(came) + 1 - len(came)
    assert sequence.resets == 0


@given(st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=MAX_RUNS))
def test_each_start_of_the_sensor_is_a_run_of_its_own(came: list[set[int]]) -> None:
    sequence = SequenceNumbers()
    expected, resets, highest = 0, 0, -1
    for number, seqs in enumerate(came):
        sequence.add([numbered(seq, since=1000 * number) for seq in sorted(seqs)])
        if min(seqs) > highest >= 0:
            # begins above what was seen: nobody can tell that from a loss
            expected += max(seqs) - highest - len(seqs)
        else:
            resets += number > 0
            expected += max(seqs) - min(seqs) + 1 - len(seqs)
        highest = max(seqs)
    assert (sequence.lost, sequence.resets) == (expected, resets)


def test_back_fill_from_before_a_reset_fills_its_gap() -> None:
    sequence = SequenceNumbers()
    sequence.add([numbered(seq) for seq in (100, 101, 104)])
    sequence.add([numbered(seq, since=500) for seq in (0, 1)])
    assert (sequence.lost, sequence.resets) == (2, 1)
    sequence.add([numbered(102), numbered(103)])
    assert (sequence.lost, sequence.resets) == (0, 1)


def test_counter_that_rolls_over_loses_nothing() -> None:
    sequence = SequenceNumbers()
    sequence.add(
        [(seq % 65_536, START + timedelta(minutes=seq)) for seq in range(70_000)]
    )
    assert (sequence.lost, sequence.resets) == (0, 1)


def test_jump_that_no_loss_explains_is_a_new_beginning() -> None:
    sequence = SequenceNumbers()
    sequence.add([numbered(5), numbered(2_000_000)])
    assert (sequence.lost, sequence.resets) == (0, 1)


def test_first_message_after_a_reset_may_be_late() -> None:
    sequence = SequenceNumbers()
    sequence.add([numbered(seq) for seq in range(90, 100)])
    sequence.add([numbered(seq, since=500) for seq in (2, 0, 1)])
    assert (sequence.lost, sequence.resets) == (0, 1)


@given(st.lists(st.tuples(st.integers(0, 2**70), st.integers(-(10**6), 10**6))))
def test_what_is_remembered_is_bounded(given_: list[tuple[int, int]]) -> None:
    sequence = SequenceNumbers()
    sequence.add([(seq, START + timedelta(minutes=minute)) for seq, minute in given_])
    assert len(sequence.runs) <= MAX_RUNS
    assert all(len(run.gaps) <= MAX_GAPS for run in sequence.runs)
    assert sequence.lost >= 0


def test_every_other_message_lost_is_counted_and_remembered_in_part() -> None:
    sequence = SequenceNumbers()
    sequence.add([numbered(seq) for seq in range(0, 2001, 2)])
    assert sequence.lost == 1000
    assert len(sequence.runs[0].gaps) == MAX_GAPS
    sequence.add([numbered(seq) for seq in range(1, 2001, 2)])
    assert sequence.lost == 1000 - MAX_GAPS


@given(
    st.lists(
        st.tuples(
            st.integers(-2, 3),
            st.lists(st.integers(0, 5), min_size=1, max_size=6),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_numbers_at_once_are_those_one_by_one(
    parts: list[tuple[int, list[int], bool]],
) -> None:
    """Stretches that follow each other, overlap or leave something out, at any times.

    Some go on in time as well, some are from earlier, and some have no order in time.
    """
    at_once, single = SequenceNumbers(runs=[]), SequenceNumbers(runs=[])
    first = 10
    for skipped, minutes, in_order in parts:
        first += skipped
        times = sorted(minutes) if in_order else minutes
        came = [
            (first + n, START + timedelta(minutes=minute))
            for n, minute in enumerate(times)
        ]
        at_once.add(came)
        at_once.add([])
        for each in came:
            single.add([each])
        first += len(came)
    assert at_once == single
