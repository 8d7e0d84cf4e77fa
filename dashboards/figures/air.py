"""How many hours had which class of an air quality index."""

from collections.abc import Sequence

from dashboards.figures.layout import Figure, axis, layout
from dashboards.language import Language


def air(
    shares: Sequence[tuple[str, float]], language: Language, *, height: int = 260
) -> Figure:
    """Draw the share of hours of each class, the best on top."""
    rows = list(reversed(shares))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [round(share * 100, 2) for _, share in rows],
        "y": [name for name, _ in rows],
        "text": [language.percent(share, 1) for _, share in rows],
        "textposition": "outside",
        "textfont": {"color": "var(--text)"},
        "cliponaxis": False,
        "hoverinfo": "skip",
        "marker": {"color": "var(--environment)"},
    }
    drawn = layout(language, height=height)
    drawn["margin"] = {"l": 12, "r": 56, "t": 8, "b": 36}
    drawn["bargap"] = 0.35
    drawn["xaxis"] = axis(
        rangemode="tozero", fixedrange=True, ticksuffix="\N{NARROW NO-BREAK SPACE}%"
    )
    drawn["yaxis"] = axis(showgrid=False, fixedrange=True, automargin=True)
    return {"data": [trace], "layout": drawn}
