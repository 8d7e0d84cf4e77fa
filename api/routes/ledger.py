"""`/ledger`: the outcome of every message."""

from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Annotated, Final

from fastapi import APIRouter, Query

from api import PREFIX
from api.parameters import From, OfMunicipality, OfSensor, Store, To, receipt
from api.problems import READ_RESPONSES
from api.schemas import ledger as schemas
from verkehrspuls.errors import TooLong
from verkehrspuls.metrics import MESSAGE_OUTCOMES, READING_OUTCOMES
from verkehrspuls.storage import known
from verkehrspuls.storage.ledger_hours import OfHour, list_ledger
from verkehrspuls.storage.sensors import count_sensors

router = APIRouter(prefix=PREFIX, tags=["operation"])
ORDER: Final = 130

MAX_DAYS: Final = 31
MAX_ROWS: Final = 20_000


@router.get(
    "/ledger",
    summary="Read the ledger",
    response_model=schemas.Ledger,
    responses=READ_RESPONSES,
)
def read_ledger(
    store: Store,
    municipality: OfMunicipality = None,
    sensor: OfSensor = None,
    from_: From = None,
    to: To = None,
    silent: Annotated[
        bool, Query(description="hours too in which nothing came, though it should")
    ] = False,
) -> dict[str, object]:
    """Count messages and readings per sensor and hour of reception.

    The default is the last 24 hours; a date means midnight in the municipality that is
    named, else UTC, and the maximum is 31 days. `balance` is received minus all
    outcomes: always zero.
    """
    with store.connection() as connection:
        zone = known.time_zone(connection, municipality)
        start, end = receipt(from_, to, zone, max_days=MAX_DAYS)
        if silent:
            sensors = count_sensors(
                connection, municipality=municipality, sensor=sensor
            )
            # refuse before all these hours are read
            if sensors * (end - start) > 2 * MAX_ROWS * timedelta(hours=1):
                raise _too_many()
        rows = list_ledger(
            connection,
            start=start,
            end=end,
            municipality=municipality,
            sensor=sensor,
            silent=silent,
            limit=MAX_ROWS + 1,
        )
        if not rows:
            known.require(connection, municipality, sensor=sensor)
    if len(rows) > MAX_ROWS:
        raise _too_many()
    sums = _sums(rows)
    return {
        "from_": start,
        "to": end,
        "sums": sums,
        "balance": {noun: _balance(sums, noun) for noun in ("messages", "readings")},
        "rows": rows,
    }


def _too_many() -> TooLong:
    return TooLong(
        parameter="from",
        detail=f"More than {MAX_ROWS} rows: ask for a shorter period or one sensor",
    )


def _sums(rows: Sequence[OfHour]) -> dict[str, int]:
    names = tuple(schemas.LedgerSums.model_fields)
    columns = zip(*map(attrgetter(*names), rows), strict=True)
    return dict.fromkeys(names, 0) | dict(zip(names, map(sum, columns), strict=False))


def _balance(sums: dict[str, int], noun: str) -> int:
    outcomes = MESSAGE_OUTCOMES if noun == "messages" else READING_OUTCOMES
    became = sum(sums[f"{noun}_{outcome}"] for outcome in outcomes)
    return sums[f"{noun}_received"] - became
