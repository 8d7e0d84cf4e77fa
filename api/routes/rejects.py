"""`/rejects`: number of unusable messages by reason."""

from typing import Final

from fastapi import APIRouter

from api import PREFIX
from api.parameters import From, OfMunicipality, Store, To, receipt
from api.problems import READ_RESPONSES
from api.schemas import rejects as schemas
from ingest.reasons import Detail, explain
from verkehrspuls.storage import known, ledger
from verkehrspuls.text import LANGUAGES

router = APIRouter(prefix=PREFIX, tags=["operation"])
ORDER: Final = 140

MAX_DAYS: Final = 366


@router.get(
    "/rejects",
    summary="Count rejected messages",
    response_model=schemas.Rejects,
    responses=READ_RESPONSES,
)
def count_rejects(
    store: Store,
    municipality: OfMunicipality = None,
    from_: From = None,
    to: To = None,
) -> dict[str, object]:
    """Count rejected messages by reason; the default is the last 24 hours of receipt.

    A date means midnight in the municipality that is named, else UTC, and the maximum
    is 366 days. Only counts: senders and contents are for the operator, and there is no
    login here. See `verkehrspuls reject list` and `reject show`.
    """
    with store.connection() as connection:
        zone = known.time_zone(connection, municipality)
        start, end = receipt(from_, to, zone, max_days=MAX_DAYS)
        rows = ledger.count_rejects(
            connection,
            municipality=municipality,
            sensor=None,
            reason=None,
            start=start,
            end=end,
        )
        if not rows:
            known.require(connection, municipality)
    return {
        "from_": start,
        "to": end,
        "reasons": [
            sums._asdict()
            | {"reason": reason}
            | {"meaning": {name: explain(reason, Detail(), name) for name in LANGUAGES}}
            for reason, sums in sorted(ledger.reasons(rows).items())
        ],
    }
