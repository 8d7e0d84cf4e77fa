"""A corridor: its travel time over the day, and speeds in space and time."""

from collections.abc import Sequence

import polars as pl

from dashboards.figures.layout import Figure, axis, band, caption, layout, plain
from verkehrspuls.language import Language

_HOURS = {"tickvals": [0, 6, 12, 18, 24], "range": [0, 24], "fixedrange": True}


def travel_times(
    times: pl.DataFrame, language: Language, *, height: int = 340
) -> Figure:
    """Draw travel times (min) by `hour`: the day's, the usual median and the 95 %.

    Between `lower` and `upper`, a band, lie 7 of 10 workdays. `hour` is the place on
    the axis, `clock` the wall time as it is written. What is not known at any time, as
    where there are too few workdays, is not in the legend either.
    """
    faster = language.phrase("19 of 20 workdays are faster")
    styles = (
        ("day", language.phrase("this day"), "var(--workday)", "solid"),
        ("median", language.phrase("median of workdays"), "var(--soft)", "dash"),
        ("p95", faster, "var(--sunday)", "dot"),
    )
    minutes = language.phrase("min")
    hours = times["hour"].to_list()
    low, high = times["lower"].round(2), times["upper"].round(2)
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": hours,
            "y": times[column].round(2).to_list(),
            "name": name,
            "text": [
                f"{clock}<br>{name}<br><b>{language.number(value, 1)} {minutes}</b>"
                for clock, value in times.select("clock", column).iter_rows()
            ],
            "hovertemplate": "%{text}<extra></extra>",
            "connectgaps": False,
            "line": {"color": colour, "dash": dash, "width": 2},
        }
        for column, name, colour, dash in styles
        if times[column].count()
    ]
    drawn = layout(language, height=height, showlegend=True)
    drawn["margin"] = drawn["margin"] | {"t": 64}
    drawn["legend"] = drawn["legend"] | {"y": 1.06}
    drawn["xaxis"] = axis(showgrid=False, **_HOURS)
    drawn["yaxis"] = axis(rangemode="tozero", fixedrange=True)
    drawn["annotations"] = [caption(minutes, y=1)]
    data = [*band(hours, low, high, colour="var(--workday-fill)"), *traces]
    return {"data": data, "layout": drawn}


def speed_field(
    field: pl.DataFrame,
    language: Language,
    *,
    stations: Sequence[tuple[float, str]],
    height: int = 340,
) -> Figure:
    """Draw `hour`, `chainage_m`, `speed_kmh` as a heatmap; unknown cells are empty."""
    wide = field.pivot(on="hour", index="chainage_m", values="speed_kmh")
    hours = [float(name) for name in wide.columns[1:]]
    trace = {
        "type": "heatmap",
        "x": hours,
        "y": wide["chainage_m"].to_list(),
        "z": [list(row) for row in wide.drop("chainage_m").rows()],
        "hovertemplate": "%{x:.2f} h, %{y} m<br><b>%{z:.0f} km/h</b><extra></extra>",
        # slow sections stand out: readers look for them
        "colorscale": [[step / 4, f"var(--scale-{4 - step})"] for step in range(5)],
        "zmin": 0,
        "zmax": field["speed_kmh"].max(),
        "colorbar": {
            "title": {"text": "km/h", "side": "top", "font": {"size": 13}},
            "thickness": 12,
            "outlinewidth": 0,
        },
    }
    drawn = layout(language, height=height)
    drawn["margin"] = drawn["margin"] | {"l": 52}
    drawn["xaxis"] = axis(showgrid=False, **_HOURS)
    drawn["yaxis"] = axis(showgrid=False, fixedrange=True, tickformat=",")
    drawn["annotations"] = [
        caption("m", y=1),
        *(
            caption(
                plain(name),
                x=0.2,
                y=chainage,
                xref="x",
                yref="y",
                bgcolor="var(--background)",
                font={"color": "var(--text)", "size": 12},
            )
            for chainage, name in stations
        ),
    ]
    return {"data": [trace], "layout": drawn}
