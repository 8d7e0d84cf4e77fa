"""Common parts of all figures: layout, and colours by name.

A figure is plotly.js' own structure as plain dicts. A colour is written `var(--name)`
and looked up in the style sheet when the figure is drawn, so that it follows the theme.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final

import polars as pl

from dashboards.wall_clock import axis_text
from verkehrspuls.language import Language

Figure = dict[str, Any]

#: A direction keeps its place, and with it colour and dash, on every chart of a site.
DIRECTION_DASHES: Final = ("solid", "dash", "dot", "dashdot")

#: maximum days with weekend bands; beyond it they would be a pattern rather than a help
_MAX_BANDS_DAYS: Final = 93

_FONT: Final = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif'
)


def direction_colour(place: int) -> str:
    """Return the colour of a site's direction by its place."""
    return f"var(--direction-{place % 4 + 1})"


def plain(text: str) -> str:
    """Keep plotly.js from reading a name as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def rounded(value: float | None) -> float | None:
    """Round a value that is drawn; None is a gap."""
    return None if value is None else round(value, 1)


def layout(language: Language, *, height: int, **more: Any) -> dict[str, Any]:
    """Return the common layout; volumes start at zero, grid lines are horizontal."""
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 56, "r": 12, "t": 26, "b": 36},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": "var(--soft)"},
        "separators": language.separators,
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": "var(--surface)",
            "bordercolor": "var(--line)",
            "font": {"color": "var(--text)", "size": 13},
            "align": "left",
        },
        "legend": {
            "orientation": "h",
            "traceorder": "normal",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"color": "var(--text)"},
        },
        "xaxis": axis(showgrid=False),
        "yaxis": axis(rangemode="tozero", fixedrange=True),
    }
    return base | more


def axis(**more: Any) -> dict[str, Any]:
    """Return an axis in the common style."""
    return {
        "gridcolor": "var(--grid)",
        "linecolor": "var(--line)",
        "zeroline": False,
        "tickformat": "",
        "ticks": "",
        "automargin": False,
    } | more


def bars(trace: dict[str, object], language: Language, *, height: int) -> Figure:
    """Draw horizontal bars of percentages, each with a text at its end."""
    drawn = layout(language, height=height)
    drawn["margin"] = {"l": 12, "r": 56, "t": 8, "b": 36}
    drawn["bargap"] = 0.35
    drawn["xaxis"] = axis(
        rangemode="tozero", fixedrange=True, ticksuffix="\N{NARROW NO-BREAK SPACE}%"
    )
    drawn["yaxis"] = axis(showgrid=False, fixedrange=True, automargin=True)
    bar = {
        "type": "bar",
        "orientation": "h",
        "textposition": "outside",
        "textfont": {"color": "var(--text)"},
        "cliponaxis": False,
    }
    return {"data": [bar | trace], "layout": drawn}


def band(
    x: list[Any], low: pl.Series, high: pl.Series, *, colour: str, **more: Any
) -> list[dict[str, Any]]:
    """Return the traces of an area between two lines, which has no hover text."""
    edge = {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "hoverinfo": "skip",
        "line": {"width": 0},
        "showlegend": False,
    } | more
    return [
        edge | {"y": low.to_list()},
        edge | {"y": high.to_list(), "fill": "tonexty", "fillcolor": colour},
    ]


def bands(
    x: list[Any], low: pl.Series, high: pl.Series, *, colour: str, **more: Any
) -> list[dict[str, Any]]:
    """Return a `band` for each stretch of known values, so that gaps stay gaps."""
    known = pl.DataFrame(
        [pl.Series("x", x), low.alias("low"), high.alias("high")]
    ).with_columns(run=pl.col("low").is_null().rle_id())
    return [
        trace
        for run in known.drop_nulls().partition_by("run", maintain_order=True)
        for trace in band(
            run["x"].to_list(), run["low"], run["high"], colour=colour, **more
        )
    ]


def caption(text: str, *, x: float = 0, y: float = 1, **more: Any) -> dict[str, Any]:
    """Return a small text at the upper left of a panel: what its axis measures."""
    return {
        "text": text,
        "x": x,
        "y": y,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"color": "var(--text)", "size": 13},
    } | more


def extent(frame: pl.DataFrame) -> list[str] | None:
    """Return the range of all intervals, so that bands do not widen the axis."""
    if frame.is_empty():
        return None
    times = frame["x"].sort()
    step = (times[-1] - times[0]) / max(1, times.n_unique() - 1)
    return axis_text(pl.Series([times[0], times[-1] + step]))


def time_axis(frame: pl.DataFrame, **more: Any) -> dict[str, Any]:
    """Return the axis of a frame with wall times; a long one has months."""
    found = axis(showgrid=False, type="date", range=extent(frame), **more)
    if long(frame):
        found |= {"tickformat": "%b\n%Y", "showgrid": True, "ticklabelmode": "period"}
    return found


def long(frame: pl.DataFrame) -> bool:
    """Return whether a frame with wall times is too long to distinguish days."""
    first, last = frame["local"].min(), frame["local"].max()
    return (
        isinstance(first, datetime)
        and isinstance(last, datetime)
        and (last - first).days >= _MAX_BANDS_DAYS
    )


def weekends(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return bands behind Saturdays and Sundays, for a frame with wall times."""
    days = frame["local"].dt.date()
    first, last = days.min(), days.max()
    if not (isinstance(first, date) and isinstance(last, date)):
        return []
    if (last - first).days > _MAX_BANDS_DAYS:
        return []
    # one day earlier: the period may start on a Sunday
    days_around = pl.date_range(first - timedelta(days=1), last, eager=True)
    return [
        {
            "type": "rect",
            "layer": "below",
            "xref": "x",
            "yref": "paper",
            "x0": str(max(day, first)),
            "x1": str(day + timedelta(days=2)),
            "y0": 0,
            "y1": 1,
            "line": {"width": 0},
            "fillcolor": "var(--weekend)",
        }
        for day in days_around
        if day.weekday() == 5
    ]
