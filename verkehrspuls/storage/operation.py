"""Sums over everything, for the operator and for caches."""

from verkehrspuls.storage.case_lists import CURRENT_DAYS
from verkehrspuls.storage.database import Connection, Row, execute, one


def count_changes(connection: Connection) -> int:
    """Count the transactions that changed registry, figures or cases.

    Read before what it tells of, it is never newer. What ingest writes with each batch
    is not counted: `last_received_at` and the state of sensors tell it.
    """
    return int(one(connection, "count_changes")["changes"])


def read_state(connection: Connection) -> dict[str, list[Row]]:
    """Sum up what the operator's metrics tell, over all sites."""
    return {
        "ledger": execute(connection, "sum_ledger").fetchall(),
        "rejected": execute(connection, "count_rejected").fetchall(),
        "cases": execute(
            connection, "count_open_cases", current_days=CURRENT_DAYS
        ).fetchall(),
        "health": execute(connection, "count_health").fetchall(),
        "work": execute(connection, "read_work").fetchall(),
        "alerts": execute(connection, "alerts_held_up").fetchall(),
    }


def read_lag_s(connection: Connection) -> float | None:
    """Return how many seconds ago the newest committed message came; None: none did."""
    lag: float | None = execute(connection, "read_work").fetchall()[0][
        "since_last_commit_s"
    ]
    return lag
