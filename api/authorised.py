"""Authorisation of a request: the token in its `Authorization` header.

The OpenAPI description of a route names the permission that the token must have; the
token is checked before anything else of the request is read. Other routes of the API
show what the token's `view` permits. Pages take no token.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from api.database import Database
from api.errors import NotAuthorised, ScopeTooSmall
from verkehrspuls.access import tokens
from verkehrspuls.access.permissions import PERMISSIONS
from verkehrspuls.access.viewer import ANONYMOUS

_BEARER: Final = "bearer"


def needs(permission: str) -> dict[str, Any]:
    """Describe, for `openapi_extra`, that a token with this permission is required."""
    return {"security": [{"token": [permission]}]}


class Route(APIRoute):
    """A route that authorises the request first."""

    def get_route_handler(
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Check the token before parameters and body are read."""
        handle = super().get_route_handler()
        security = (self.openapi_extra or {}).get("security")
        if not security:
            return handle
        (permission,) = security[0]["token"]

        async def asked(request: Request) -> Response:
            request.state.bearer = await run_in_threadpool(_find, request, permission)
            return await handle(request)

        return asked


def bearer(request: Request) -> tokens.Bearer:
    """Return whose token the request has, on a route that requires one."""
    return cast("tokens.Bearer", request.state.bearer)


def recognise(request: Request, permission: str = "view") -> None:
    """Find whose token a request shows, if it shows one and none was found yet."""
    if shows_token(request) and not hasattr(request.state, "bearer"):
        request.state.bearer = _find(request, permission)


def shows_token(request: Request) -> bool:
    """Return whether a request shows a token, valid or not.

    A proxy may pass on credentials of its own, of another scheme.
    """
    return _scheme_and_token(request)[0] == _BEARER


def _find(request: Request, permission: str) -> tokens.Bearer:
    """Find whose token it is, and use it for a permission, which it must have."""
    scheme, token = _scheme_and_token(request)
    store = cast("Database", request.app.state.database)
    viewer = tokens.viewer_of(token)
    if scheme != _BEARER or viewer == ANONYMOUS:
        raise NotAuthorised
    with store.connection(viewer) as connection:
        found = tokens.find(connection, token, permission=permission)
    if found is None:
        raise NotAuthorised
    if permission != "readings":
        # what is sent is counted by message
        who = f"token {found.api_token_id}"
        request.app.state.pace.count(request.scope, "account", who)
    if permission != "view" and permission not in found.permissions:
        raise ScopeTooSmall(
            permission=permission,
            allows=PERMISSIONS[permission].allows,
            where=found.municipality or "the whole installation",
        )
    if found.is_due:
        with store.writing(viewer) as connection:
            tokens.note_use(connection)
    return found


def _scheme_and_token(request: Request) -> tuple[str, str]:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return scheme.lower(), token.strip()
