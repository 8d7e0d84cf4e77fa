"""Municipalities and sites, as pages, API and exports read them.

Parts of a registration that cannot be used are left out here, and named as faults.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from msgspec import Struct, convert, structs

from verkehrspuls import places
from verkehrspuls.errors import UnknownKey
from verkehrspuls.quantities import QUANTITIES
from verkehrspuls.storage.database import Connection, execute, read_records
from verkehrspuls.storage.sensors import Installed, list_sensors
from verkehrspuls.text import mark, translate


class Fault(NamedTuple):
    """A part of a site's registration that cannot be used, with its value."""

    text: str
    value: str

    def in_language(self, language: str) -> str:
        """Return the text in a language, with the value."""
        return translate(self.text, language) % {"value": self.value}


@dataclass(frozen=True, slots=True)
class Municipality:
    """A municipality that has sites."""

    municipality_id: int
    key: str
    name: str
    state: str
    time_zone: str
    licence: str
    simulated: bool
    imprint: str
    privacy: str
    contact: str
    latitude: float | None
    longitude: float | None
    #: number of its sites, and of those for everybody
    sites: int
    public_sites: int


class Channel(Struct, frozen=True, kw_only=True):
    """A channel of a site, as registered."""

    channel_id: int
    key: str
    name: str
    quantity: str
    #: empty where there is none
    direction: str
    direction_name: str
    lane: int | None
    thresholds: Mapping[str, float]


class Site(Struct, frozen=True, kw_only=True):
    """A site with its channels, and the municipality that it belongs to.

    A struct: pages make thousands, and a frozen dataclass of as many fields takes four
    times as long.
    """

    site_id: int
    key: str
    name: str
    road: str
    place: str
    latitude: float | None
    longitude: float | None
    speed_limit_kmh: int | None
    visibility: str
    status: str
    municipality: str
    municipality_name: str
    state: str
    time_zone: str
    licence: str
    simulated: bool
    imprint: str
    privacy: str
    contact: str
    #: coordinates of the municipality
    town_latitude: float | None
    town_longitude: float | None
    channels: tuple[Channel, ...]
    #: when the newest message of any of its sensors came; None: never
    last_received_at: datetime | None
    #: what became of the messages of that hour: `used` is one at least, `rejected` all
    last_messages: Literal["used", "rejected", "imported"] | None
    #: shortest and longest interval of its sensors
    shortest_s: int | None
    longest_s: int | None
    #: when the newest of its readings was measured, whenever it came
    newest_reading_at: datetime | None
    #: parts of its registration that cannot be used and are left out
    faults: tuple[Fault, ...]
    #: only of a site that `read_site` found
    sensors: tuple[Installed, ...] = ()


def list_municipalities(connection: Connection) -> list[Municipality]:
    """List municipalities that have a site, by name."""
    found = read_records(connection, Municipality, "list_municipalities")
    return [
        replace(town, latitude=None, longitude=None)
        if town.latitude is not None
        and not places.is_plausible(town.latitude, town.longitude or 0.0)
        else town
        for town in found
    ]


def list_sites(
    connection: Connection,
    *,
    municipality: str | None = None,
    heard: bool = True,
    limit: int | None = None,
    skip: int = 0,
) -> list[Site]:
    """List sites with their channels, by names of municipality and site.

    Without `heard` messages and readings are not looked up, and their fields are None.
    At most `limit` come, after `skip` others.
    """

    def read(*, heard: bool, limit: int | None, skip: int) -> list[Site]:
        asked = {"heard": heard, "limit": limit, "skip": skip}
        return _read(connection, municipality=municipality, site=None, **asked)

    found = read(heard=heard, limit=limit, skip=skip)
    # what is far from the others is known by all of them
    is_part = limit is not None or skip > 0
    astray = _astray(read(heard=False, limit=None, skip=0) if is_part else found)
    return [
        structs.replace(
            site,
            latitude=None,
            longitude=None,
            faults=(*site.faults, astray[site.site_id]),
        )
        if site.site_id in astray
        else site
        for site in found
    ]


def read_site(
    connection: Connection,
    municipality: str,
    site: str,
) -> Site:
    """Find a site, with its `sensors`."""
    asked = {"heard": True, "limit": None, "skip": 0}
    found = _read(connection, municipality=municipality, site=site, **asked)
    if not found:
        raise UnknownKey(kind="site", key=f"{municipality}/{site}")
    sensors = list_sensors(connection, municipality=municipality, site=site)
    return structs.replace(found[0], sensors=tuple(sensors))


def _read(connection: Connection, **asked: Any) -> list[Site]:
    return [_usable(row) for row in execute(connection, "list_sites", **asked)]


def _usable(row: MutableMapping[str, Any]) -> Site:
    """Make a site of a row; leave out what cannot be used, and name it."""
    channels = convert(row["channels"], tuple[Channel, ...])
    unknown = {c.quantity for c in channels if c.quantity not in QUANTITIES}
    faults = [
        Fault(mark("It measures “%(value)s”, which is not known here."), quantity)
        for quantity in sorted(unknown)
    ]
    latitude, longitude = row["latitude"], row["longitude"]
    if (
        latitude is not None
        and longitude is not None
        and not places.is_plausible(latitude, longitude)
    ):
        place = f"{latitude:g}, {longitude:g}"
        text = mark("Its coordinates (%(value)s) are not in Germany.")
        faults.append(Fault(text, place))
        row["latitude"] = row["longitude"] = None
    if unknown:
        channels = tuple(c for c in channels if c.quantity not in unknown)
    row["channels"] = channels
    return Site(**row, faults=tuple(faults))


def _astray(sites: Sequence[Site]) -> dict[int, Fault]:
    """Return the faults of sites far from their municipality's others, by id."""
    towns: dict[str, list[tuple[Site, tuple[float, float]]]] = {}
    for site in sites:
        if site.latitude is not None and site.longitude is not None:
            place = site.latitude, site.longitude
            towns.setdefault(site.municipality, []).append((site, place))
    text = mark("Its coordinates (%(value)s) are far from those of all other sites.")
    found = {}
    for town in towns.values():
        first = town[0][0]
        known = [place for _, place in town]
        if first.town_latitude is not None and first.town_longitude is not None:
            its_own = first.town_latitude, first.town_longitude
            known += [its_own] if places.is_plausible(*its_own) else []
        middle = places.middle(known)
        for site, place in town:
            if places.are_far(place, middle):
                found[site.site_id] = Fault(text, f"{place[0]:g}, {place[1]:g}")
    return found
