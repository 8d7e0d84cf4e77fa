"""Remove registered things, in one transaction.

The ledger stays and still adds up: removed readings count as dropped, as those removed
by retention. Rejected messages stay. A sensor or municipality that is registered again
under its key continues its ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from verkehrspuls.access import audit
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.storage.database import Connection, execute, one, read_records

#: Data of a site, sensor or municipality: readings and cases are removed with it,
#: messages stay counted in the ledger and rejects stay.
Affected = dict[str, int]

#: Names of the kinds in commands.
SITE: Final = "site"
SENSOR: Final = "sensor"
TOWN: Final = "town"


class HasData(UsageError):
    """Nothing removed: {kind} {key} has {readings} readings and {cases} cases.

    {instead}. To remove them with it, add {missing}. {messages} messages stay counted
    in the ledger, and {rejects} rejects stay.
    """

    code = "has-data"


_INSTEAD: Final = {
    SENSOR: "Usually `verkehrspuls sensor end` is right: its figures stay",
    SITE: "Usually `verkehrspuls sensor end` of its sensors is right: figures stay",
    TOWN: "Export what is to be kept with `verkehrspuls export`",
}


def remove(
    connection: Connection,
    kind: str,
    municipality: str,
    key: str | None = None,
    *,
    with_readings: bool,
    sure: bool,
) -> Affected:
    """Remove a site, a sensor, or (without a key) a municipality.

    If it has data, `with_readings` and `sure` are required; return the numbers removed.
    """
    with connection.transaction():
        sites: list[int] = []
        sensors: list[int] = []
        if kind != SENSOR:
            sites = _sites(connection, municipality, key)
        if kind != SITE:
            sensors = _locked(connection, SENSOR, municipality, key)
        town = one(connection, "lock_town", municipality=municipality)
        channels = _channels(connection, sites)
        of_sensor = sensors[0] if kind == SENSOR else None
        at = channels
        if kind == SENSOR:
            found = execute(connection, "channels_of_town", municipality=municipality)
            at = [row["channel_id"] for row in found]
        affected: Affected = one(
            connection,
            "data_of",
            channels=at,
            sensor=of_sensor,
            sensors=sensors,
            case_channels=channels,
        )
        _refuse(affected, kind, municipality, key, with_readings, sure)
        for query in ("forget_ambiguous", "remove_readings"):
            execute(connection, query, channels=at, sensor=of_sensor)
        if sites:
            _remove_sites(connection, town["municipality_id"], sites, channels)
        if sensors:
            execute(connection, "forget_sensors", sensors=sensors)
        if kind == TOWN:
            execute(connection, "forget_town", **town)
            execute(connection, "forget_people", **town)
        if affected["readings"] or affected["cases"]:
            audit.note(
                connection,
                "reading.remove",
                key=f"{municipality}/{key}" if key else municipality,
                municipality=municipality,
                before={what: affected[what] for what in ("readings", "cases")},
            )
    sweep(connection)
    return affected


@dataclass(frozen=True, slots=True)
class RegisteredTown:
    """A municipality, and what is registered of it."""

    town: str
    name: str
    state: str
    time_zone: str
    sites: int
    sensors: int


def towns(connection: Connection) -> list[RegisteredTown]:
    """List the registered municipalities."""
    return read_records(connection, RegisteredTown, "list_towns")


def _refuse(
    affected: Affected,
    kind: str,
    municipality: str,
    key: str | None,
    with_readings: bool,
    sure: bool,
) -> None:
    if not (affected["readings"] or affected["cases"]) or (with_readings and sure):
        return
    missing = "--yes" if with_readings else "--with-readings and --yes"
    raise HasData(
        **affected,
        kind=kind,
        key=f"{municipality}/{key}" if key else municipality,
        instead=_INSTEAD[kind],
        missing=missing,
    )


def _remove_sites(
    connection: Connection,
    municipality_id: int,
    sites: Sequence[int],
    channels: Sequence[int],
) -> None:
    members = execute(connection, "remove_members", channels=channels)
    cases = list({row["anomaly_case_id"] for row in members})
    chosen = {"sites": sites, "channels": channels}
    execute(connection, "lead_cases", cases=cases)
    execute(connection, "remove_cases", cases=cases, **chosen)
    execute(connection, "remove_figures", channels=channels)
    execute(connection, "leave_roads", sites=sites)
    execute(connection, "remove_roads", municipality_id=municipality_id)
    for query in ("empty_sites", "remove_sites"):
        execute(connection, query, sites=sites)


def _sites(connection: Connection, municipality: str, key: str | None) -> list[int]:
    if not execute(connection, "find_town", municipality=municipality).fetchone():
        raise UnknownKey(kind="municipality", key=municipality)
    return _locked(connection, SITE, municipality, key)


def _locked(
    connection: Connection,
    kind: Literal["site", "sensor"],
    municipality: str,
    key: str | None,
) -> list[int]:
    """Lock the sites or sensors of a municipality, or one; return their ids."""
    query = f"lock_{kind}s_of_town"
    rows = execute(connection, query, municipality=municipality, key=key).fetchall()
    if key and not rows:
        raise UnknownKey(kind=kind, key=f"{municipality}/{key}")
    return [row[f"{kind}_id"] for row in rows]


def _channels(connection: Connection, sites: Sequence[int]) -> list[int]:
    rows = execute(connection, "channels_of_sites", sites=sites)
    return [row["channel_id"] for row in rows]


def sweep(connection: Connection) -> int:
    """Remove readings that arrived for channels while these were being removed."""
    with connection.transaction():
        return int(one(connection, "sweep")["channels"])
