"""How a site stands now, in one word: compared with what is usual, or why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from analytics.baseline import standing
from verkehrspuls.quantities import COUNTED
from verkehrspuls.text import mark

#: the newest whole hour is normally this old at most, then the site is late
LATE: Final = timedelta(hours=3)
#: then there is no data to speak of
GONE: Final = timedelta(hours=26)
#: the same for intervals above an hour, in intervals
MISSED_LATE: Final = 2
MISSED_GONE: Final = 7
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class State:
    """A state with its word and its shape; shape and word never rest on colour."""

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
        State("daily", mark("tells days, no hours"), "square"),
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
    if age > GONE:
        return _by_messages(site, "late" if _is_old(site, now) else "begun", now=now)
    if age > LATE:
        return STATES["late"]
    found = _standing(newest)
    if found is None:
        return STATES["mixed" if newest.get("two_kinds") else "new"]
    return STATES[found]


def _standing(newest: Mapping[str, Any]) -> standing.Standing | None:
    return standing.standing(newest["volume"], newest["usual"], newest["observed"] or 0)


def _is_old(site: Mapping[str, Any], now: datetime) -> bool:
    """Whether what came last was measured long ago, as where history is replayed."""
    measured = site.get("newest_reading_at")
    longest = timedelta(seconds=site.get("longest_s") or 0)
    return measured is not None and now - measured > GONE + longest


def _by_days(site: Mapping[str, Any], *, now: datetime) -> State:
    """Return the state of a site of which only days, or parts of them, are told."""
    heard = _heard(site)
    silent = float("inf") if heard is None else (now - heard) / _interval(site)
    if silent > MISSED_GONE:
        return STATES["none"]
    if silent > MISSED_LATE:
        return STATES["late"]
    if site.get("last_messages") == "rejected":
        return STATES["rejected"]
    return STATES["daily"]


def _heard(site: Mapping[str, Any]) -> datetime | None:
    """Until when a site told anything; an import is no message of its sensors."""
    if site.get("last_messages") != "imported":
        received: datetime | None = site["last_received_at"]
        return received
    measured: datetime | None = site["newest_reading_at"]
    longest = timedelta(seconds=site.get("longest_s") or 0)
    return None if measured is None else measured + longest


def _interval(site: Mapping[str, Any]) -> timedelta:
    return timedelta(seconds=site["shortest_s"])


def _by_messages(site: Mapping[str, Any], reporting: str, *, now: datetime) -> State:
    """Return the state of a site that has no whole hour of late."""
    heard = _heard(site)
    if heard is None or now - heard > GONE:
        return STATES["none"]
    if now - heard > LATE:
        return STATES["late"]
    if site.get("last_messages") == "rejected":
        return STATES["rejected"]
    return STATES[reporting]


def relative(newest: Mapping[str, Any]) -> float | None:
    """The newest hour's volume relative to what is usual; None where that is unknown.

    Close to nothing is compared as if it were a little, so that nights are quiet.
    """
    return standing.relative(newest["volume"], newest["usual"], newest["observed"] or 0)


def whole_volume(newest: Mapping[str, Any]) -> float:
    """The newest hour's volume, scaled to the whole hour where that may be done."""
    return standing.whole_volume(newest["volume"], newest["observed"] or 0)


def shown_ratio(newest: Mapping[str, Any]) -> float | None:
    """The share of what is usual that stands beside the volume; None of too little.

    None as well where it is far from the usual and may be chance.
    """
    ratio = relative(newest)
    if ratio is None or min(whole_volume(newest), newest["usual"]) < standing.FEWEST:
        return None
    is_near = standing.LESS <= ratio <= standing.MORE
    return ratio if is_near or _standing(newest) != "usual" else None
