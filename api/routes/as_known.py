"""`/sites/{municipality}/{site}/days-as-known`: what was known at an earlier time."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from analytics.quality.validity import Rules
from analytics.reports.as_known import report_as_known
from api import PREFIX
from api.parameters import From, Instant, MunicipalityKey, Quantity, SiteKey, Store, To
from api.problems import READ_RESPONSES
from api.schemas import as_known as schemas

router = APIRouter(prefix=PREFIX, tags=["studies"], responses=READ_RESPONSES)
ORDER: Final = 110


@router.get(
    "/sites/{municipality}/{site}/days-as-known",
    summary="Days as known at an earlier time",
    response_model=schemas.KnownDays,
)
def read_days_as_known(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    known_at: Annotated[
        Instant,
        Query(
            description="as if read at this time (RFC 3339)",
            examples=["2026-03-03T00:00:00Z"],
        ),
    ],
    from_: From = None,
    to: To = None,
    quantity: Quantity = None,
) -> dict[str, Any]:
    """Compute local days from the readings in the versions that were known then.

    Each local day that the period touches is complete. Late readings and corrections
    after `known_at` are ignored. The default are the last 30 days, the maximum is 93
    days.
    """
    report = report_as_known(
        store,
        municipality,
        site,
        known_at=known_at,
        quantity=quantity,
        start=from_,
        end=to,
        now=datetime.now(UTC),
        rules=Rules.of(request.app.state.settings.analytics),
    )
    return {
        "municipality": municipality,
        "simulated": report.site.simulated,
        "site": site,
        "quantity": report.quantity,
        "known_at": known_at,
        "days": report.days.drop("site_id", "quantity").to_dicts(),
        "passport": report.passport,
    }
