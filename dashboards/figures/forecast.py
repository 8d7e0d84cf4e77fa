"""The forecast with its band, after the last counts."""

import polars as pl

from dashboards.figures.layout import Figure, axis, band, caption, layout
from dashboards.wall_clock import axis_text, written
from verkehrspuls.language import Language


def forecast(
    counted: pl.DataFrame,
    coming: pl.DataFrame,
    language: Language,
    *,
    unit: str,
    height: int = 340,
) -> Figure:
    """Draw hours `counted` (`value`) and `coming` (`volume`, `low`, `high`).

    The forecast is dashed and begins at the last hour that was counted.
    """
    hours = pl.concat(
        [
            counted.drop_nulls("value").tail(1).select("x", "value"),
            coming.select("x", value="volume"),
        ]
    )
    foreseen, was_counted = language.phrase("forecast"), language.phrase("counted")
    foretold = [
        f"{when}<br><b>{language.number(volume)} {unit}</b><br>"
        f"{language.number(low)}–{language.number(high)}<br>"
        f"{foreseen}"
        for when, volume, low, high in zip(
            written(coming, language, "short moment"),
            *coming.select("volume", "low", "high"),
            strict=True,
        )
    ]
    line = {
        "type": "scatter",
        "mode": "lines",
        "connectgaps": False,
        "hovertemplate": "%{text}<extra></extra>",
    }
    figure = layout(language, height=height, hovermode="x", showlegend=True)
    figure["margin"] = figure["margin"] | {"t": 44}
    figure["legend"] = figure["legend"] | {"y": 1.06}
    figure["xaxis"] = axis(showgrid=False, type="date")
    figure["yaxis"] = axis(rangemode="tozero", fixedrange=True, tickformat=",~r")
    figure["annotations"] = [caption(unit, y=1)]
    return {
        "data": [
            *band(
                axis_text(coming["x"]),
                coming["low"],
                coming["high"],
                colour="var(--workday-fill)",
            ),
            line
            | {
                "x": axis_text(counted["x"]),
                "y": counted["value"].round(1).to_list(),
                "text": [
                    f"{when}<br><b>{language.number(value)} {unit}</b><br>{was_counted}"
                    for when, value in zip(
                        written(counted, language, "short moment"),
                        counted["value"],
                        strict=True,
                    )
                ],
                "name": was_counted,
                "line": {"color": "var(--text)", "width": 2},
            },
            line
            | {
                "x": axis_text(hours["x"]),
                "y": hours["value"].round(1).to_list(),
                "text": [""] * (hours.height - coming.height) + foretold,
                "name": language.phrase("forecast (9 of 10 in the band)"),
                "line": {"color": "var(--workday)", "width": 2, "dash": "dash"},
            },
        ],
        "layout": figure,
    }
