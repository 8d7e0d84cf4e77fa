"""All rows of a table that a site's page shows in longer steps, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.reports.extracts import stored_hours
from dashboards.charts import charts
from dashboards.charts.charts import Table
from dashboards.downloads import downloads
from dashboards.pages.site.counted import filled_series, names_of, volumes
from dashboards.pages.site.environment import noise_days, noise_table
from dashboards.pages.site.selection import View
from dashboards.pages.site.view import (
    counted_days,
    environment_hours,
    filled_environment_days,
    filled_hours,
    in_period,
)
from verkehrspuls.errors import BadParameter
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
        known = stored_hours(hours, shown.site["channels"])
        frame, by = noise_days(known, zone=shown.zone), "day"
    elif of == "days":
        frame, by = charts.of_all(counted_days(shown, url)), "day"
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
    days, hours = counted_days(shown, url), pl.DataFrame()
    if shown.period.bin == "PT1H":
        hours = volumes(shown, url, interval_s=3600)
    return filled_series(shown, url, days=days, hours=hours)


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
