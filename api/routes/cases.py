"""`/cases`."""

from typing import Annotated

from fastapi import APIRouter, Query

from api import PREFIX, schemas
from api.parameters import OfMunicipality, OfSite, Store
from api.problems import RESPONSES
from verkehrspuls.storage import series

router = APIRouter(prefix=PREFIX, tags=["figures"])


@router.get(
    "/cases",
    operation_id="listCases",
    summary="List anomaly cases",
    response_model=schemas.Cases,
    responses={422: RESPONSES[422], 503: RESPONSES[503]},
)
def list_cases(
    store: Store,
    municipality: OfMunicipality = None,
    site: OfSite = None,
    open: Annotated[bool, Query(description="only cases that are still open")] = True,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, object]:
    """List cases, newest first: what seems unusual or broken, with the evidence."""
    with store.connection() as connection:
        return {
            "cases": series.cases(
                connection,
                municipality=municipality,
                site=site,
                open_only=open,
                limit=limit,
            )
        }
