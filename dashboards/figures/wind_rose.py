"""Shares of hours by direction and speed of the wind."""

from collections.abc import Sequence

import polars as pl

from dashboards.figures.layout import Figure, layout
from verkehrspuls.language import Language


def wind_rose(
    rose: pl.DataFrame,
    language: Language,
    *,
    directions: Sequence[str],
    classes: Sequence[str],
    height: int = 380,
) -> Figure:
    """Draw `wind.rose` as stacked sectors; calm hours have none."""
    known = {
        (sector, speed): share
        for sector, speed, share in rose.select(
            "sector", "speed_class", "share"
        ).iter_rows()
    }
    traces = []
    for speed, name in enumerate(classes):
        shares = [known.get((n, speed), 0.0) for n in range(len(directions))]
        traces.append(
            {
                "type": "barpolar",
                "r": [round(share * 100, 2) for share in shares],
                "theta": list(directions),
                "name": name,
                "text": [
                    f"{direction}, {name}<br><b>{language.percent(share, 1)}</b>"
                    for direction, share in zip(directions, shares, strict=True)
                ],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {
                    "color": f"var(--wind-{speed})",
                    "line": {"color": "var(--background)", "width": 1},
                },
            }
        )
    drawn = layout(language, height=height, showlegend=True)
    drawn["margin"] = {"l": 36, "r": 36, "t": 64, "b": 28}
    drawn["legend"] = drawn["legend"] | {"y": 1.1}
    drawn["polar"] = {
        "bgcolor": "rgba(0,0,0,0)",
        "angularaxis": {
            "direction": "clockwise",
            "rotation": 90,
            "gridcolor": "var(--grid)",
            "linecolor": "var(--line)",
            "tickvals": list(directions)[:: len(directions) // 8],
        },
        "radialaxis": {
            "gridcolor": "var(--grid)",
            "linecolor": "var(--line)",
            "ticksuffix": "\N{NARROW NO-BREAK SPACE}%",
            "nticks": 4,
            "angle": 90,
            "tickangle": 90,
        },
    }
    drawn.pop("xaxis")
    drawn.pop("yaxis")
    return {"data": traces, "layout": drawn}
