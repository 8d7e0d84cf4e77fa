"""What all figures share: layout, and colours by name.

A figure is plotly.js' own structure as plain dicts. A colour is written `var(--name)`
and looked up in the style sheet when the figure is drawn, so that it follows the theme.
"""

from typing import Any, Final

from dashboards.language import Language

Figure = dict[str, Any]

#: A direction keeps its place, and with it colour and dash, on every chart of a site.
DIRECTION_DASHES: Final = ("solid", "dash", "dot", "dashdot")

_FONT: Final = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif'
)


def direction_colour(place: int) -> str:
    """The colour of a site's direction by its place."""
    return f"var(--direction-{place % 4 + 1})"


def plain(text: str) -> str:
    """Keep plotly.js from reading a name as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def layout(language: Language, *, height: int, **more: Any) -> dict[str, Any]:
    """The common layout; volumes start at zero, grid lines are horizontal."""
    base: dict[str, Any] = {
        "height": height,
        "margin": {"l": 56, "r": 12, "t": 26, "b": 36},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": "var(--soft)"},
        "separators": ",." if language.key == "de" else ".,",
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
    """An axis in the house's look."""
    return {
        "gridcolor": "var(--grid)",
        "linecolor": "var(--line)",
        "zeroline": False,
        "tickformat": "",
        "ticks": "",
        "automargin": False,
    } | more


def caption(text: str, *, x: float = 0, y: float = 1, **more: Any) -> dict[str, Any]:
    """A small text at the upper left of a panel: what its axis measures."""
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
