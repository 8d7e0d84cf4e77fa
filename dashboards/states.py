"""How a site stands now, in one word: compared with what is usual, or why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from verkehrspuls.quantities import COUNTED
from verkehrspuls.text import mark

#: more or less than usual, as share of it
LESS: Final = 0.75
MORE: Final = 1.25
#: hours with less traffic than this are not compared: 3 instead of 1 is not news
FEWEST: Final = 10
#: the newest whole hour is normally this old at most, then the site is late
LATE: Final = timedelta(hours=3)
#: then there is no data to speak of
GONE: Final = timedelta(hours=26)


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
        State("environment", mark("environment, reporting"), "square"),
        State("late", mark("late"), "diamond-open"),
        State("none", mark("no data"), "circle-open"),
    )
}


def state(
    site: Mapping[str, Any], newest: Mapping[str, Any] | None, *, now: datetime
) -> State:
    """Tell a site's state from its newest whole hour (a row of `series.latest`)."""
    if newest is None:
        if any(channel["quantity"] in COUNTED for channel in site["channels"]):
            return STATES["none"]
        heard = site["last_received_at"]
        if heard is None or now - heard > GONE:
            return STATES["none"]
        return STATES["environment" if now - heard <= LATE else "late"]
    age = now - (newest["time"] + timedelta(hours=1))
    if age > GONE:
        return STATES["none"]
    if age > LATE:
        return STATES["late"]
    ratio = relative(newest)
    if ratio is None:
        return STATES["new"]
    return STATES["more" if ratio > MORE else "less" if ratio < LESS else "usual"]


def relative(newest: Mapping[str, Any]) -> float | None:
    """The newest hour's volume relative to what is usual; None where that is unknown.

    Close to nothing is compared as if it were a little, so that nights are quiet.
    """
    if newest["usual"] is None or not newest["observed"] or newest["observed"] < 0.75:
        return None
    volume = newest["volume"] / newest["observed"]
    return float(max(volume, FEWEST) / max(newest["usual"], FEWEST))
