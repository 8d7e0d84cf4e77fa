"""Addresses of a chart's data at the API."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from dashboards.language import Language
from dashboards.period import Period
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.text import mark

#: formats of the API with their labels
FORMATS: Final = {
    "csv": mark("CSV"),
    "csv-de": mark("CSV for German Excel"),
    "parquet": mark("Parquet"),
    "json": mark("JSON"),
}


def downloads(
    site: Mapping[str, Any], quantity: str, period: Period, language: Language
) -> Sequence[tuple[str, str]]:
    """Link the shown series in each format."""
    bin = "PT1H" if quantity in ENVIRONMENT else period.bin
    base = f"/api/v1/sites/{site['municipality']}/{site['key']}/series"
    query = {
        "quantity": quantity,
        "from": f"{period.start:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{period.end:%Y-%m-%dT%H:%M:%SZ}",
        "bin": bin,
    }
    return [
        (language.phrase(label), f"{base}?{urlencode(query | {'format': key})}")
        for key, label in FORMATS.items()
    ]
