"""Former addresses of pages: each redirects to the current one, with its query."""

from collections.abc import Callable
from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from dashboards import addresses
from dashboards.render import page_router

#: Former paths below the language, with functions that build the current ones.
REDIRECTS: Final[dict[str, Callable[..., str]]] = {
    "/case/{number:int}": addresses.case,
    "/{municipality}/corridor/{key}": addresses.corridor,
    "/{key}": addresses.town,
    "/{municipality}/{key}": addresses.site,
    "/{municipality}/{key}/table": addresses.rows,
}

router = page_router()


def _redirect_to(address: Callable[..., str]) -> Callable[[Request], Response]:
    def redirect(request: Request) -> Response:
        path, query = address(**request.path_params), request.url.query
        return RedirectResponse(f"{path}?{query}" if query else path, 308)

    return redirect


for path, address in REDIRECTS.items():
    # a plain route: the target page validates the parameters
    router.add_route("/{language:language}" + path, _redirect_to(address))
