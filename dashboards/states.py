"""The words and shapes of what sites and devices are like now.

See `analytics.reports.site_now` and `analytics.reports.device_condition`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from verkehrspuls.text import mark


@dataclass(frozen=True, slots=True)
class State:
    """A state with its word and its shape; colour is never the only sign."""

    key: str
    word: str
    #: a symbol of plotly.js; style and glyph have the same key
    symbol: str


States = Mapping[str, State]


STATES: Final[States] = {
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

#: conditions of devices, each with style and glyph of a state above
DEVICES: Final[States] = {
    "silent": State("late", mark("silent"), "diamond-open"),
    "clock": State("rejected", mark("wrong clock"), "x-open"),
    "battery": State("less", mark("battery low"), "triangle-down"),
    "maintenance": State("environment", mark("maintenance due"), "square"),
    "waiting": State("begun", mark("nothing came yet"), "square-open"),
    "reporting": State("usual", mark("reporting"), "circle"),
    "imported": State("daily", mark("from files"), "square"),
    "planned": State("none", mark("planned"), "circle-open"),
    "out-of-service": State("none", mark("out of service"), "circle-open"),
    "dismantled": State("none", mark("dismantled"), "circle-open"),
}
