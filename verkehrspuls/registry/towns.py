"""Register towns: municipalities with their sites, channels, sensors."""

from verkehrspuls.errors import UnknownKey
from verkehrspuls.model import Town
from verkehrspuls.registry.edit import edit
from verkehrspuls.registry.faults import check
from verkehrspuls.registry.registration import Change, overlay
from verkehrspuls.storage.database import Connection, one


def register(connection: Connection, town: Town, *, keep: bool = False) -> list[Change]:
    """Register a town, or update it, in one transaction; return what changed.

    Entries in the database that are missing from the town stay; a sensor's
    installations are replaced as a whole. `keep`: known facts of sites and channels
    stay, such as place and visibility; files of counts contain little more than their
    keys.
    """
    check(town)
    with connection.transaction():
        changes = edit(
            connection,
            town.key,
            lambda before: overlay(before, town, keep=keep) if before else town,
        )
    connection.commit()
    return changes


def require_sites(
    connection: Connection, *, municipality: str | None, site: str | None
) -> None:
    """Refuse a municipality or site that is not registered; None matches all."""
    if municipality is None and site is None:
        return
    chosen = {"municipality": municipality, "site": site}
    if not one(connection, "count_chosen_sites", **chosen)["sites"]:
        kind = "municipality" if site is None else "site"
        key = "/".join(filter(None, (municipality, site)))
        raise UnknownKey(kind=kind, key=key)
