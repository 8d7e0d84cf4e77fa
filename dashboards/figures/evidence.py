"""The course of a channel around a case: observed, usual, and the time of the case."""

from typing import Final

import polars as pl

from dashboards.figures.layout import (
    Figure,
    axis,
    bands,
    caption,
    layout,
    plain,
    time_axis,
    weekends,
)
from dashboards.wall_clock import axis_text, written
from verkehrspuls.language import Language, Style

#: height above the lowest value, and room below it: multiples of the drawn height
_ROOM_FOR_WORD: Final = 1.18
_ROOM_BELOW: Final = 0.05


def evidence(
    course: pl.DataFrame,
    language: Language,
    *,
    unit: str,
    usual: str,
    word: str,
    style: Style,
    digits: int,
    from_zero: bool,
    height: int = 340,
) -> Figure:
    """Draw COURSE with wall times; `usual` and `word` name its line and the case."""
    x = axis_text(course["x"])
    observed = language.phrase("Observed")
    line = {
        "type": "scatter",
        "connectgaps": False,
        "x": x,
        "hovertemplate": "%{text}<extra></extra>",
    }
    low, high = course["low"].round(1), course["high"].round(1)
    traces = bands(x, low, high, colour="var(--usual)")
    if course["usual"].count():
        traces.append(
            line
            | {
                "mode": "lines",
                "y": course["usual"].round(2).to_list(),
                "name": usual,
                "text": _words(course, "usual", usual, language, unit, style, digits),
                "line": {"color": "var(--soft)", "width": 1.6, "dash": "dash"},
            }
        )
    traces.append(
        line
        | {
            "mode": "lines+markers",
            "y": course["observed"].round(2).to_list(),
            "name": observed,
            "text": _words(course, "observed", observed, language, unit, style, digits),
            "line": {"color": "var(--direction-1)", "width": 2},
            "marker": {"size": 4},
        }
    )
    figure = layout(language, height=height, hovermode="x", showlegend=True)
    figure["margin"] = figure["margin"] | {"t": 62}
    figure["legend"] = figure["legend"] | {"y": 1.1}
    figure["xaxis"] = time_axis(course, tickangle=0, nticks=6)
    figure["yaxis"] = axis(
        range=_range(course, from_zero=from_zero),
        fixedrange=True,
        nticks=6,
        tickformat=",~r",
    )
    figure["shapes"] = [*weekends(course), *_marked(course, x)]
    figure["annotations"] = [caption(plain(unit)), *_named(course, x, word)]
    return {"data": traces, "layout": figure}


def _range(course: pl.DataFrame, *, from_zero: bool) -> list[float]:
    """Return the ends of the axis, with room for the word of the case at the top."""
    drawn = pl.concat([course[name] for name in ("observed", "usual", "low", "high")])
    known = drawn.drop_nulls()
    least = 0.0 if from_zero else min(known)
    height = (max(known) - least) or 1.0
    below = 0.0 if from_zero else _ROOM_BELOW * height
    return [least - below, least + _ROOM_FOR_WORD * height]


def _words(
    course: pl.DataFrame,
    column: str,
    name: str,
    language: Language,
    unit: str,
    style: Style,
    digits: int,
) -> list[str]:
    return [
        f"{when}<br><b>{language.number(value, digits)} {plain(unit)}</b><br>{name}"
        for when, value in zip(
            written(course, language, style), course[column], strict=True
        )
    ]


def _marks(course: pl.DataFrame, x: list[str]) -> list[tuple[str, str]]:
    """Return where something was found: begin and end of each stretch, on the axis."""
    width = course["x"].diff().median()
    ends = [*x[1:], *axis_text((course["x"] + width).tail(1))] if width else x
    found = pl.DataFrame(
        {"began": x, "ended": ends, "found": course["found"]}
    ).with_columns(run=pl.col("found").rle_id())
    stretches = found.filter("found").group_by("run", maintain_order=True)
    return (
        stretches.agg(pl.col("began").first(), pl.col("ended").last())
        .select("began", "ended")
        .rows()
    )


def _marked(course: pl.DataFrame, x: list[str]) -> list[dict[str, object]]:
    return [
        {
            "type": "rect",
            "layer": "below",
            "xref": "x",
            "yref": "paper",
            "x0": began,
            "x1": ended,
            "y0": 0,
            "y1": 1,
            "line": {"width": 1, "dash": "dot", "color": "var(--case)"},
            "fillcolor": "var(--case-fill)",
        }
        for began, ended in _marks(course, x)
    ]


def _named(course: pl.DataFrame, x: list[str], word: str) -> list[dict[str, object]]:
    """Name the case once, in its first stretch, towards the middle of the figure."""
    marks = _marks(course, x)
    if not marks:
        return []
    began, ended = marks[0]
    late = x.index(began) > len(x) / 2
    font = {"color": "var(--case)", "size": 12}
    return [
        caption(plain(word), x=0, y=1, font=font)
        | {
            "xref": "x",
            "x": ended if late else began,
            "xanchor": "right" if late else "left",
            "yanchor": "top",
        }
    ]
