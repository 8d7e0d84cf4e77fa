"""Readings that overlap others of their channel in time, for the ledger.

A channel is even while all its readings have the same duration and start at multiples
of it: then nothing overlaps, and no query is needed. The database records which
channels are uneven. For an uneven channel a period without overlaps is cached; it is
valid until another worker writes to the channel. Everything else is looked up in the
database.
"""

from collections import Counter
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.batch import Batch
from ingest.rows import Heads, hour_of
from verkehrspuls.quantities import OVERLAP_TOLERANCE
from verkehrspuls.storage.database import Connection, array, execute

_US: Final = 1_000_000
_HOUR_US: Final = 3600 * _US
_FOR_EVER: Final = 2**62
#: Readings checked after those of a batch: another worker may be ahead.
READINGS_AHEAD: Final = 1000
#: the `turn` (version) of an even channel
_EVEN: Final = 0

#: Number of readings by sensor and hour of receipt.
Overlapping = Counter[tuple[int, datetime]]
Columns = dict[str, npt.NDArray[np.int64]]

#: Per channel: no reading of a batch between `since` and `until` overlaps others; for
#: an even channel only readings that start at its steps, at any time.
_KNOWN: Final = ("channel", "since", "until", "interval", "step", "turn")


class Overlaps:
    """Known periods without overlaps, as of the last committed batch."""

    def __init__(self) -> None:
        """Start without known periods."""
        self._known: Columns = {name: np.empty(0, np.int64) for name in _KNOWN}
        self._next = self._known

    def count(self, connection: Connection, batch: Batch) -> Overlapping:
        """Count the readings of a stored batch that overlap others.

        Newly known periods take effect with `committed`.
        """
        rows = _sorted(batch)
        self._next = self._known
        if not rows.size:
            return Counter()
        groups, in_group = _groups(rows)
        turns = _turns(connection, groups["channel"])
        is_free = self._is_free(groups, turns)
        found: Overlapping = Counter()
        learned = {name: groups[name][is_free] for name in _KNOWN}
        if not is_free.all():
            execute(connection, "look_alone")
            doubtful = {name: column[~is_free] for name, column in groups.items()}
            is_even = _refresh(connection, doubtful, turns[~is_free])
            is_free[~is_free] = is_even
            if not is_even.all():
                found = _query(connection, rows[~is_free[in_group]])
            learned = {
                name: np.append(column, doubtful[name])
                for name, column in learned.items()
            }
        self._next = _updated(self._known, learned)
        return found

    def committed(self) -> None:
        """Keep the periods learned from the last batch, which has committed."""
        self._known = self._next

    def _is_free(
        self, groups: Columns, turns: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Return which groups overlap nothing, and extend the known periods by them."""
        known = self._known
        if not known["channel"].size:
            return np.zeros(turns.size, np.bool_)
        at = np.searchsorted(known["channel"], groups["channel"])
        at[at == known["channel"].size] = 0
        before = {name: column[at] for name, column in known.items()}
        even = before["turn"] == _EVEN
        is_free: npt.NDArray[np.bool_] = (
            (before["channel"] == groups["channel"])
            & (before["turn"] == turns)
            & (groups["first"] + groups["slack"] >= before["since"])
            & (groups["ended"] <= before["until"])
            & np.where(
                even,
                (groups["interval"] == before["interval"])
                & (groups["step"] == before["step"])
                & (groups["uneven"] == 0),
                groups["into"] == 0,
            )
        )
        # late readings of an even channel do not change what is known of it
        groups["late"] = (
            (before["channel"] == groups["channel"])
            & even
            & (groups["ended"] <= before["since"])
        )
        groups["since"] = np.where(even, before["since"], groups["ended"])
        groups["until"], groups["turn"] = before["until"], before["turn"]
        return is_free


def _sorted(batch: Batch) -> Heads:
    """Return the heads of rows by channel and time, the last one per key."""
    rounds = [each for found in batch.packed().values() for each in found]
    corrects = [each.heads for each in rounds if each.corrects]
    retained = [each.heads for each in rounds if not each.corrects]
    found = [
        rows.astype(_HEAD) if len(rounds) > 1 else rows
        for rows in (*corrects[::-1], *retained)
    ]
    if len(found) == 1 and (found[0]["time"] >= 0).all():
        return found[0]  # already in packed order
    rows: Heads = np.concatenate(found) if found else np.empty(0, _HEAD)
    order = np.lexsort((rows["time"], rows["channel"]))
    rows = rows[order]
    other = (rows["channel"][1:] != rows["channel"][:-1]) | (
        rows["time"][1:] != rows["time"][:-1]
    )
    unique: Heads = rows[np.append(True, other)] if rows.size else rows
    return unique


_HEAD: Final = np.dtype(
    {
        "names": ["channel", "time", "sensor", "received", "interval_s"],
        "formats": [np.int64] * 5,
    }
)


def _groups(rows: Heads) -> tuple[Columns, npt.NDArray[np.intp]]:
    """Return what must be known for each channel's rows, and each row's group."""
    channel = rows["channel"].astype(np.int64)
    start = rows["time"].astype(np.int64)
    lasting = rows["interval_s"].astype(np.int64) * _US
    slack = (lasting * OVERLAP_TOLERANCE).astype(np.int64)
    step = start % lasting
    begins = np.append(True, channel[1:] != channel[:-1])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], rows.size) - 1
    into = np.append(
        False,
        start[1:] < (start + lasting)[:-1] - np.minimum(slack[1:], slack[:-1]),
    )
    differs = np.append(False, (lasting[1:] != lasting[:-1]) | (step[1:] != step[:-1]))
    groups = {
        "channel": channel[first],
        "first": start[first],
        "slack": slack[first],
        "ended": np.maximum.reduceat(start + lasting, first),
        "interval": lasting[first],
        "step": step[first],
        "into": np.add.reduceat((into & ~begins).astype(np.int64), first),
        "uneven": np.add.reduceat((differs & ~begins).astype(np.int64), first),
    }
    nothing = np.zeros(first.size, np.int64)
    groups |= dict.fromkeys(("since", "until", "turn", "late"), nothing)
    return groups, np.repeat(np.arange(first.size), last - first + 1)


def _turns(
    connection: Connection, channels: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Read the turns of channels, given in sorted order."""
    turns = np.full(channels.size, _EVEN)
    for row in execute(connection, "turns", channels=array(channels.tolist())):
        turns[np.searchsorted(channels, row["channel_id"])] = row["turn"]
    return turns


def _query(connection: Connection, rows: Heads) -> Overlapping:
    """Count overlaps by querying the database."""
    found: Overlapping = Counter()
    for row in execute(
        connection,
        "overlapping",
        channels=array(rows["channel"].tolist()),
        times=array(rows["time"].tolist()),
        intervals=array(rows["interval_s"].tolist()),
        share=OVERLAP_TOLERANCE,
    ):
        at = row["place"] - 1
        hour = hour_of(int(rows["received"][at]) // _HOUR_US)
        found[int(rows["sensor"][at]), hour] += 1
    return found


def _refresh(
    connection: Connection, groups: Columns, turns: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Update groups with the current state of their channels; record uneven ones.

    Return which groups, with their surroundings, are even, so that nothing overlaps.
    """
    around = execute(
        connection,
        "surroundings",
        channels=array(groups["channel"].tolist()),
        firsts=array(groups["first"].tolist()),
        ends=array(groups["ended"].tolist()),
        intervals=array((groups["interval"] // _US).tolist()),
        following=READINGS_AHEAD,
    ).fetchall()
    even: npt.NDArray[np.bool_] = np.array([row["even"] for row in around])
    even &= groups["uneven"] == 0
    uneven = ~even | (turns != _EVEN)
    late = groups["late"].astype(np.bool_) & ~uneven
    reached, following, last = (
        np.array([_FOR_EVER if row[name] is None else row[name] for row in around])
        for name in ("reached", "next", "last")
    )
    groups["since"] = np.where(late, groups["since"], reached)
    groups["until"] = np.where(late, groups["until"], np.where(uneven, following, last))
    groups["turn"] = np.full(turns.size, _EVEN)
    if uneven.any():
        channels = groups["channel"][uneven]
        for row in execute(connection, "take_turns", channels=array(channels.tolist())):
            at = np.searchsorted(groups["channel"], row["channel_id"])
            groups["turn"][at] = row["turn"]
    return even


def _updated(known: Columns, learned: Columns) -> Columns:
    """Return the known periods with those of the learned channels replaced."""
    stays = ~np.isin(known["channel"], learned["channel"], assume_unique=True)
    found = {
        name: np.append(column[stays], learned[name]) for name, column in known.items()
    }
    order = np.argsort(found["channel"])
    return {name: column[order] for name, column in found.items()}
