"""Routes of `/api/v1` by which engineers register and look after sensors."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from api import PREFIX, authorised
from api.problems import READ_RESPONSES, responses


def version_in(if_match: str | None) -> str | None:
    """Return the version that `If-Match` names."""
    return if_match.strip().removeprefix("W/").strip('"') if if_match else None


class Router(APIRouter):
    """Routes that all take a token with the permission `register`."""

    def __init__(self, prefix: str) -> None:
        super().__init__(
            prefix=f"{PREFIX}{prefix}",
            tags=["registration"],
            route_class=authorised.Route,
            responses=READ_RESPONSES | responses(403),
        )

    def add_api_route(
        self, path: str, endpoint: Callable[..., Any], **more: Any
    ) -> None:
        """Add a route that says which permission it needs."""
        extra = more.pop("openapi_extra", None) or {}
        more["openapi_extra"] = authorised.needs("register") | extra
        super().add_api_route(path, endpoint, **more)
