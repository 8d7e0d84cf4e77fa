"""What records say of findings that a test wrote, stored as the product does it."""

from typing import Any

import psycopg

from analytics.detectors import reasons
from analytics.health.verdicts import faults


def mark_findings(connection: psycopg.Connection[Any]) -> None:
    """Store the rank of each finding, and whether it is a fault."""
    known = reasons().values()
    connection.execute(
        "update vp.case_member e set rank = of.rank, is_fault = of.is_fault"
        " from unnest(%s::text[], %s::smallint[], %s::boolean[])"
        " as of (reason, rank, is_fault) where of.reason = e.reason",
        [
            [one.code for one in known],
            [one.rank for one in known],
            [one.is_fault for one in known],
        ],
    )
    connection.execute(
        "update vp.channel_health set is_fault = verdict = any(%s)", [faults()]
    )
