"""All rows of a table that a site's page shows in longer steps, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.flow import months
from analytics.reports.extracts import ALL, SECONDS, stored_hours
from analytics.reports.site.reading import volumes
from dashboards.charts import charts
from dashboards.charts.charts import Table
from dashboards.downloads import downloads
from dashboards.pages.site.counted import filled_series, names_of
from dashboards.pages.site.environment import noise_days, noise_table
from dashboards.pages.site.selection import View
from dashboards.pages.site.view import (
    environment_hours,
    filled_environment_days,
    filled_hours,
    in_period,
)
from verkehrspuls.errors import BadParameter
from verkehrspuls.storage.days import read_daily_figures
from verkehrspuls.storage.estimates import read_imputed
from verkehrspuls.text import mark

#: rows per page
MAX_ROWS: Final = 500
_NOISE: Final = "laeq_db"
KINDS: Final = {
    "series": mark("All values"),
    "days": mark("Day by day"),
    "noise": mark("How loud are day, evening and night?"),
}


@dataclass(frozen=True, slots=True)
class RowsPage:
    """What the template shows."""

    heading: str
    #: quantity of the downloads
    quantity: str
    table: Table
    page: int
    pages: int
    rows: int
    downloads: Sequence[tuple[str, str]]


def rows_page(shown: View, url: str, *, of: str, page: int) -> RowsPage:
    """Read the rows of a page; a number beyond the last shows the last page."""
    if of not in KINDS:
        raise BadParameter(parameter="of", detail=mark("There is no such table"))
    quantity = shown.quantity or next(iter(shown.environment), "")
    if of == "noise" or (of == "series" and not shown.quantity):
        quantity = _NOISE if of == "noise" else quantity
        hours = environment_hours(shown, url, quantity)
    if of == "noise":
        known = stored_hours(hours, shown.site.channels)
        frame, by = noise_days(known, zone=shown.zone), "day"
    elif of == "days":
        frame, by = months.by_day(counted_days(shown, url)), "day"
    elif shown.quantity:
        frame, by = _counted(shown, url), "x"
    else:
        # longer intervals, such as daily means, have days and no hours
        filled = (
            filled_environment_days(shown, url, quantity)
            if not in_period(shown, hours)
            else filled_hours(shown, hours)[1]
        )
        frame, by = filled.drop_nulls("mean"), "x"
    steps = frame[by].unique().sort()
    pages = max(1, -(-len(steps) // MAX_ROWS))
    page = min(page, pages)
    part = frame.filter(
        pl.col(by).is_in(steps[(page - 1) * MAX_ROWS : page * MAX_ROWS])
    )
    return RowsPage(
        heading=shown.language.phrase(KINDS[of]),
        quantity=quantity,
        table=_table(shown, part, of=of, quantity=quantity),
        page=page,
        pages=pages,
        rows=len(steps),
        downloads=downloads(
            shown.site,
            quantity,
            shown.period,
            shown.language,
            by_day=of == "series" and "day" in frame.columns,
        ),
    )


def _counted(shown: View, url: str) -> pl.DataFrame:
    asked = shown.asked
    days = bins = pl.DataFrame()
    estimates = None
    if asked.bin == "P1D":
        days = counted_days(shown, url)
    else:
        of_each = pl.col("direction") != ALL
        bins = volumes(asked, url, SECONDS[asked.bin]).filter(of_each)
    if asked.bin == "PT1H":
        estimates = read_imputed(url, **asked.counted, **asked.period)
    return filled_series(shown, days=days, bins=bins, estimates=estimates)


def counted_days(shown: View, url: str) -> pl.DataFrame:
    """Read the local days of the counted quantity in the period."""
    asked = shown.asked
    return read_daily_figures(url, **asked.counted, first=asked.first, last=asked.last)


def _table(shown: View, part: pl.DataFrame, *, of: str, quantity: str) -> Table:
    language = shown.language
    if of == "noise":
        return noise_table(part, language)
    if of == "days":
        return charts.days_table(part, language, zone=shown.zone)
    if shown.quantity:
        names = names_of(shown, part)
        step = shown.period.bin
        return charts.series_table(part, language, step=step, names=names)
    step = "P1D" if "day" in part.columns else "PT1H"
    return charts.environment_table(part, language, quantity=quantity, step=step)
