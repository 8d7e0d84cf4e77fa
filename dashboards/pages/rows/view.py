"""All rows of a table that a site's page shows in longer steps, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import polars as pl

from analytics.reports import rows as reports
from analytics.reports.rows import report_rows
from dashboards import summaries
from dashboards.charts import charts
from dashboards.charts.charts import Table
from dashboards.downloads import downloads
from dashboards.pages.site.counted import filled_series, names_of
from dashboards.pages.site.environment import noise_table
from dashboards.pages.site.selection import View
from verkehrspuls.errors import BadParameter
from verkehrspuls.storage.reader import Reader
from verkehrspuls.text import mark

#: maximum rows of a page
MAX_ROWS: Final = 500
#: headings of the tables
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


def rows_page(shown: View, reader: Reader, *, of: str, page: int) -> RowsPage:
    """Arrange the rows of a page; a number beyond the last shows the last page."""
    if of not in KINDS:
        raise BadParameter(parameter="of", detail=mark("There is no such table"))
    found = report_rows(
        reader, shown.asked, cast(reports.Table, of), environment=shown.environment
    )
    quantity, frame = found.quantity, _frame(shown, found, of=of)
    by = "x" if of == "series" else "day"
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


def _frame(shown: View, found: reports.Report, *, of: str) -> pl.DataFrame:
    """Return all rows; a counted series with those of its gaps."""
    days, bins = found.days, found.bins
    if of != "series":
        return days
    if shown.quantity:
        return filled_series(shown, days=days, bins=bins, estimates=found.estimates)
    filled = (
        summaries.fill_environment_days(days, shown.period, shown.today)
        if bins.is_empty()
        else summaries.fill_hours(bins, shown.period, shown.now)
    )
    return filled.drop_nulls("mean")


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
