"""Addresses that pages had before: each leads to the one of now, with its query."""

from collections.abc import Callable
from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from dashboards import addresses
from dashboards.render import page_router

#: Addresses below the language, and what makes those of now from their parts.
MOVED: Final[dict[str, Callable[..., str]]] = {
    "/case/{number:int}": addresses.case,
    "/{municipality}/corridor/{key}": addresses.corridor,
    "/{key}": addresses.town,
    "/{municipality}/{key}": addresses.site,
    "/{municipality}/{key}/table": addresses.rows,
}

router = page_router()


def _leading(address: Callable[..., str]) -> Callable[[Request], Response]:
    def lead(request: Request) -> Response:
        path, query = address(**request.path_params), request.url.query
        return RedirectResponse(f"{path}?{query}" if query else path, 308)

    return lead


for path, address in MOVED.items():
    # a plain route: parameters are for the page that it leads to to judge
    router.add_route("/{language:language}" + path, _leading(address))
