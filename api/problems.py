"""Errors as `application/problem+json` (RFC 9457), the same everywhere.

`type` is the address of the error's entry in the API's reference page. Internal details
are not disclosed; `trace_id` identifies the log entry.
"""

import http
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final, Self

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from analytics.cases.casework import CaseChanged
from api import PREFIX
from api.errors import NotAuthorised, NotTaken, ScopeTooSmall, Unreadable
from api.parameters import DIRECTION, KEY
from api.schemas.cases import Change
from api.schemas.readings import ItemOutcome
from api.viewer import seen_by
from verkehrspuls.cases import Change as CaseEvent
from verkehrspuls.errors import BadParameter, Unavailable, UnknownKey, VerkehrspulsError
from verkehrspuls.registry import moves
from verkehrspuls.registry.faults import Faulty
from verkehrspuls.registry.files.record import FaultyFile
from verkehrspuls.storage import known
from verkehrspuls.storage.database import explained
from verkehrspuls.text import translate

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
#: page that explains error codes
REFERENCE: Final = f"{PREFIX}/docs#"
#: seconds after which a client may retry
RETRY_S: Final = 5
#: maximum errors of one request that are listed
MAX_ERRORS: Final = 20
#: and of one file
MAX_PROBLEMS: Final = 1000


class Invalid(BaseModel):
    """One error of the request."""

    pointer: str = Field(description="JSON pointer into the request")
    detail: str
    #: the text with places `{}`, if the detail is made of one
    _text: str = ""
    _values: tuple[str, ...] = ()

    def made_of(self, text: str, values: tuple[str, ...]) -> Self:
        """Set the text and values of the detail."""
        self._text, self._values = text, values
        return self

    @property
    def text(self) -> str:
        """Source text, as in the catalogues."""
        return self._text or self.detail.removesuffix(".")

    def in_language(self, language: str) -> str:
        """Return the error in a language, for a page."""
        text = translate(self.text, language)
        return text.format(*self._values) if self._values else text


class Problem(BaseModel):
    """A problem (RFC 9457)."""

    type: str = Field(description="address of the explanation; stable")
    title: str
    status: int
    detail: str
    trace_id: str = Field(description="to be quoted to the operator")
    retry_s: int | None = Field(
        None, description="seconds after which to try again, as in `Retry-After`"
    )
    errors: list[Invalid] | None = None
    items: list[ItemOutcome] | None = Field(
        None, description="of messages, where none could be used"
    )
    changes: list[Change] | None = Field(
        None, description="of a case, that were not seen"
    )

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "type": "/api/v1/docs#unknown-key",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "There is no site kaiserslautern/moon.",
                    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                }
            ]
        }
    }


#: Meaning of each code and what to do; shown on the reference page.
MEANINGS: Final = {
    "not-found": "There is nothing at this address.",
    "not-http": "The request cannot be read: it is no HTTP, or its address and headers "
    "are too long.",
    "method-not-allowed": "The address does not take this method; `Allow` names those "
    "that it does.",
    "not-acceptable": "None of the formats in `Accept` is served here.",
    "invalid": "A parameter is wrong, is none that the address takes, or is given more "
    "than once; `errors` says which and why.",
    "unknown-key": "There is no such municipality, site or sensor that you may see; "
    "`detail` names the nearest one.",
    "too-long": "The period is too long for the bin, or the answer too large. "
    "Ask for a shorter period, a larger bin, or one municipality.",
    "too-slow": "The database took too long. Ask for a shorter period.",
    "not-authorised": "A token is needed that is valid: `Authorization: Bearer …`. It "
    "is missing, unknown, expired or revoked. People make tokens on the page of their "
    "account, and the operator with `verkehrspuls token create`.",
    "insufficient-scope": "The token is valid, but not for this; `detail` names the "
    "permission that it needs, and where. Use a token with that permission.",
    "transition-not-allowed": "The case cannot be moved into that state; `detail` says "
    "into which it can.",
    "case-changed": "The case has changed since you saw it; `changes` says how. Read "
    "it again, then decide with its new `version`.",
    "not-your-case": "The case is of another municipality than your token.",
    "nothing-to-undo": "The newest event of the case is no decision.",
    "not-assignable": "Cases are assigned to people who may decide them in their "
    "municipality and have chosen a password.",
    "role-missing": "No role of the person permits it; `detail` names the permission.",
    "cross-site": "A page of another site sent this; nothing was done. Forms are sent "
    "from pages of this server.",
    "needs-https": "Passwords are sent over HTTPS only, or on the server's own "
    "machine. The operator sets it up, and VERKEHRSPULS_PAGES__ADDRESS.",
    "not-allowed": "The token is for other sensors. Nothing of the request was taken.",
    "too-many": "The request has too many messages or bytes. Send several.",
    "wrong-type": "Readings are taken as `application/json`, and not compressed.",
    "nothing-accepted": "None of the messages can be used; `items` says why.",
    "not-your-town": "The token is of another municipality, or does not permit "
    "`register` there.",
    "entry-changed": "Somebody changed the entry since you read it. Read it again, and "
    "send its new `version` in `If-Match`.",
    "entry-used": "What has readings or messages stays. Register its end instead.",
    "faulty-registration": "The registration would have faults; `errors` names each "
    "entry and field.",
    "not-a-photograph": "A photograph is JPEG, PNG or WebP, complete, of at most 20 MB "
    "and 64 megapixels.",
    "key-reused": "The same `Idempotency-Key` came with another body.",
    "still-running": "The first request with this `Idempotency-Key` has not ended. Try "
    "again after the time in `Retry-After`.",
    "too-fast": "The address, account or token has sent more in a minute than it may; "
    "`detail` says how much that is. Nothing of the request was taken. Try again after "
    "the time in `Retry-After`.",
    "broker-unavailable": "The broker does not answer, so readings cannot be taken. "
    "Try again after the time in `Retry-After`: what arrives twice is stored once.",
    "database-unavailable": "The database does not answer. Try again after the time "
    "in `Retry-After`.",
    "not-migrated": "The database is not set up yet. The operator runs "
    "`verkehrspuls db migrate`.",
    "internal": "The server made an error. Quote `trace_id` to the operator.",
}

#: For `responses=` of routes.
_RESPONSES: Final[dict[int, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, description in (
        (401, "No token, or one that is not valid"),
        (403, "The token does not permit it; `detail` says what is missing"),
        (404, "Nothing there that you may see"),
        (406, "None of the formats in `Accept` is served"),
        (409, "It cannot be done now; `detail` says why"),
        (412, "Somebody changed it since it was read"),
        (413, "Too many messages or bytes"),
        (415, "Not JSON"),
        (422, "A parameter is wrong"),
        (429, "Too many requests or messages in a minute; see Retry-After"),
        (503, "The database does not answer; see Retry-After"),
    )
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems with these statuses, for a route."""
    return {status: _RESPONSES[status] for status in statuses}


#: Those of reading.
READ_RESPONSES: Final = responses(401, 404, 422, 429, 503)


def install(app: FastAPI) -> None:
    """Answer each error of the application as a problem."""
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(VerkehrspulsError, own)


def unexpected(request: Request, error: Exception) -> Response:
    """Answer an unexpected error: of the database, or of the program."""
    cause = explained(error)
    if isinstance(cause, Unavailable):
        return own(request, cause)
    return respond(request, 500, code="internal", detail=MEANINGS["internal"])


def failed(request: Request, error: Exception) -> Response:
    """Log an unexpected error, and answer it."""
    log.error(
        "failed", exc_info=error, extra={"trace_id": request.scope.get("trace_id")}
    )
    return unexpected(request, error)


def respond(
    request: Request,
    status: int,
    *,
    code: str,
    detail: str,
    errors: Sequence[Invalid] | None = None,
    items: Sequence[ItemOutcome] | None = None,
    changes: Sequence[CaseEvent] = (),
    retry_s: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Render a problem; as a page, if there is one, at addresses for people.

    `app.state.problem_page(request, problem)` renders pages, for addresses outside of
    the API.
    """
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        retry_s = RETRY_S
    problem = Problem(
        type=REFERENCE + code,
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        trace_id=request.scope.get("trace_id", ""),
        retry_s=retry_s,
        errors=list(errors) if errors else None,
        items=list(items) if items else None,
        changes=[Change(**asdict(one)) for one in changes] or None,
    )
    headers = dict(headers or {})
    if retry_s is not None:
        headers["Retry-After"] = str(retry_s)
    page: Callable[[Request, Problem], Response] | None = getattr(
        request.app.state, "problem_page", None
    )
    if page and is_for_people(request.url.path):
        response = page(request, problem)
        response.headers.update(headers)
        return response
    return JSONResponse(
        problem.model_dump(mode="json", exclude_none=True),
        status_code=status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def is_for_people(path: str) -> bool:
    """Return whether an address is that of a page, not of the API or an operator."""
    return not path.startswith(("/api/", "/metrics", "/healthz", "/readyz"))


def of_http(request: Request, error: Exception) -> Response:
    """Answer an error of the framework."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    code = {404: "not-found", 405: "method-not-allowed", 413: "too-many"}.get(
        error.status_code, "invalid" if error.status_code < 500 else "internal"
    )
    detail = error.detail if code == "too-many" else MEANINGS[code]
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
    return respond(
        request, error.status_code, code=code, detail=detail, headers=headers
    )


def _allowed(request: Request) -> list[str]:
    """Return the methods of an address, over all its routes."""
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


#: What patterns of parameters mean.
_PATTERNS: Final = {
    KEY: "It must have 1 to 64 lower-case letters, digits and hyphens",
    DIRECTION: "It must have at most 64 lower-case letters, digits and hyphens",
}


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    return respond(
        request,
        422,
        code="invalid",
        detail="A part of the request is wrong: `errors` says which and why.",
        errors=[
            Invalid(
                pointer="#/" + "/".join(_escaped(part) for part in e["loc"]),
                detail=_PATTERNS.get(
                    e.get("ctx", {}).get("pattern"),
                    e["msg"].removeprefix("Value error, "),
                ),
            )
            for e in error.errors()[:MAX_ERRORS]
        ],
    )


def own(request: Request, error: Exception) -> Response:
    """Answer an error of ours."""
    assert isinstance(error, VerkehrspulsError)  # noqa: S101 - registered for it
    status, code, detail = error.http_status, error.code, str(error)
    if isinstance(error, UnknownKey) and (moved := _moved(request, error)):
        return RedirectResponse(moved, 301, {"Cache-Control": "no-cache"})
    if isinstance(error, UnknownKey):
        near = _meant(request, error)
        hint = f"; did you mean {near}?" if near else "."
        detail = f"There is no {error.kind} {error.key}{hint}"
    elif status not in _CLIENT_STATUSES:
        log.warning(
            "unavailable" if status == 503 else "failed",
            extra={"reason": detail, "trace_id": request.scope.get("trace_id")},
        )
        code = code if code in MEANINGS else "internal"
        detail = MEANINGS[code]
    return respond(
        request,
        status,
        code=code,
        detail=detail,
        errors=list(_invalid(error)),
        changes=error.changes if isinstance(error, CaseChanged) else (),
        retry_s=getattr(error, "retry_s", None),
        headers=dict(_headers(error)),
    )


def _invalid(error: VerkehrspulsError) -> Iterator[Invalid]:
    """Say which part of the request is wrong, if one is."""
    if isinstance(error, Unreadable):
        yield Invalid(pointer=error.pointer, detail=error.detail)
    if isinstance(error, Faulty):
        for fault in error.faults[:MAX_ERRORS]:
            yield Invalid(
                pointer="#/" + "/".join(map(_escaped, (*fault.entry, fault.field))),
                detail=fault.in_language("en"),
            )
    if isinstance(error, FaultyFile):
        for problem in error.problems[:MAX_PROBLEMS]:
            place = problem.place.in_language("en") + ": " if problem.place else ""
            yield Invalid(
                pointer="#/body"
                + "".join(f"/{_escaped(str(p))}" for p in problem.path),
                detail=f"{place}{problem.phrase.in_language('en')}",
            )
    if isinstance(error, BadParameter):
        pointer = f"#/query/{_escaped(error.parameter)}"
        invalid = Invalid(pointer=pointer, detail=str(error))
        if isinstance(error, NotTaken):
            invalid.made_of(error.text, error.values)
        yield invalid


def _headers(error: VerkehrspulsError) -> Iterator[tuple[str, str]]:
    if isinstance(error, NotAuthorised):
        yield "WWW-Authenticate", f"Bearer {_REALM}"
    if isinstance(error, ScopeTooSmall):
        yield (
            "WWW-Authenticate",
            f'Bearer {_REALM}, error="insufficient_scope", scope="{error.permission}"',
        )


def _meant(request: Request, error: UnknownKey) -> str:
    """Return the nearest key that the viewer may see; pages do not show it."""
    if is_for_people(request.url.path):
        return ""
    try:
        with seen_by(request).connection() as connection:
            return known.meant(connection, error)
    except Unavailable:
        return ""


def _moved(request: Request, error: UnknownKey) -> str:
    """Return the address of a site that had this key before; empty for none."""
    town, _, site = str(error.key).partition("/")
    path, place = f"{request.url.path}/", f"/{town}/{site}/"
    if error.kind != "site" or request.method != "GET" or place not in path:
        return ""
    try:
        with seen_by(request).connection() as connection:
            key = moves.led_to(connection, town, site)
    except Unavailable:
        return ""
    if key is None:
        return ""
    moved = path.replace(place, f"/{town}/{key}/", 1)
    return str(request.url.replace(path=moved[:-1]))


_REALM: Final = 'realm="verkehrspuls"'
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: Statuses of errors whose message is for the client.
_CLIENT_STATUSES: Final = frozenset({401, 403, 406, 409, 412, 413, 415, 422, 429})


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
