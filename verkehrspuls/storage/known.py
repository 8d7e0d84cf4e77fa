"""Keys that are registered: whether one is, and which one was meant.

Over the web only what the viewer sees is known, so that a suggestion names no more.
"""

from datetime import date, datetime
from typing import Final, Literal

from verkehrspuls.calendar import local_day
from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage.database import Connection, execute
from verkehrspuls.wording import nearest

Kind = Literal["site", "sensor"]

#: Keys of one municipality that are compared with a misspelt one, at most.
MAX_KEYS_COMPARED: Final = 2000


def municipalities(connection: Connection) -> list[str]:
    """Return the keys of municipalities."""
    rows = execute(connection, "known_municipalities")
    return [row["key"] for row in rows]


def keys(
    connection: Connection,
    kind: Kind,
    municipality: str | None,
    *,
    key: str | None = None,
) -> list[str]:
    """Return the keys of sites or sensors of a municipality; of all for none.

    With `key` at most that one, however many there are.
    """
    rows = execute(
        connection,
        f"known_{kind}s",
        municipality=municipality,
        key=key,
        most=MAX_KEYS_COMPARED,
    )
    return [row["key"] for row in rows]


def require(
    connection: Connection,
    municipality: str | None,
    *,
    site: str | None = None,
    sensor: str | None = None,
) -> None:
    """Refuse a municipality, site or sensor that is not known; None is all."""
    if municipality is not None and municipality not in municipalities(connection):
        raise UnknownKey(kind="municipality", key=municipality)
    chosen: tuple[tuple[Kind, str | None], ...] = (("site", site), ("sensor", sensor))
    for kind, key in chosen:
        if key is not None and not keys(connection, kind, municipality, key=key):
            whole = f"{municipality}/{key}" if municipality else key
            raise UnknownKey(kind=kind, key=whole)


def time_zone(connection: Connection, municipality: str | None) -> str:
    """Return the time zone of a municipality; UTC for none, or an unknown one."""
    if municipality is None:
        return "UTC"
    town = execute(connection, "municipality", key=municipality).fetchone()
    return str(town["time_zone"]) if town else "UTC"


def today(connection: Connection, municipality: str | None, *, now: datetime) -> date:
    """Return the local day of a municipality; of all, the newest one."""
    rows = execute(connection, "known_time_zones", municipality=municipality)
    zones = [row["time_zone"] for row in rows]
    return max((local_day(now, zone) for zone in zones), default=now.date())


def meant(connection: Connection, error: UnknownKey) -> str:
    """Return the key that was probably meant; empty where none is like it."""
    key = str(error.key)
    if error.kind not in ("municipality", "site", "sensor"):
        return ""
    towns = municipalities(connection)
    town, slash, inner = key.partition("/")
    if error.kind == "municipality":
        return nearest(key, towns)
    kind: Kind = "site" if error.kind == "site" else "sensor"
    if not slash:
        return nearest(key, keys(connection, kind, None))
    town = town if town in towns else nearest(town, towns)
    there = keys(connection, kind, town) if town else []
    near = inner if inner in there else nearest(inner, there)
    return f"{town}/{near}" if near else ""
