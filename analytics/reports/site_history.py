"""The report of a site's history: its devices, and what was done there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from verkehrspuls.registry.commissioning import Message, Sensor, sensor
from verkehrspuls.storage import ledger
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.ledger_hours import OfHour, list_ledger
from verkehrspuls.storage.sites import Site

#: rejected messages that are listed
MAX_REJECTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDay:
    """What came of a sensor in the last 24 hours."""

    sensor: Sensor
    #: by hour of receipt, the newest first
    hours: Sequence[OfHour]
    rejected: Sequence[ledger.Rejected]

    @property
    def messages(self) -> Sequence[Message]:
        """Return its newest messages, whenever they came."""
        return self.sensor.messages


def report_last_day(
    connection: Connection, site: Site, *, now: datetime
) -> list[LastDay]:
    """Report what came of the sensors that are attached at a site, for engineers."""
    start = (now - timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    keys = dict.fromkeys(
        each.key for each in site.sensors if each.until is None or each.until > start
    )
    return [
        LastDay(
            sensor=sensor(connection, site.municipality, key),
            hours=list_ledger(
                connection,
                municipality=site.municipality,
                sensor=key,
                start=start,
                end=now,
            ),
            rejected=ledger.rejects(
                connection,
                limit=MAX_REJECTS,
                municipality=site.municipality,
                sensor=key,
                start=start,
                end=None,
                reason=None,
                topic=None,
                open=False,
            ),
        )
        for key in keys
    ]
