"""State of one sensor, for the person who brings it into service.

For the operator: independent of the visibility of its sites.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import msgspec

from verkehrspuls.errors import UnknownKey
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage import ledger
from verkehrspuls.storage.clocks import passed_over, sensor_clocks
from verkehrspuls.storage.database import Connection, execute
from verkehrspuls.wire import topic

Row = dict[str, Any]

#: Newest messages shown.
MAX_MESSAGES: Final = 10
#: Ledger slots of messages that did not come through a broker.
_WAYS: Final = {100: "imported", 101: "replayed"}


def sensor(connection: Connection, municipality: str, key: str) -> Row:
    """Read a sensor: its registration, what it sent, and the outcomes.

    `clock` is the state of its clock, see `storage.clocks`; null without readings.
    `passed_over`: implausible times in its messages. `ambiguous`: readings of an hour
    that its clock showed twice, whose pass is unknown.
    """
    chosen = {"municipality": municipality, "sensor": key}
    row: Row | None = execute(connection, "sensor_facts", **chosen).fetchone()
    if row is None:
        raise UnknownKey(kind="sensor", key=f"{municipality}/{key}")
    sensor_id = row["sensor_id"]
    installations = execute(
        connection, "sensor_installations", sensor_id=sensor_id
    ).fetchall()
    clocks = sensor_clocks(connection, **chosen)
    everything = dict.fromkeys(("reason", "start", "end"))
    return row | {
        "topics": _topics(row, installations),
        "installations": installations,
        "messages": _messages(connection, sensor_id),
        "clock": clocks[0].facts if clocks else None,
        "passed_over": [
            asdict(found)
            for found in passed_over(connection, municipality=municipality, sensor=key)
        ],
        "ambiguous": execute(
            connection, "sensor_ambiguous", sensor_id=sensor_id
        ).fetchall(),
        "rejects": [
            asdict(found)
            for found in ledger.count_rejects(connection, **chosen, **everything)
        ],
        "left_out": [
            asdict(found)
            for found in ledger.dropped_fields(
                connection, **chosen, **dict.fromkeys(("site", "start", "end"))
            )
        ],
    }


def _topics(row: Row, installations: list[Row]) -> list[str]:
    """List the topics under which it must publish."""
    if row["topic"]:
        return [row["topic"]]
    counts = {each["quantity"] in COUNTED for each in installations}
    kinds = [
        *(["counts"] if True in counts or row["class_scheme"] else []),
        *(["environment"] if False in counts or not row["class_scheme"] else []),
        "status",
    ]
    return [topic(row["municipality"], row["key"], kind) for kind in kinds]


def _messages(connection: Connection, sensor_id: int) -> list[Row]:
    rows = execute(connection, "sensor_newest_messages", sensor_id=sensor_id)
    found = [_message(row["slot"], row["message"]) for row in rows]
    # messages of the same time in the order of the slot: the newest first
    found.sort(key=lambda message: message["received_at"], reverse=True)
    return found[:MAX_MESSAGES]


def _message(slot: int, text: str) -> Row:
    """Decode a message written by `ingest.newest`."""
    received_at, readings, *why = msgspec.json.decode(text)
    refused, reason, detail, values = why or (0, None, "", [])
    outcome = "accepted"
    if reason is not None:
        outcome = "partly accepted" if readings else "rejected"
    return {
        "received_at": datetime.fromisoformat(received_at),
        "came": _WAYS.get(slot, "received"),
        "outcome": outcome,
        "readings": readings,
        "readings_rejected": refused,
        "reason": reason,
        "detail": detail,
        "detail_values": values,
    }
