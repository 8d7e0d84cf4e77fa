"""The mean course of a day, by day type."""

from typing import Final

import polars as pl

from dashboards.figures.layout import Figure, axis, caption, layout
from dashboards.language import Language
from verkehrspuls.text import mark

DAY_TYPE_NAMES: Final = {
    "workday": mark("Workday"),
    "saturday": mark("Saturday"),
    "sunday_or_holiday": mark("Sunday, holiday"),
}
_DASHES: Final = {"workday": "solid", "saturday": "dash", "sunday_or_holiday": "dot"}


def day_profile(
    profile: pl.DataFrame, language: Language, *, unit: str, height: int = 340
) -> Figure:
    """Draw `profiles.day_profile`: means as lines, and where workdays usually lie.

    The band runs from the 15 % to the 85 % quantile: 7 of 10 workdays.
    """
    traces: list[dict[str, object]] = []
    for day_type, name in DAY_TYPE_NAMES.items():
        rows = _whole_day(profile.filter(pl.col("day_type") == day_type))
        if rows["mean"].null_count() == 24:
            continue
        hours = rows["hour"].to_list()
        if day_type == "workday":
            band = {
                "type": "scatter",
                "mode": "lines",
                "x": hours,
                "hoverinfo": "skip",
                "line": {"width": 0},
                "showlegend": False,
            }
            traces.append(band | {"y": rows["lower"].round(1).to_list()})
            traces.append(
                band
                | {
                    "y": rows["upper"].round(1).to_list(),
                    "fill": "tonexty",
                    "fillcolor": "var(--workday-fill)",
                }
            )
        title = language.phrase(name)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": hours,
                "y": rows["mean"].round(1).to_list(),
                "name": title,
                "text": [
                    f"{title}, {language.hours(hour)}<br>"
                    f"<b>{language.number(mean)} {unit}</b><br>"
                    + language.plural("%(count)s day", "%(count)s days", days or 0)
                    for hour, mean, days in rows.select(
                        "hour", "mean", "samples"
                    ).iter_rows()
                ],
                "hovertemplate": "%{text}<extra></extra>",
                "line": {
                    "color": f"var(--{day_type.partition('_')[0]})",
                    "dash": _DASHES[day_type],
                    "width": 2,
                },
            }
        )
    return {"data": traces, "layout": over_day(language, unit=unit, height=height)}


def over_day(language: Language, *, unit: str, height: int) -> dict[str, object]:
    """Return the layout of lines over the hours of the day, with a legend."""
    drawn = layout(language, height=height, showlegend=True)
    drawn["margin"] = drawn["margin"] | {"t": 44}
    drawn["legend"] = drawn["legend"] | {"y": 1.06}
    drawn["xaxis"] = axis(
        showgrid=False,
        tickvals=[0, 6, 12, 18, 23],
        ticktext=["0", "6", "12", "18", "23"],
        range=[-0.3, 23.3],
        fixedrange=True,
    )
    drawn["yaxis"] = axis(rangemode="tozero", fixedrange=True, tickformat=",~r")
    drawn["annotations"] = [caption(unit, y=1)]
    return drawn


def _whole_day(rows: pl.DataFrame) -> pl.DataFrame:
    """A row for each hour, so that a missing one is a gap."""
    hours = pl.DataFrame({"hour": range(24)}, schema={"hour": pl.Int8})
    return hours.join(rows, on="hour", how="left").sort("hour")
