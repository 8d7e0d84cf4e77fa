"""How sites stand now: each in one word, compared with what is usual, or why not."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import polars as pl
from msgspec import Struct

from analytics.baseline import standing
from verkehrspuls.quantities import COUNTED, ENVIRONMENT
from verkehrspuls.storage.environment import LatestValue
from verkehrspuls.storage.sites import Site

#: maximum age of the newest whole hour, then the site is late
LATE_AFTER: Final = timedelta(hours=3)
#: maximum age, then the site has no data
GONE_AFTER: Final = timedelta(hours=26)
#: the same for intervals above an hour, in intervals
LATE_AFTER_INTERVALS: Final = 2
GONE_AFTER_INTERVALS: Final = 7
_HOUR_S: Final = 3600

State = Literal[
    "more",
    "usual",
    "less",
    "new",
    "mixed",
    "begun",
    "daily",
    "environment",
    "late",
    "rejected",
    "none",
]


class Hour(Struct, frozen=True, kw_only=True):
    """The newest whole hour of what a site counts."""

    quantity: str
    time: datetime
    #: scaled to the whole hour where enough of it was observed
    volume: float
    observed: float
    #: its share of what is usual; None where that is too little to compare
    share: float | None

    @property
    def is_scaled(self) -> bool:
        """Return whether enough was observed to scale it."""
        return self.observed >= standing.MIN_OBSERVED


class SiteNow(Struct, frozen=True, kw_only=True):
    """A site and how it stands now."""

    site: Site
    state: State
    hour: Hour | None = None
    #: newest values of a station, in the order of ENVIRONMENT
    values: Sequence[LatestValue] = ()
    #: how good its air was in its newest hour, a row of INDEX_SITES
    air: Mapping[str, Any] | None = None


class Newest(Struct, frozen=True, kw_only=True):
    """What is newest at sites, by `site_id`."""

    #: rows of `read_latest`
    hours: Mapping[int, Mapping[str, Any]]
    #: in the order of ENVIRONMENT
    values: Mapping[int, Sequence[LatestValue]]
    #: rows of INDEX_SITES
    air: Mapping[int, Mapping[str, Any]]


def newest_of_sites(
    hours: pl.DataFrame, values: Sequence[LatestValue], air: pl.DataFrame
) -> Newest:
    """Sort what was read by site; of a site that counts several things, the first.

    `hours` as `read_latest` reads them, `air` are INDEX_SITES.
    """
    counted: dict[int, dict[str, Any]] = {}
    order = list(COUNTED)
    for row in hours.to_dicts():
        if row["quantity"] not in COUNTED:
            continue
        held = counted.get(row["site_id"])
        if held is None or order.index(row["quantity"]) < order.index(held["quantity"]):
            counted[row["site_id"]] = row
    places = list(ENVIRONMENT)
    measured: dict[int, list[LatestValue]] = {}
    for value in sorted(values, key=lambda value: places.index(value.quantity)):
        measured.setdefault(value.site_id, []).append(value)
    return Newest(
        hours=counted,
        values=measured,
        air={row["site_id"]: row for row in air.to_dicts()},
    )


def site_now(site: Site, newest: Newest, *, now: datetime) -> SiteNow:
    """Return how a site stands."""
    hour = newest.hours.get(site.site_id)
    return SiteNow(
        site=site,
        state=state(site, hour, now=now),
        hour=None if hour is None else hour_of(hour),
        values=newest.values.get(site.site_id, ()),
        air=newest.air.get(site.site_id),
    )


def hour_of(row: Mapping[str, Any]) -> Hour:
    """Return the hour of a row of `read_latest`."""
    return Hour(
        quantity=row["quantity"],
        time=row["time"],
        volume=whole_volume(row),
        observed=row["observed"] or 0,
        share=shown_ratio(row),
    )


def is_old(time: datetime, interval_s: int, *, now: datetime) -> bool:
    """Return whether a value is much older than the newest one should be."""
    length = timedelta(seconds=interval_s)
    return now - (time + length) > max(LATE_AFTER, LATE_AFTER_INTERVALS * length)


def is_fresh(site: Site, now: datetime) -> bool:
    """Return whether a site's newest reading is current, by its longest interval."""
    measured = site.newest_reading_at
    return measured is not None and now - measured <= GONE_AFTER + _longest(site)


def state(site: Site, newest: Mapping[str, Any] | None, *, now: datetime) -> State:
    """Return a site's state by its newest whole hour (a row of `read_latest`)."""
    if newest is None:
        if site.shortest_s and site.shortest_s > _HOUR_S:
            return _by_days(site, timedelta(seconds=site.shortest_s), now=now)
        if any(channel.quantity in COUNTED for channel in site.channels):
            return _by_messages(site, "begun", now=now)
        return _by_messages(site, "environment", now=now)
    age = now - (newest["time"] + timedelta(hours=1))
    if age > GONE_AFTER:
        return _by_messages(site, "late" if _is_old(site, now) else "begun", now=now)
    if age > LATE_AFTER:
        return "late"
    found = _standing(newest)
    if found is None:
        return "mixed" if newest.get("two_kinds") else "new"
    return found


def _standing(newest: Mapping[str, Any]) -> standing.Standing | None:
    return standing.standing(newest["volume"], newest["usual"], newest["observed"] or 0)


def _is_old(site: Site, now: datetime) -> bool:
    """Return whether the newest data is old, as in a replayed history."""
    return site.newest_reading_at is not None and not is_fresh(site, now)


def _by_days(site: Site, interval: timedelta, *, now: datetime) -> State:
    """Return the state of a site with days, or parts of them, only."""
    heard = _heard(site)
    silent = float("inf") if heard is None else (now - heard) / interval
    if silent > GONE_AFTER_INTERVALS:
        return "none"
    if silent > LATE_AFTER_INTERVALS:
        return "late"
    if site.last_messages == "rejected":
        return "rejected"
    return "daily"


def _heard(site: Site) -> datetime | None:
    """Return the time of a site's last message; imports do not count."""
    if site.last_messages != "imported":
        return site.last_received_at
    measured = site.newest_reading_at
    return None if measured is None else measured + _longest(site)


def _longest(site: Site) -> timedelta:
    return timedelta(seconds=site.longest_s or 0)


def _by_messages(site: Site, reporting: State, *, now: datetime) -> State:
    """Return the state of a site without a recent whole hour."""
    heard = _heard(site)
    if heard is None or now - heard > GONE_AFTER:
        return "none"
    if now - heard > LATE_AFTER:
        return "late"
    if site.last_messages == "rejected":
        return "rejected"
    return reporting


def relative(newest: Mapping[str, Any]) -> float | None:
    """Return the newest hour's volume relative to the usual one; None if unknown.

    Close to nothing is compared as if it were a little, so that nights are quiet.
    """
    return standing.relative(newest["volume"], newest["usual"], newest["observed"] or 0)


def whole_volume(newest: Mapping[str, Any]) -> float:
    """Return the newest hour's volume, scaled to the whole hour if valid."""
    return standing.whole_volume(newest["volume"], newest["observed"] or 0)


def shown_ratio(newest: Mapping[str, Any]) -> float | None:
    """Return the ratio to the usual volume to display; None if it is too small.

    None as well where it is far from the usual and may be chance.
    """
    ratio = relative(newest)
    if (
        ratio is None
        or min(whole_volume(newest), newest["usual"]) < standing.MIN_COMPARED_VOLUME
    ):
        return None
    is_near = standing.LESS_RATIO <= ratio <= standing.MORE_RATIO
    return ratio if is_near or _standing(newest) != "usual" else None
