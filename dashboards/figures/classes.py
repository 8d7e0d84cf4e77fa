"""What was counted, by vehicle class."""

import polars as pl

from dashboards.figures.layout import Figure, bars
from verkehrspuls.classes import CLASS_NAMES
from verkehrspuls.language import Language


def classes(counted: pl.DataFrame, language: Language, *, height: int = 340) -> Figure:
    """Draw `flow.classes`: a bar per class, each with its share as text."""
    rows = counted.reverse()
    keys = rows["name"].to_list()
    trace: dict[str, object] = {
        "x": (rows["share"] * 100).round(3).to_list(),
        "y": [language.phrase(CLASS_NAMES[key]) for key in keys],
        "text": [language.percent(share, 1) for share in rows["share"]],
        "hovertext": [
            f"{language.phrase(CLASS_NAMES[key])}<br><b>{language.number(volume)}</b>"
            for key, volume in rows.select("name", "volume").iter_rows()
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {"color": [f"var(--class-{key.replace('_', '-')})" for key in keys]},
    }
    return bars(trace, language, height=height)
