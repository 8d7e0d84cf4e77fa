"""`/municipalities`."""

from typing import Final

from fastapi import APIRouter

from api import PREFIX
from api.parameters import Store
from api.problems import responses
from api.schemas import municipalities as schemas
from verkehrspuls.storage import sites

router = APIRouter(prefix=PREFIX, tags=["registry"])
ORDER: Final = 10


@router.get(
    "/municipalities",
    summary="List municipalities",
    response_model=schemas.Municipalities,
    responses=responses(401, 429, 503),
)
def list_municipalities(store: Store) -> dict[str, object]:
    """List the municipalities with a site visible to you, by name."""
    with store.connection() as connection:
        return {"municipalities": sites.list_municipalities(connection)}
