"""Sums of the ledger: which there are, in the order of their columns."""

from typing import Final

from msgspec import Struct


class Tallies(Struct, frozen=True, kw_only=True):
    """Numbers of messages and readings by their outcome."""

    messages_received: int
    messages_accepted: int
    messages_partly_accepted: int
    messages_rejected: int
    messages_unknown_sensor: int
    readings_received: int
    readings_stored: int
    readings_duplicate: int
    readings_corrected: int
    readings_rejected: int
    readings_late: int
    sequence_lost: int
    readings_overlapping: int


#: Columns of `ledger` and `ledger_sum`.
TALLIES: Final = Tallies.__struct_fields__
