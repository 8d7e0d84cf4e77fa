"""`/healthz`, `/readyz` and `/metrics`: liveness, readiness and metrics."""

from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from api import authorised
from api.problems import RETRY_S, responses
from api.schemas import probes as schemas
from api.viewer import seen_by
from verkehrspuls.access.permissions import INSTALLATION
from verkehrspuls.access.viewer import ANONYMOUS
from verkehrspuls.errors import Unavailable
from verkehrspuls.storage import alerts, ledger, migrate
from verkehrspuls.storage.clocks import DIFFER_S, ours_ahead_s, receipt_ahead_s
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.operation import read_lag_s, read_state
from verkehrspuls.storage.slots import slots

router = APIRouter(tags=["operation"])
ORDER: Final = 160
MODELS: Final = (schemas.Health,)

MEDIA_TYPE: Final = "application/health+json"
#: Age of ingest's newest message above which it is late, though not broken.
MAX_MESSAGE_AGE_S: Final = 900
PASSED: Final = schemas.Check(status="pass")
_SCHEMA: Final[dict[str, Any]] = {
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Health"}}}
}


@router.get(
    "/healthz",
    summary="Whether the process answers",
    response_class=JSONResponse,
    responses={200: {"description": "It does", **_SCHEMA}},
)
async def is_alive() -> JSONResponse:
    """Answer without querying other parts."""
    return _render(schemas.Health(status="pass"))


@router.get(
    "/readyz",
    summary="Whether requests can be served",
    response_class=JSONResponse,
    responses={
        200: {"description": "They can, perhaps with a warning", **_SCHEMA},
        503: {"description": "They cannot", **_SCHEMA},
    },
)
def is_ready(request: Request) -> JSONResponse:
    """Check the database, its migrations, and whether ingest keeps up.

    A credential makes no difference, not even a wrong one.
    """
    checks: dict[str, list[schemas.Check]] = {}
    try:
        with request.app.state.database.connection(ANONYMOUS) as connection:
            connection.execute("select 1")
            checks["database"] = [PASSED]
            checks["migrations"] = [_migrations(request, connection)]
            if checks["migrations"][0].status == "pass":
                for name, check in CHECKS.items():
                    checks[name] = [check(connection)]
    except Unavailable:
        checks["database"] = [
            schemas.Check(status="fail", output="The database does not answer.")
        ]
    found = {check.status for part in checks.values() for check in part}
    worst = next(s for s in ("fail", "warn", "pass") if s in found)
    return _render(schemas.Health(status=worst, checks=checks))


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text format",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **responses(401, 403, 429),
    },
)
def read_metrics(request: Request) -> Response:
    """Return the ledger's sums, work left, open cases and durations of requests.

    Of municipalities and sites that are public; with a token that has the permission
    `installation`, of all.
    """
    try:
        authorised.recognise(request, INSTALLATION)
        with seen_by(request).connection() as connection:
            state = read_state(connection)
    except Unavailable:
        state = None
    return Response(
        request.app.state.metrics.render(state),
        media_type="text/plain; version=0.0.4; charset=utf-8",
    )


def _migrations(request: Request, connection: Connection) -> schemas.Check:
    # a migrated database stays so: checked until it is, then cached
    if not getattr(request.app.state, "migrated", False):
        fault = migrate.status_of(connection).fault
        if fault:
            return schemas.Check(status="fail", output=str(fault))
        request.app.state.migrated = True
    return PASSED


def _lag(connection: Connection) -> schemas.Check:
    seconds = read_lag_s(connection)
    if seconds is None:
        return _warning("No message came yet.")
    return schemas.Check(
        status="pass" if seconds <= MAX_MESSAGE_AGE_S else "warn",
        observed_value=round(seconds, 1),
        observed_unit="s",
    )


def _slots(connection: Connection) -> schemas.Check:
    found = slots(connection)
    if stranded := [one.slot for one in found if one.stranded]:
        words = ", ".join(map(str, stranded))
        return _warning(
            f"No worker serves slot {words}; messages may wait at the broker.",
            len(stranded),
        )
    now = datetime.now(UTC)
    if any(one.certificate_expires(now) for one in found):
        return _warning("The broker's certificate expires soon.")
    return PASSED


def _rejects(connection: Connection) -> schemas.Check:
    messages = ledger.only_counted(connection)
    if not messages:
        return PASSED
    return _warning(
        "There is no room to keep all rejected messages: some were only counted.",
        messages,
        "messages",
    )


def _alerts(connection: Connection) -> schemas.Check:
    held_up = alerts.held_up(connection)
    if not held_up:
        return PASSED
    return _warning(
        f"Alerts do not reach whom they are for: {held_up}.",
        held_up.waiting + held_up.given_up,
        "messages",
    )


def _clock(connection: Connection) -> schemas.Check:
    ours_s = ours_ahead_s(connection)
    receipt_s = receipt_ahead_s(connection)
    if max(abs(ours_s), receipt_s) <= DIFFER_S:
        return schemas.Check(
            status="pass", observed_value=round(ours_s, 1), observed_unit="s"
        )
    return _warning(
        "The clocks of the database and of other parts differ; the database's is used.",
        round(receipt_s if receipt_s > DIFFER_S else ours_s, 1),
        "s",
    )


def _senders(connection: Connection) -> schemas.Check:
    """Warn if messages have no sensor, or foreign sensors never sent."""
    if not ledger.senders_missing(connection):
        return PASSED
    return _warning(
        "Messages of the last day belong to no sensor, or a sensor of a foreign format "
        "never sent: see `verkehrspuls doctor`."
    )


def _warning(
    output: str, value: float | None = None, unit: str | None = None
) -> schemas.Check:
    return schemas.Check(
        status="warn", output=output, observed_value=value, observed_unit=unit
    )


#: Checks of a migrated database.
CHECKS: Final = {
    "ingest:lag": _lag,
    "ingest:slots": _slots,
    "ingest:rejects": _rejects,
    "analytics:alerts": _alerts,
    "clock": _clock,
    "ingest:senders": _senders,
}


def _render(health: schemas.Health) -> JSONResponse:
    failed = health.status == "fail"
    headers = {"Retry-After": str(RETRY_S)} if failed else {}
    return JSONResponse(
        health.model_dump(exclude_none=True, by_alias=True),
        status_code=503 if failed else 200,
        media_type=MEDIA_TYPE,
        headers=headers | {"Cache-Control": "no-store"},
    )
