"""The state of a site now, in one word: compared with its usual volume, or why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from analytics.baseline import standing
from verkehrspuls.quantities import COUNTED
from verkehrspuls.text import mark

#: maximum age of the newest whole hour, then the site is late
LATE_AFTER: Final = timedelta(hours=3)
#: maximum age, then the site has no data
GONE_AFTER: Final = timedelta(hours=26)
#: the same for intervals above an hour, in intervals
LATE_AFTER_INTERVALS: Final = 2
GONE_AFTER_INTERVALS: Final = 7
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class State:
    """A state with its word and its shape; colour is never the only sign."""

    key: str
    word: str
    #: a symbol of plotly.js; style and glyph have the same key
    symbol: str


STATES: Final = {
    state.key: state
    for state in (
        State("more", mark("more than usual"), "triangle-up"),
        State("usual", mark("as usual"), "circle"),
        State("less", mark("less than usual"), "triangle-down"),
        State("new", mark("not yet compared"), "diamond"),
        State("mixed", mark("between two kinds of days"), "diamond"),
        State("begun", mark("reporting, no values yet"), "square-open"),
        State("daily", mark("reports days only"), "square"),
        State("environment", mark("environment, reporting"), "square"),
        State("late", mark("late"), "diamond-open"),
        State("rejected", mark("messages cannot be used"), "x-open"),
        State("none", mark("no data"), "circle-open"),
    )
}


def state(
    site: Mapping[str, Any], newest: Mapping[str, Any] | None, *, now: datetime
) -> State:
    """Return a site's state by its newest whole hour (a row of `read_latest`)."""
    if newest is None:
        if (site.get("shortest_s") or 0) > _HOUR_S:
            return _by_days(site, now=now)
        if any(channel["quantity"] in COUNTED for channel in site["channels"]):
            return _by_messages(site, "begun", now=now)
        return _by_messages(site, "environment", now=now)
    age = now - (newest["time"] + timedelta(hours=1))
    if age > GONE_AFTER:
        return _by_messages(site, "late" if _is_old(site, now) else "begun", now=now)
    if age > LATE_AFTER:
        return STATES["late"]
    found = _standing(newest)
    if found is None:
        return STATES["mixed" if newest.get("two_kinds") else "new"]
    return STATES[found]


def _standing(newest: Mapping[str, Any]) -> standing.Standing | None:
    return standing.standing(newest["volume"], newest["usual"], newest["observed"] or 0)


def _is_old(site: Mapping[str, Any], now: datetime) -> bool:
    """Return whether the newest data is old, as in a replayed history."""
    measured = site.get("newest_reading_at")
    longest = timedelta(seconds=site.get("longest_s") or 0)
    return measured is not None and now - measured > GONE_AFTER + longest


def _by_days(site: Mapping[str, Any], *, now: datetime) -> State:
    """Return the state of a site with days, or parts of them, only."""
    heard = _heard(site)
    silent = float("inf") if heard is None else (now - heard) / _interval(site)
    if silent > GONE_AFTER_INTERVALS:
        return STATES["none"]
    if silent > LATE_AFTER_INTERVALS:
        return STATES["late"]
    if site.get("last_messages") == "rejected":
        return STATES["rejected"]
    return STATES["daily"]


def _heard(site: Mapping[str, Any]) -> datetime | None:
    """Return the time of a site's last message; imports do not count."""
    if site.get("last_messages") != "imported":
        received: datetime | None = site["last_received_at"]
        return received
    measured: datetime | None = site["newest_reading_at"]
    longest = timedelta(seconds=site.get("longest_s") or 0)
    return None if measured is None else measured + longest


def _interval(site: Mapping[str, Any]) -> timedelta:
    return timedelta(seconds=site["shortest_s"])


def _by_messages(site: Mapping[str, Any], reporting: str, *, now: datetime) -> State:
    """Return the state of a site without a recent whole hour."""
    heard = _heard(site)
    if heard is None or now - heard > GONE_AFTER:
        return STATES["none"]
    if now - heard > LATE_AFTER:
        return STATES["late"]
    if site.get("last_messages") == "rejected":
        return STATES["rejected"]
    return STATES[reporting]


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
