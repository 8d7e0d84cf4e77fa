"""The chart of the forecast of a site."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from dashboards.charts.charts import Chart, Table
from dashboards.figures.forecast import forecast as draw
from dashboards.wall_clock import add_wall_clock, every
from verkehrspuls.language import Language
from verkehrspuls.storage.estimates import ForecastError

#: counted hours that are drawn before the forecast
_HOURS_BEFORE: Final = 12
_HOUR: Final = timedelta(hours=1)


def forecast_chart(
    intervals: pl.DataFrame,
    errors: Sequence[ForecastError],
    hours: pl.DataFrame,
    language: Language,
    *,
    zone: str,
    quantity: str,
    now: datetime,
) -> Chart:
    """Draw the coming day by hours, from `read_forecast`, after the last counts.

    `hours`: `time` and `value` of the hours counted. Past hours are not forecast.
    """
    unit = language.unit(quantity)
    coming = add_wall_clock(
        intervals.filter(
            (pl.col("interval_s") == _HOUR.seconds) & (pl.col("time") > now - _HOUR)
        ),
        zone,
    )
    heading = language.phrase("How much traffic is expected?")
    if coming.is_empty():
        return Chart(
            key="forecast",
            heading=heading,
            sentence=language.phrase(
                "There is no forecast yet. It needs hourly volumes, at least two "
                "known days of the same type as the coming ones, and current "
                "readings. Daily totals are not forecast."
            ),
            figure=None,
            table=Table((), ()),
        )
    begins: datetime = coming["time"][0]
    grid = every(begins - _HOURS_BEFORE * _HOUR, begins, _HOUR)
    counted = add_wall_clock(
        grid.with_columns(pl.col("time").cast(hours.schema["time"])).join(
            hours.select("time", "value"), on="time", how="left"
        ),
        zone,
    )
    rows = [
        (
            language.hour(time, zone),
            language.number(volume),
            language.number(low),
            language.number(high),
        )
        for time, volume, low, high in coming.select(
            "time", "volume", "low", "high"
        ).iter_rows()
    ]
    head = (
        language.phrase("Hour"),
        language.phrase("Forecast (%(unit)s)", unit=unit),
        language.phrase("Lower bound"),
        language.phrase("Upper bound"),
    )
    return Chart(
        key="forecast",
        heading=heading,
        sentence=_sentence(coming, errors, language, zone=zone, unit=unit),
        figure=draw(counted, coming, language, unit=unit),
        table=Table(head, rows),
        note=language.phrase(
            "Made at %(made)s from what was counted until then, without regard to "
            "weather, events and road works. Method: %(method)s.",
            made=language.moment(coming["made_at"][0], zone),
            method=coming["method"][0],
        ),
    )


def _sentence(
    coming: pl.DataFrame,
    errors: Sequence[ForecastError],
    language: Language,
    *,
    zone: str,
    unit: str,
) -> str:
    first = coming.row(0, named=True)
    most = coming.sort("volume", "time", descending=[False, True]).row(-1, named=True)
    text = language.phrase(
        "%(hour)s: probably %(value)s (nine times out of ten %(low)s to %(high)s); "
        "the peak is expected on %(peak_hour)s with %(peak)s.",
        hour=language.hour(first["time"], zone),
        value=f"{language.number(first['volume'])} {unit}",
        low=language.number(first["low"]),
        high=language.number(first["high"]),
        peak_hour=language.hour(most["time"], zone),
        peak=f"{language.number(most['volume'])} {unit}",
    )
    missed = {
        row.lead_s: row.wape
        for row in errors
        if row.interval_s == _HOUR.seconds and row.wape is not None
    }
    if not missed:
        return text
    return f"{text} " + language.phrase(
        "Recent forecasts one hour ahead were off by %(missed)s on average.",
        missed=language.percent(missed[min(missed)]),
    )
