"""Authorisation of a request: the token in its `Authorization` header.

The OpenAPI description of a route names the token it requires; that token is checked
before anything else of the request is read.
"""

from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from api.database import Database
from api.errors import NotAuthorised
from verkehrspuls.access import tokens


def needs(purpose: tokens.Purpose) -> dict[str, Any]:
    """Describe, for `openapi_extra`, that a token for this purpose is required."""
    return {"security": [{"token": [purpose]}]}


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
        (purpose,) = security[0]["token"]

        async def asked(request: Request) -> Response:
            request.state.bearer = await run_in_threadpool(_find, request, purpose)
            return await handle(request)

        return asked


def bearer(request: Request) -> tokens.Bearer:
    """Return whose token the request has, on a route that requires one."""
    return cast("tokens.Bearer", request.state.bearer)


def _find(request: Request, purpose: tokens.Purpose) -> tokens.Bearer:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    store = cast("Database", request.app.state.database)
    found = None
    if scheme.lower() == "bearer":
        token = token.strip()
        with store.writing(tokens.viewer_of(token)) as connection:
            found = tokens.find(connection, token, purpose=purpose)
    if found is None:
        raise NotAuthorised
    return found
