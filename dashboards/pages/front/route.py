"""The address without a language, and what browsers load besides pages."""

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from dashboards.assets import Assets
from dashboards.render import page_router, preferred

router = page_router()


@router.get("/")
def root(request: Request) -> Response:
    """Redirect to the overview in the reader's language."""
    return RedirectResponse(
        f"/{preferred(request)}/", status_code=302, headers={"Vary": "Accept-Language"}
    )


@router.get("/assets/{name}")
def asset(request: Request) -> Response:
    """Serve a style sheet or script, cached without expiry."""
    assets: Assets = request.app.state.assets
    found = assets.respond(request)
    if found is None:
        raise HTTPException(404)
    return found


@router.get("/favicon.ico")
def icon(request: Request) -> Response:
    """Serve the icon to browsers that request it by default."""
    return RedirectResponse(request.app.state.assets.addresses["icon.svg"], 308)
