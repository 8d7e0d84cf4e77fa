"""`POST /readings`: for sensors that do not speak MQTT."""

import hashlib
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from api import PREFIX, authorised, intake
from api.database import Database
from api.errors import KeyReused, StillRunning, Unreadable, WrongType
from api.outlet import Outlet
from api.problems import MEANINGS, respond, responses
from api.schemas import readings as schemas
from verkehrspuls.access import tokens
from verkehrspuls.settings import Api
from verkehrspuls.storage.database import execute

router = APIRouter(prefix=PREFIX, tags=["sending"], route_class=authorised.Route)
ORDER: Final = 120

#: path whose bodies may be larger than others
PATH: Final = f"{PREFIX}/readings"
MAX_KEY_LENGTH: Final = 255
#: accepted media type and encoding of a body
_ACCEPTED: Final = ("application/json", "identity")
_EXAMPLE: Final = {
    "sensor": "camera-1",
    "message": {
        "time": "2026-11-21T20:00:00Z",
        "interval_s": 300,
        "counts": [{"channel": "1", "classes": {"car": 12, "truck": 1}}],
    },
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "One message, or an array of them. Each names its `topic`, or "
        "`sensor` and, where it cannot be told, `kind`; `municipality` is the token's. "
        "`message` is what would be published over MQTT; `base64` in place of it is "
        "for payloads that are not JSON. With a token of one sensor that sensor's "
        "native message will do.",
        "content": {"application/json": {"schema": {}, "example": _EXAMPLE}},
    },
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {"type": "string", "maxLength": MAX_KEY_LENGTH},
            "description": "a request with the same key and body is answered as the "
            "first one was, for a day, and has no second effect",
        }
    ],
    **authorised.needs("readings"),
}


@router.post(
    "/readings",
    summary="Send readings",
    status_code=202,
    response_model=schemas.Intake,
    responses={
        202: {"description": "The broker has taken what is accepted"},
        **responses(401, 403, 409, 413, 415, 422, 429, 503),
    },
    openapi_extra=_BODY,
)
async def send_readings(request: Request) -> Response:
    """Publish messages of sensors; the response follows the broker's acknowledgement.

    Requires a token with the permission `readings`.

    Each message is checked in advance, and `items` contains the expected outcomes. The
    readings can be read a moment later.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0]
    encoding = request.headers.get("content-encoding", "identity")
    if (media_type.strip().lower(), encoding.lower()) != _ACCEPTED:
        raise WrongType
    return await run_in_threadpool(_take, request, await request.body())


def _take(request: Request, body: bytes) -> Response:
    state = request.app.state
    bearer = authorised.bearer(request)
    settings: Api = state.settings.api
    sent = intake.read_items(body, bearer, at_most=settings.ingest_items)
    key = request.headers.get("idempotency-key")
    if key is None:
        state.pace.take("ingest_per_minute", f"{bearer.api_token_id}", len(sent))
        return _answer(request, _publish(request, bearer, sent))
    known = _begin(state.database, bearer, key, body)
    if known is not None:
        return _answer(request, known)
    try:
        state.pace.take("ingest_per_minute", f"{bearer.api_token_id}", len(sent))
        outcome = _publish(request, bearer, sent)
    except BaseException:
        with state.database.writing(bearer.viewer) as connection:
            execute(
                connection, "drop_request", api_token_id=bearer.api_token_id, key=key
            )
        raise
    with state.database.writing(bearer.viewer) as connection:
        execute(
            connection,
            "end_request",
            api_token_id=bearer.api_token_id,
            key=key,
            answer=outcome.model_dump_json(),
        )
    return _answer(request, outcome)


def _publish(
    request: Request, bearer: tokens.Bearer, sent: list[intake.Sent]
) -> schemas.Intake:
    state = request.app.state
    with state.database.connection(bearer.viewer) as connection:
        items: list[schemas.ItemOutcome] = state.trial.run(connection, sent, bearer)
    usable = [sent[item.index] for item in items if item.status != "rejected"]
    outlet: Outlet = state.outlet
    if usable:
        outlet.publish(usable)
    return schemas.Intake(
        accepted=len(usable), rejected=len(items) - len(usable), items=items
    )


def _answer(request: Request, outcome: schemas.Intake) -> Response:
    if outcome.items and not outcome.accepted:
        return respond(
            request,
            422,
            code="nothing-accepted",
            detail=MEANINGS["nothing-accepted"],
            items=outcome.items,
        )
    return JSONResponse(
        outcome.model_dump(exclude_none=True),
        status_code=202,
        headers={"Cache-Control": "no-store"},
    )


def _begin(
    store: Database, bearer: tokens.Bearer, key: str, body: bytes
) -> schemas.Intake | None:
    """Reserve a key for this request; return the stored response of a repetition."""
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        raise Unreadable(
            pointer="#/header/Idempotency-Key",
            detail=f"It must have 1 to {MAX_KEY_LENGTH} printable characters",
        )
    sha256 = hashlib.sha256(body).digest()
    named = {"api_token_id": bearer.api_token_id, "key": key}
    with store.writing(bearer.viewer) as connection:
        execute(connection, "drop_old_requests")
        if execute(connection, "begin_request", sha256=sha256, **named).fetchone():
            return None
        known = execute(connection, "find_request", **named).fetchone()
    if known is None:  # the other request has just given it up
        raise StillRunning
    if bytes(known["sha256"]) != sha256:
        raise KeyReused
    if known["answer"] is None:
        raise StillRunning
    return schemas.Intake.model_validate(known["answer"])
