"""What passed, by vehicle class."""

import polars as pl

from dashboards.figures.layout import Figure, axis, layout
from dashboards.language import Language
from verkehrspuls.classes import CLASS_NAMES


def classes(counted: pl.DataFrame, language: Language, *, height: int = 340) -> Figure:
    """Draw `flow.classes`: a bar per class, each with its share as a word."""
    rows = counted.reverse()
    keys = rows["name"].to_list()
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": (rows["share"] * 100).round(3).to_list(),
        "y": [language.phrase(CLASS_NAMES[key]) for key in keys],
        "text": [language.percent(share, 1) for share in rows["share"]],
        "textposition": "outside",
        "textfont": {"color": "var(--text)"},
        "cliponaxis": False,
        "hovertext": [
            f"{language.phrase(CLASS_NAMES[key])}<br><b>{language.number(volume)}</b>"
            for key, volume in rows.select("name", "volume").iter_rows()
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {"color": [f"var(--class-{key.replace('_', '-')})" for key in keys]},
    }
    drawn = layout(language, height=height)
    drawn["margin"] = {"l": 12, "r": 56, "t": 8, "b": 36}
    drawn["bargap"] = 0.35
    drawn["xaxis"] = axis(
        rangemode="tozero", fixedrange=True, ticksuffix="\N{NARROW NO-BREAK SPACE}%"
    )
    drawn["yaxis"] = axis(showgrid=False, fixedrange=True, automargin=True)
    return {"data": [trace], "layout": drawn}
