"""What is known of one sensor, for whoever brings it into service.

For the operator: whatever the visibility of its sites.
"""

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

#: So many of the newest messages are told of.
MESSAGES: Final = 10
#: The ledger's slots that no message of a broker comes through.
_WAYS: Final = {100: "imported", 101: "replayed"}


def sensor(connection: Connection, municipality: str, key: str) -> Row:
    """Find a sensor: what is registered, what came of it, and what became of that.

    `clock` is how its clock stands, see `storage.clocks`; null where nothing came.
    `passed_over`: times in its messages that cannot be right. `ambiguous`: readings of
    an hour that its clock showed twice, that may be of the other pass.
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
        "passed_over": passed_over(connection, municipality=municipality, sensor=key),
        "ambiguous": execute(
            connection, "sensor_ambiguous", sensor_id=sensor_id
        ).fetchall(),
        "rejects": ledger.count_rejects(connection, **chosen, **everything),
        "left_out": ledger.dropped_fields(
            connection, **chosen, **dict.fromkeys(("site", "start", "end"))
        ),
    }


def _topics(row: Row, installations: list[Row]) -> list[str]:
    """Name what it has to publish under."""
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
    # those of a moment in the order in which a slot has them: the newest is first
    found.sort(key=lambda message: message["received_at"], reverse=True)
    return found[:MESSAGES]


def _message(slot: int, text: str) -> Row:
    """Read a message as `ingest.newest` wrote it."""
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
