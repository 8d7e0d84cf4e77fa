"""`/municipalities/{municipality}/short-count`: expand a short count to a mean day."""

from dataclasses import asdict
from datetime import UTC
from typing import Any, Final

from fastapi import APIRouter, Request

from analytics.quality.validity import Rules
from analytics.reports.short_count import Expanded, report_short_count
from api import PREFIX
from api.errors import Unreadable
from api.parameters import MunicipalityKey, Store
from api.problems import READ_RESPONSES, responses
from api.schemas import short_count as schemas
from verkehrspuls.quantities import COUNTED

router = APIRouter(
    prefix=PREFIX, tags=["studies"], responses=READ_RESPONSES | responses(413)
)
ORDER: Final = 100


@router.post(
    "/municipalities/{municipality}/short-count",
    summary="From a short count to the mean day of a year",
    response_model=schemas.ShortCount,
)
def expand_short_count(
    request: Request, store: Store, municipality: MunicipalityKey, count: schemas.Count
) -> dict[str, Any]:
    """Extrapolate whole counted hours by the town's permanent counters.

    Nothing is stored. The counters' means cover the 365 days up to the last counted
    one.
    """
    if count.quantity not in COUNTED:
        raise Unreadable(
            pointer="#/body/quantity", detail=f"It must be one of {', '.join(COUNTED)}"
        )
    volumes = {hour.time.astimezone(UTC): hour.volume for hour in count.hours}
    if any(time.minute or time.second or time.microsecond for time in volumes):
        raise Unreadable(
            pointer="#/body/hours", detail="Each `time` must be a full hour"
        )
    if len(volumes) < len(count.hours):
        raise Unreadable(
            pointer="#/body/hours", detail="An hour is given more than once"
        )
    report = report_short_count(
        store,
        municipality,
        volumes,
        quantity=count.quantity,
        rules=Rules.of(request.app.state.settings.analytics),
    )
    without = report.without_suspected
    return _figures(report.expanded) | {
        "simulated": report.municipality.simulated,
        "method": report.method,
        "without_suspected": without and _figures(without),
    }


def _figures(expanded: Expanded) -> dict[str, Any]:
    return asdict(expanded.found) | {
        "reason": expanded.found.reason,
        "passport": expanded.passport,
    }
