"""End sites and sensors: what is attached to them ends, and their readings stay."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from msgspec import structs

from verkehrspuls.errors import UnknownKey
from verkehrspuls.model import Installation, Sensor, Town
from verkehrspuls.registry.edit import edit, require
from verkehrspuls.registry.faults import Fault, Faulty
from verkehrspuls.registry.registration import Change, Entry, walk
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

_LATER: Final = mark(
    "output {1} of {0} was attached only after that; end it later, or correct when it "
    "was attached"
)


def end(
    connection: Connection,
    municipality: str,
    entry: Entry,
    *,
    at: datetime,
    now: datetime,
) -> list[Change]:
    """Register the end of a site or sensor; return what changes."""
    require(connection, municipality)

    def become(before: Town | None) -> Town:
        if before is None:
            raise UnknownKey(kind="municipality", key=municipality)
        return ended(before, entry, at=at, now=now)

    return edit(connection, municipality, become)


def ended(town: Town, entry: Entry, *, at: datetime, now: datetime) -> Town:
    """Return a town in which a site or sensor is dismantled at a time.

    What would be attached only later is not attached any more. What was attached
    between that time and `now` is refused.
    """
    if entry not in dict(walk(town)):
        raise UnknownKey(kind=entry.kind, key=f"{town.key}/{entry.key}")
    at = at.astimezone(UTC)

    def installations(sensor: Sensor) -> Iterator[Installation]:
        for each in sensor.installations:
            ends = entry in (("site", each.site), ("sensor", sensor.key))
            if not ends or (each.until is not None and each.until <= at):
                yield each
            elif each.since < at:
                yield structs.replace(each, until=at)
            elif each.since < now:
                fault = Fault(entry, "at", Phrase(_LATER, (sensor.key, each.output)))
                raise Faulty([fault])

    return structs.replace(
        town,
        sites=tuple(
            structs.replace(site, status="dismantled")
            if entry == ("site", site.key)
            else site
            for site in town.sites
        ),
        sensors=tuple(
            structs.replace(
                sensor,
                status="dismantled"
                if entry == ("sensor", sensor.key)
                else sensor.status,
                installations=tuple(installations(sensor)),
            )
            for sensor in town.sensors
        ),
    )
