"""The words and shapes of a site's state now (`analytics.reports.site_now`)."""

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
