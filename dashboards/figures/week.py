"""Mean by weekday and hour, as a heatmap."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from dashboards.figures.layout import Figure, axis, layout, rounded
from verkehrspuls.language import Language

#: pixels of a row, so that a week is as high as other charts
_ROW_HEIGHT: Final = 40
_FRAME_HEIGHT: Final = 60
_MIN_HEIGHT: Final = 180


def week(
    means: pl.DataFrame,
    language: Language,
    *,
    unit: str,
    weekdays: Sequence[int] = range(7),
) -> Figure:
    """Draw `profiles.week_profile`; a cell without data stays empty.

    `weekdays` are those of the period, Monday is 0: only they have a row.
    """
    known = {
        (weekday - 1, hour): (mean, hours)
        for weekday, hour, mean, hours in means.select(
            "weekday", "hour", "mean", "samples"
        ).iter_rows()
    }
    values = [
        [rounded(known.get((weekday, hour), (None, 0))[0]) for hour in range(24)]
        for weekday in weekdays
    ]
    texts = [
        [_hover(weekday, hour, known, language, unit) for hour in range(24)]
        for weekday in weekdays
    ]
    drawn = layout(
        language, height=max(_MIN_HEIGHT, _FRAME_HEIGHT + _ROW_HEIGHT * len(weekdays))
    )
    drawn["margin"] = {"l": 40, "r": 12, "t": 12, "b": 36}
    drawn["xaxis"] = axis(
        showgrid=False,
        fixedrange=True,
        tickvals=[0, 6, 12, 18, 23],
    )
    drawn["yaxis"] = axis(
        showgrid=False,
        fixedrange=True,
        autorange="reversed",
        tickvals=list(range(len(weekdays))),
        ticktext=[language.weekday(day, width="short").rstrip(".") for day in weekdays],
    )
    trace = {
        "type": "heatmap",
        "z": values,
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
        "hoverongaps": True,
        "xgap": 1,
        "ygap": 1,
        "zmin": 0,
        "colorscale": [[step / 4, f"var(--scale-{step})"] for step in range(5)],
        "colorbar": {
            "title": {"text": unit, "side": "top", "font": {"size": 13}},
            "thickness": 12,
            "outlinewidth": 0,
            "tickformat": ",~r",
            "nticks": 5,
        },
    }
    return {"data": [trace], "layout": drawn}


def _hover(
    weekday: int,
    hour: int,
    known: dict[tuple[int, int], tuple[float, int]],
    language: Language,
    unit: str,
) -> str:
    when = f"{language.weekday(weekday)}, {language.hours(hour)}<br>"
    if (weekday, hour) not in known:
        return when + language.phrase("no data")
    mean, hours = known[weekday, hour]
    counted = language.plural("%(count)s hour", "%(count)s hours", hours)
    return f"{when}<b>{language.number(mean)} {unit}</b><br>{counted}"
