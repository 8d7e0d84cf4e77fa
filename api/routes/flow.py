"""`/sites/{municipality}/{site}/figures/{kind}`: flow figures with their passport."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request

from analytics.flow.figure import Result
from analytics.reports import figures
from analytics.reports.sources import Options, Source, known
from api import PREFIX
from api.parameters import (
    Direction,
    From,
    MunicipalityKey,
    SiteKey,
    Store,
    To,
    quantity_of,
)
from api.problems import READ_RESPONSES
from api.schemas import flow as schemas
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.sites import read_site

router = APIRouter(prefix=PREFIX, tags=["figures"], responses=READ_RESPONSES)
ORDER: Final = 40


@router.get(
    "/sites/{municipality}/{site}/figures/{kind}",
    summary="Read flow figures",
    response_model=schemas.FlowFigures,
)
def read_figures(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    kind: Annotated[
        schemas.Kind, Path(description="which figures", examples=["means"])
    ],
    from_: From = None,
    to: To = None,
    quantity: Annotated[
        str | None,
        quantity_of(COUNTED, "what was counted; default is the site's first"),
    ] = None,
    direction: Direction = "all",
    limit_kmh: Annotated[
        float | None,
        Query(ge=5, le=200, description="speed limit; default is the site's"),
    ] = None,
    capacity: Annotated[
        float | None,
        Query(
            ge=1,
            le=100_000,
            description="in vehicles/h, for `service`; default by lanes",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        Query(description="key of a profile, for `service`; default is a setting"),
    ] = None,
) -> dict[str, object]:
    """Compute the figures of a kind from the whole local days of the period.

    A figure without a value is null, with the reason and what is required.
    """
    with store.connection() as connection:
        found = read_site(connection, municipality, site)
    selection = figures.select(
        found,
        kind,
        quantity=quantity,
        direction=direction,
        start=from_,
        end=to,
        now=datetime.now(UTC),
    )
    with store.connection() as connection:
        of_period = known(connection, selection)
    source = Source(
        selection,
        known=of_period,
        turn=store.frames,
        settings=request.app.state.settings.analytics,
        options=Options(limit_kmh=limit_kmh, capacity=capacity, profile=profile),
    )
    result = figures.compute(kind, source)
    return {
        "site": found,
        "kind": kind,
        "quantity": selection.quantity,
        "direction": source.direction,
        "from_": selection.period.start,
        "to": selection.period.end,
        "figures": result.figures,
        "table": _table(result),
        "table_without_suspected": result.without_suspected
        and _table(result.without_suspected),
    }


def _table(result: Result) -> dict[str, object] | None:
    if result.table is None or result.passport is None:
        return None
    return {
        "columns": result.table.columns,
        "rows": result.table.to_dicts(),
        "passport": result.passport,
    }
