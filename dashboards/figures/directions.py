"""The mean course of a workday, by direction."""

from collections.abc import Sequence

import polars as pl

from dashboards.figures.day_profile import over_day
from dashboards.figures.layout import (
    DIRECTION_DASHES,
    Figure,
    direction_colour,
    plain,
)
from verkehrspuls.language import Language


def directions(
    means: pl.DataFrame,
    language: Language,
    *,
    names: Sequence[tuple[str, str]],
    unit: str,
    height: int = 340,
) -> Figure:
    """Draw workdays of `profiles.day_profiles`; `names` are keys with names."""
    traces = []
    by_direction = means.partition_by("direction", as_dict=True)
    for place, (direction, name) in enumerate(names):
        rows = by_direction.get((direction,), means.clear())
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": rows["hour"].to_list(),
                "y": rows["mean"].round(1).to_list(),
                "name": plain(name),
                "text": [
                    f"{plain(name)}, {language.hours(hour)}<br>"
                    f"<b>{language.number(mean)} {unit}</b>"
                    for hour, mean in rows.select("hour", "mean").iter_rows()
                ],
                "hovertemplate": "%{text}<extra></extra>",
                "line": {
                    "color": direction_colour(place),
                    "dash": DIRECTION_DASHES[place % 4],
                    "width": 2,
                },
            }
        )
    return {"data": traces, "layout": over_day(language, unit=unit, height=height)}
