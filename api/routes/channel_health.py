"""`/sites/{municipality}/{site}/health`: whether the channels measure soundly."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request

from analytics.health.verdicts import texts
from analytics.reports.channel_health import Bin, report_channel_health
from api import PREFIX
from api.parameters import From, MunicipalityKey, SiteKey, Store, To
from api.problems import READ_RESPONSES
from api.schemas import channel_health as schemas
from verkehrspuls.text import LANGUAGES, translate

router = APIRouter(prefix=PREFIX, tags=["figures"], responses=READ_RESPONSES)
ORDER: Final = 150


@router.get(
    "/sites/{municipality}/{site}/health",
    summary="Read channel health",
    response_model=schemas.SiteHealth,
)
def read_health(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    from_: From = None,
    to: To = None,
    bin: Annotated[Bin, Query(description="whether days or hours are judged")] = "P1D",
) -> dict[str, object]:
    """Return the first health test that each channel failed on each local day.

    The default is the last seven days. Today is judged up to now.
    """
    report = report_channel_health(
        store,
        municipality,
        site,
        start=from_,
        end=to,
        bin=bin,
        now=datetime.now(UTC),
        settings=request.app.state.settings,
    )
    return {
        "municipality": municipality,
        "simulated": report.site.simulated,
        "site": site,
        "bin": bin,
        "first": report.first,
        "last": report.last,
        "method": report.method,
        "ambiguous_hours": report.ambiguous_hours,
        "verdicts": [
            asdict(verdict) | {"text": _text(verdict.verdict)}
            for verdict in report.verdicts
        ],
        "fields_dropped": report.fields_dropped,
    }


def _text(verdict: str) -> dict[str, str]:
    # an unknown verdict of another version is shown by its key
    text = texts().get(verdict, verdict)
    return {language: translate(text, language) for language in LANGUAGES}
