"""Rename, merge and split sites; earlier keys lead to where they went."""

import re
from collections.abc import Sequence
from typing import Final, NoReturn

from verkehrspuls.errors import UnknownKey
from verkehrspuls.model import Site, Town
from verkehrspuls.registry import edit
from verkehrspuls.registry.faults import Fault, Faulty
from verkehrspuls.registry.registration import Entry, own_fields
from verkehrspuls.storage.database import Connection, execute
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

_KEY: Final = re.compile(r"[a-z0-9-]{1,64}")
_NO_KEY: Final = mark(
    "a key has only a to z, digits and hyphens, 64 characters at most"
)
_THERE: Final = mark("there is a site {} already")
_HERE: Final = mark("the channels are there already")
_BOTH: Final = mark(
    "both sites have a channel {}; channels keep their keys, so only one of them can "
    "be at a site"
)
_NAMED: Final = mark(
    "a corridor or junction names the direction {} of it; change that first"
)


def rename(connection: Connection, municipality: str, site: str, new: str) -> None:
    """Give a site another key, within the transaction; the old one leads to it."""
    town = _locked(connection, municipality)
    _site(town, site)
    if not _KEY.fullmatch(new):
        _refuse(site, "key", _NO_KEY)
    if any(each.key == new for each in town.sites):
        _refuse(site, "key", _THERE, new)
    execute(connection, "rename_site", municipality=municipality, site=site, new=new)


def move_channels(
    connection: Connection,
    municipality: str,
    site: str,
    channels: Sequence[str],
    *,
    into: str,
) -> None:
    """Move channels to another site, within the transaction, with all their data."""
    town = _locked(connection, municipality)
    there = {channel.key for channel in _site(town, site).channels}
    for key in channels:
        if key not in there:
            raise UnknownKey(kind="channel", key=f"{municipality}/{site}/{key}")
    taken = {channel.key for channel in _site(town, into).channels}
    if site == into:
        _refuse(site, "into", _HERE)
    if both := sorted(taken.intersection(channels)):
        _refuse(site, "into", _BOTH, both[0])
    stay = _named_on_roads(town, site) - {
        channel.direction
        for channel in _site(town, site).channels
        if channel.key not in channels
    }
    if stay and there != set(channels):
        _refuse(site, "channel", _NAMED, sorted(stay)[0])
    where = {"municipality": municipality, "site": site, "into": into}
    execute(connection, "move_channels", channels=list(channels), **where)


def split(
    connection: Connection,
    municipality: str,
    site: str,
    channels: Sequence[str],
    *,
    key: str,
    name: str,
) -> None:
    """Move channels to a new site, which is like the one that they were at."""
    town = _locked(connection, municipality)
    fields = own_fields("site", _site(town, site))
    if any(each.key == key for each in town.sites):
        _refuse(site, "key", _THERE, key)
    new = {**fields, "key": key, "name": name}
    edit.put_entry(connection, municipality, Entry("site", key), new, seen=None)
    move_channels(connection, municipality, site, channels, into=key)


def merge(connection: Connection, municipality: str, site: str, *, into: str) -> None:
    """Move all channels of a site to another one, and let its key lead there."""
    town = _locked(connection, municipality)
    channels = [channel.key for channel in _site(town, site).channels]
    if channels:
        move_channels(connection, municipality, site, channels, into=into)
    else:
        _site(town, into)
    where = {"municipality": municipality, "site": site, "into": into}
    execute(connection, "lead_to_site", **where)
    edit.remove_entry(connection, municipality, "site", site)


def led_to(connection: Connection, municipality: str, site: str) -> str | None:
    """Return the key of the site to which an earlier key leads; None for none."""
    where = {"municipality": municipality, "site": site}
    row = execute(connection, "led_to", **where).fetchone()
    return row["key"] if row else None


def _refuse(site: str, field: str, text: str, *values: str) -> NoReturn:
    raise Faulty([Fault(Entry("site", site), field, Phrase(text, values))])


def _locked(connection: Connection, municipality: str) -> Town:
    edit.require(connection, municipality)
    execute(connection, "lock_registration", municipality=municipality)
    return edit.read(connection, municipality)


def _site(town: Town, key: str) -> Site:
    for site in town.sites:
        if site.key == key:
            return site
    raise UnknownKey(kind="site", key=f"{town.key}/{key}")


def _named_on_roads(town: Town, site: str) -> set[str]:
    """Return the directions of a site that corridors and junctions name."""
    return {
        place.direction
        for road in (*town.corridors, *town.junctions)
        for place in getattr(road, "stations", ()) or getattr(road, "arms", ())
        if place.site == site
    }
