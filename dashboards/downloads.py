"""Addresses of a chart's data at the API."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from dashboards import addresses
from dashboards.period import Period
from verkehrspuls.language import Language
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.storage.sites import Site
from verkehrspuls.text import mark

#: file types of the API with their labels
DOWNLOAD_LABELS: Final = {
    "csv": mark("CSV"),
    "csv-{language}": mark("CSV for Excel"),
    "parquet": mark("Parquet"),
    "json": mark("JSON"),
}


def downloads(
    site: Site,
    quantity: str,
    period: Period,
    language: Language,
    *,
    by_day: bool = False,
) -> Sequence[tuple[str, str]]:
    """Link the shown series as each file type; environment by the hour, or `by_day`."""
    bin = "PT1H" if quantity in ENVIRONMENT and not by_day else period.bin
    base = f"/api/v1/sites/{site.municipality}/{site.key}/series"
    query = {
        "quantity": quantity,
        "from": f"{period.start:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{period.end:%Y-%m-%dT%H:%M:%SZ}",
        "bin": bin,
    }
    found = []
    for key, label in DOWNLOAD_LABELS.items():
        format = key.format(language=language.key)
        address = f"{base}?{urlencode(query | {'format': format})}"
        found.append((language.phrase(label), address))
    return found


def all_rows(
    site: Site,
    period: Period,
    language: Language,
    *,
    of: str,
    quantity: str = "",
) -> str:
    """Return the address of a table's rows; `of` is a key of `pages.rows.view.KINDS`.

    They cover whole days, in the steps of the figure.
    """
    query = {
        "of": of,
        "quantity": quantity,
        "from": str(period.first),
        "until": str(period.last),
        "bin": period.bin,
    }
    query = {name: value for name, value in query.items() if value}
    base = addresses.rows(language.key, site.municipality, site.key)
    return f"{base}?{urlencode(query)}"
