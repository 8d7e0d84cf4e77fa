"""What was counted, interval by interval: one panel per direction, gaps stay gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics.flow.series import smoothed, usual_band
from dashboards.figures.hover import hover
from dashboards.figures.layout import (
    DIRECTION_DASHES,
    Figure,
    axis,
    bands,
    caption,
    direction_colour,
    layout,
    long,
    plain,
    time_axis,
    weekends,
)
from dashboards.wall_clock import axis_text
from verkehrspuls.language import Language

#: width of a letter as a share of the axis, between that on a desktop and on a phone
_LETTER_SHARE: Final = 0.012
#: height of a panel with words of cases, as a multiple of the data's height
_ROOM_FOR_WORDS: Final = 1.3
#: height of a case's mark at the foot, as a share of the panel's height
_FOOT_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Mark:
    """Marks a case, in local wall time, with its word."""

    began: datetime
    ended: datetime
    direction: str
    word: str


def series(
    frame: pl.DataFrame,
    language: Language,
    *,
    directions: Sequence[tuple[str, str]],
    unit: str,
    marks: Sequence[Mark] = (),
    height: int = 340,
) -> Figure:
    """Draw `fill_gaps` or `fill_days`; `directions` are keys with names, in order."""
    panels = max(1, len(directions))
    traces: list[dict[str, object]] = []
    notes: list[dict[str, object]] = []
    figure = layout(language, height=height, hovermode="x")
    gap = 0.16
    is_long = long(frame)
    for place, (direction, name) in enumerate(directions):
        rows = frame.filter(pl.col("direction") == direction)
        suffix = "" if place == 0 else str(place + 1)
        top = 1 - place / panels
        bottom = 1 - (place + 1) / panels + (gap if place < panels - 1 else 0)
        figure[f"yaxis{suffix}"] = axis(
            rangemode="tozero",
            fixedrange=True,
            domain=[bottom, top],
            nticks=5,
            tickformat=",~r",
        )
        label = f"{plain(name)} · {unit}" if name else unit
        notes.append(caption(label, y=top))
        x = axis_text(rows["x"])
        on = {"xaxis": "x", "yaxis": f"y{suffix}"}
        traces += _usual(rows, x, on, language)
        smooth = smoothed(rows["value"]) if is_long else None
        traces.append(
            {
                "type": "scatter",
                "mode": "lines" if rows.height > 45 else "lines+markers",
                "opacity": 1 if smooth is None else 0.4,
                "x": x,
                "y": rows["value"].round(1).to_list(),
                **hover(
                    rows,
                    language,
                    value="value",
                    unit=unit,
                    style="short day" if "day" in rows.columns else "short moment",
                ),
                "connectgaps": False,
                "line": {
                    "color": direction_colour(place),
                    "width": 1.6 if smooth is None else 1,
                    "dash": DIRECTION_DASHES[0],
                },
                "marker": {"size": 4},
                "name": plain(name),
                **on,
            }
        )
        if smooth is not None:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": x,
                    "y": smooth.round(1).to_list(),
                    "hoverinfo": "skip",
                    "connectgaps": False,
                    "line": {"color": direction_colour(place), "width": 2.4},
                    "name": language.phrase("mean of 7 days"),
                    **on,
                }
            )
        traces += _estimated(rows, x, on, place, language, unit)
        here = [mark for mark in marks if mark.direction == direction]
        if here and not is_long:
            # words stand above the lines
            figure[f"yaxis{suffix}"]["range"] = [0, _top(rows) * _ROOM_FOR_WORDS]
            notes += [
                _word(mark, axis_name=f"y{suffix}") for mark in _legible(here, frame)
            ]
    figure["xaxis"] = time_axis(
        frame,
        anchor=f"y{panels}" if panels > 1 else "y",
        showspikes=True,
        spikethickness=1,
        spikedash="solid",
        spikecolor="var(--line)",
        spikemode="across",
    )
    figure["shapes"] = [
        *weekends(frame),
        *_marked(marks, directions, at_foot=is_long),
    ]
    figure["annotations"] = notes
    return {"data": traces, "layout": figure}


def _usual(
    rows: pl.DataFrame, x: list[str], on: dict[str, str], language: Language
) -> list[dict[str, object]]:
    """Draw the band of usual values."""
    if "usual" not in rows.columns or rows["usual"].null_count() == rows.height:
        return []
    low, high = rows.select(**usual_band()).select(pl.all().round(1))
    name = language.phrase("usual")
    return bands(x, low, high, colour="var(--usual)", name=name, **on)


def _estimated(
    rows: pl.DataFrame,
    x: list[str],
    on: dict[str, str],
    place: int,
    language: Language,
    unit: str,
) -> list[dict[str, object]]:
    """Draw estimates: dashed, and joined to the counts beside them."""
    if "estimate" not in rows.columns or rows["estimate"].null_count() == rows.height:
        return []
    estimated = pl.col("estimate").is_not_null()
    beside = estimated.shift(1).fill_null(value=False) | estimated.shift(-1).fill_null(
        value=False
    )
    line = rows.select(
        pl.coalesce("estimate", pl.when(beside).then(pl.col("value"))).round(1)
    ).to_series()
    word = language.phrase("estimated")
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": x,
            "y": line.to_list(),
            "text": [
                ""
                if estimate is None
                else f"<b>{language.number(estimate)} {unit}</b> {word}"
                for estimate in rows["estimate"]
            ],
            "hovertemplate": "%{text}<extra></extra>",
            "hoverinfo": "skip",
            "connectgaps": False,
            "line": {"color": direction_colour(place), "width": 1.6, "dash": "dot"},
            "marker": {
                "size": [0 if estimate is None else 4 for estimate in rows["estimate"]],
                "symbol": "circle-open",
                "color": direction_colour(place),
            },
            "name": word,
            **on,
        }
    ]


def _top(rows: pl.DataFrame) -> float:
    """Return the greatest value drawn in a panel."""
    drawn = [
        rows.select(column).to_series().max()
        for column in (
            "value",
            *({"estimate"} & set(rows.columns)),
        )
    ]
    if "usual" in rows.columns:
        drawn.append(rows.select(usual_band()["high"]).to_series().max())
    known = [float(value) for value in drawn if isinstance(value, int | float)]
    return max(known, default=0) or 1


def _marked(
    marks: Sequence[Mark], directions: Sequence[tuple[str, str]], *, at_foot: bool
) -> list[dict[str, object]]:
    """Draw bands of cases; if months are shown, only at the foot of the panel."""
    # the first axis is called y, the second y2
    axes = {key: f"y{n if n > 1 else ''}" for n, (key, _) in enumerate(directions, 1)}
    return [
        {
            "type": "rect",
            "layer": "below",
            "xref": "x",
            "yref": f"{axes[mark.direction]} domain",
            "x0": f"{mark.began:%Y-%m-%d %H:%M}",
            "x1": f"{mark.ended:%Y-%m-%d %H:%M}",
            "y0": 0,
            "y1": _FOOT_SHARE if at_foot else 1,
            "line": {
                "width": 1,
                "dash": "solid" if at_foot else "dot",
                "color": "var(--case)",
            },
            "fillcolor": "var(--case)" if at_foot else "var(--case-fill)",
        }
        for mark in marks
        if mark.direction in axes
    ]


def _legible(marks: Sequence[Mark], frame: pl.DataFrame) -> list[Mark]:
    """Keep the words that do not overlap; the other bands have none.

    A word ends where its band does. The list of cases has a sentence for each.
    """
    times = frame["x"].sort()
    letter = (times[-1] - times[0]) * _LETTER_SHARE if len(times) else timedelta()
    chosen: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: mark.ended):
        if not chosen or mark.ended - letter * len(mark.word) >= chosen[-1].ended:
            chosen.append(mark)
    return chosen


def _word(mark: Mark, *, axis_name: str) -> dict[str, object]:
    return caption(
        plain(mark.word),
        x=0,
        y=1,
        xref="x",
        yref=f"{axis_name} domain",
        yanchor="top",
        xanchor="right",
        font={"color": "var(--case)", "size": 12},
    ) | {"x": f"{mark.ended:%Y-%m-%d %H:%M}"}
