"""The mean course of a day, by day type."""

from typing import Final

import polars as pl

from dashboards.figures.layout import Figure, axis, band, caption, layout, rounded
from verkehrspuls.language import Language
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
    known = {
        (day_type, hour): figures
        for day_type, hour, *figures in profile.select(
            "day_type", "hour", "mean", "lower", "upper", "samples"
        ).iter_rows()
    }
    hours = list(range(24))
    for day_type, name in DAY_TYPE_NAMES.items():
        # a row for each hour, so that a missing one is a gap
        rows = [known.get((day_type, hour), [None] * 4) for hour in hours]
        means, lowers, uppers, samples = map(list, zip(*rows, strict=True))
        if means == [None] * 24:
            continue
        if day_type == "workday":
            low, high = (
                pl.Series(ends, dtype=pl.Float64).round(1) for ends in (lowers, uppers)
            )
            traces += band(hours, low, high, colour="var(--workday-fill)")
        title = language.phrase(name)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": hours,
                "y": list(map(rounded, means)),
                "name": title,
                "text": [
                    f"{title}, {language.hours(hour)}<br>"
                    f"<b>{language.number(mean)} {unit}</b><br>"
                    + language.plural("%(count)s day", "%(count)s days", days or 0)
                    for hour, mean, days in zip(hours, means, samples, strict=True)
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
