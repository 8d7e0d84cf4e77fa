"""An environment quantity, hour by hour; gaps stay gaps."""

from collections.abc import Mapping

import polars as pl

from dashboards.figures.hover import hover
from dashboards.figures.layout import (
    Figure,
    axis,
    band,
    caption,
    layout,
    plain,
    time_axis,
    weekends,
)
from dashboards.wall_clock import axis_text
from verkehrspuls.language import Language, Style
from verkehrspuls.quantities import ENVIRONMENT


def environment(
    frame: pl.DataFrame,
    language: Language,
    *,
    quantity: str,
    thresholds: Mapping[str, float] | None = None,
    style: Style = "short moment",
    height: int = 260,
) -> Figure:
    """Draw means, of hours or longer steps, with the band of their extremes.

    Sums (rain) are bars from zero; wind directions are points, for a line through
    north would cross the whole circle.
    """
    found = ENVIRONMENT[quantity]
    x = axis_text(frame["x"])
    main: dict[str, object] = {
        "x": x,
        "y": frame["mean"].round(2).to_list(),
        **hover(
            frame,
            language,
            value="mean",
            unit=found.unit,
            style=style,
            digits=1,
        ),
    }
    traces: list[dict[str, object]] = []
    if found.mean == "sum":
        traces.append(main | {"type": "bar", "marker": {"color": "var(--environment)"}})
    elif found.mean == "circular":
        traces.append(
            main
            | {
                "type": "scatter",
                "mode": "markers",
                "marker": {"size": 4, "color": "var(--environment)"},
            }
        )
    else:
        low, high = (frame[end].round(2) for end in ("minimum", "maximum"))
        traces += [
            *band(x, low, high, colour="var(--environment-fill)"),
            main
            | {
                "type": "scatter",
                "mode": "lines",
                "connectgaps": False,
                "line": {"color": "var(--environment)", "width": 1.6},
            },
        ]
    drawn = layout(language, height=height, hovermode="x")
    drawn["xaxis"] = time_axis(frame)
    drawn["yaxis"] = axis(fixedrange=True, nticks=5)
    if found.mean == "circular":
        drawn["yaxis"] |= {"range": [0, 360], "tickvals": [0, 90, 180, 270, 360]}
    elif found.mean == "sum":
        drawn["yaxis"]["rangemode"] = "tozero"
    drawn["annotations"] = [caption(found.unit)]
    drawn["shapes"] = weekends(frame)
    for name, value in (thresholds or {}).items():
        drawn["shapes"].append(
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": value,
                "y1": value,
                "line": {"width": 1, "dash": "dash", "color": "var(--case)"},
            }
        )
        label = {"yref": "y", "font": {"color": "var(--case)", "size": 12}}
        drawn["annotations"].append(caption(plain(name), x=0, y=value, **label))
    if thresholds:
        # a shape does not widen the axis
        greatest = [*thresholds.values(), *frame["maximum"].drop_nulls()]
        least = [*thresholds.values(), *frame["minimum"].drop_nulls()]
        margin = 0.1 * (max(greatest) - min(least))
        drawn["yaxis"]["range"] = [min(least) - margin, max(greatest) + margin]
    return {"data": traces, "layout": drawn}
