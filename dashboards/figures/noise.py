"""Noise levels of day, evening and night, day by day."""

from collections.abc import Mapping

import polars as pl

from dashboards.figures.hover import MAX_PREPARED
from dashboards.figures.layout import DIRECTION_DASHES, Figure, axis, caption, layout
from verkehrspuls.language import Language


def noise(
    days: pl.DataFrame,
    language: Language,
    *,
    names: Mapping[str, str],
    height: int = 340,
) -> Figure:
    """Draw the levels of days: a line per level; a day without one is a gap."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": [f"{day} 00:00" for day in days["day"]],
            "y": days[level].round(1).to_list(),
            "name": name,
            **_hover(days, level, name, language),
            "connectgaps": False,
            "line": {
                "color": f"var(--direction-{place + 1})",
                "dash": DIRECTION_DASHES[place],
                "width": 2,
            },
            "marker": {"size": 5},
        }
        for place, (level, name) in enumerate(names.items())
    ]
    drawn = layout(language, height=height, showlegend=True)
    drawn["margin"] = drawn["margin"] | {"t": 44}
    drawn["legend"] = drawn["legend"] | {"y": 1.06}
    drawn["xaxis"] = axis(
        showgrid=False,
        type="date",
        tickformat=language.directives("short day", weekday=False),
        nticks=6,
        tickangle=0,
    )
    # decibels have no natural zero
    drawn["yaxis"] = axis(fixedrange=True, nticks=6)
    drawn["annotations"] = [caption("dB(A)", y=1)]
    return {"data": traces, "layout": drawn}


def _hover(
    days: pl.DataFrame, level: str, name: str, language: Language
) -> dict[str, object]:
    """Return level, day and decibels; for many days, the browser composes them."""
    if days.height > MAX_PREPARED:
        template = (
            f"{name}, %{{x|{language.directives('day')}}}<br><b>%{{y:.1f}} dB(A)</b>"
        )
        return {"hovertemplate": template + "<extra></extra>"}
    words = [
        f"{name}, {language.day(day)}<br><b>{language.number(value, 1)} dB(A)</b>"
        for day, value in days.select("day", level).iter_rows()
    ]
    return {"text": words, "hovertemplate": "%{text}<extra></extra>"}
