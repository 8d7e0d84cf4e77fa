"""The session of a request: who is logged in, by the cookie of the browser.

`Sessions` finds it before anything else is done; `begin` and `end` change the cookie.
Requests without a cookie cost nothing more, and get none.
"""

import logging
import time
from ipaddress import ip_address
from typing import Final

import psycopg
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import authorised, problems
from api.database import RETRY_PAUSE_S, Database
from api.errors import NeedsHttps, OtherSite, TooFast
from api.viewer import Visit, visit_of
from verkehrspuls.access import sessions
from verkehrspuls.access.sessions import Origin
from verkehrspuls.access.viewer import ANONYMOUS, Viewer
from verkehrspuls.errors import Unavailable
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import Transaction

log = logging.getLogger(__name__)

#: of a cookie that only this host sets, over HTTPS
SECURE_COOKIE: Final = "__Host-session"
#: of the cookie on the own machine, where there is no HTTPS
COOKIE: Final = "session"
#: methods that change nothing
SAFE: Final = ("GET", "HEAD", "OPTIONS")
#: what browsers load besides pages; it is the same for everybody
ASSETS: Final = "/assets/"


class Sessions:
    """Middleware that finds the session of a request, and renews it when it is due."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._failed_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its session; refuse what another site sends."""
        if scope["type"] != "http" or scope["path"].startswith(ASSETS):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        is_page = problems.is_for_people(scope["path"])
        shown = None
        # a token of the API is sent by programs, on purpose, and says alone who asks;
        # credentials of another scheme are sent by browsers, as cookies are
        if is_page or not authorised.shows_token(request):
            cookies = cookie_parser(request.headers.get("cookie", ""))
            shown = cookies.get(cookie_name(request))
        if (
            scope["method"] not in SAFE
            and (shown or is_page)
            and not scope.get("same_origin", True)
        ):
            await problems.own(request, OtherSite())(scope, receive, send)
            return
        found, unsure = None, False
        if shown:
            found, unsure = await run_in_threadpool(self._find, request, shown)
        request.state.visit, request.state.unsure = found, unsure
        begun = False

        async def complete(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Cookie")
                if getattr(request.state, "bearer", None):
                    headers.add_vary_header("Authorization")
                    headers.setdefault("Cache-Control", "private, no-cache")
                if found or unsure:
                    headers["Cache-Control"] = "no-store"
                visit = visit_of(request) if found else None
                if visit and visit.id != shown and "set-cookie" not in headers:
                    renewed = Response()
                    begin(request, renewed, visit.id)
                    headers.append("set-cookie", renewed.headers["set-cookie"])
            await send(message)

        try:
            if found:
                pace = request.app.state.pace
                pace.count(scope, "account", f"{found.session.account_id}")
            await self.app(scope, receive, complete)
        except TooFast as error:
            await problems.own(request, error)(scope, receive, complete)
        except Exception as error:
            if begun or not found:
                raise
            # an error page is of the session as well, and passes its new id on
            await problems.failed(request, error)(scope, receive, complete)

    def _find(self, request: Request, shown: str) -> tuple[Visit | None, bool]:
        """Find a session; the second is true where it cannot be known if there is one.

        Then what is public is shown all the same, and for a moment nobody waits for it.
        """
        if time.monotonic() - self._failed_at < RETRY_PAUSE_S:
            return None, True
        state = request.app.state
        try:
            return _find(state.database, state.settings, shown), False
        except (Unavailable, psycopg.Error) as error:
            self._failed_at = time.monotonic()
            reason = " ".join(str(error).split())
            log.warning("sessions_unknown", extra={"reason": reason})
            return None, True


def transaction_for(request: Request, viewer: Viewer = ANONYMOUS) -> Transaction:
    """Return what lends connections for single transactions of a viewer."""
    database: Database = request.app.state.database
    return lambda: database.writing(viewer)


def origin_of(request: Request) -> Origin:
    """Return where a request came from."""
    address = request.client.host if request.client else ""
    return Origin(address, request.headers.get("user-agent", ""))


def begin(request: Request, response: Response, made: str) -> None:
    """Keep the id of a session in the browser."""
    settings: Settings = request.app.state.settings
    response.set_cookie(
        cookie_name(request),
        made,
        max_age=settings.access.session_h * 3600,
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def take_over(request: Request, made: str) -> Visit:
    """Go on as a session that has just begun, or got this new id."""
    database: Database = request.app.state.database
    with database.connection(sessions.viewer_of(made)) as connection:
        found = sessions.find(connection)
    assert found is not None  # noqa: S101 - it has just begun
    visit = request.state.visit = Visit(made, found)
    return visit


def end(request: Request, response: Response) -> None:
    """Let the browser forget its session."""
    response.delete_cookie(
        cookie_name(request),
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def cookie_name(request: Request) -> str:
    """Return the name of the cookie of sessions."""
    return SECURE_COOKIE if is_secure(request) else COOKIE


def origin_named(request: Request) -> str:
    """Return the origin of the page that a form was sent from, as browsers name it."""
    return request.headers.get("origin", "")


def is_secure(request: Request) -> bool:
    """Return whether browsers reach the pages over HTTPS."""
    settings: Settings = request.app.state.settings
    https = settings.pages.address.startswith("https:")
    return https or request.scope["scheme"] == "https"


def require_secure(request: Request) -> None:
    """Raise `NeedsHttps` unless over HTTPS, or on the server's own machine."""
    try:
        here = ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        # no network: a socket of this machine, or a test
        here = True
    if not here and not is_secure(request):
        raise NeedsHttps


def _find(database: Database, settings: Settings, shown: str) -> Visit | None:
    """Find a session and renew it; None if it has ended."""
    viewer = sessions.viewer_of(shown)
    with database.connection(viewer) as connection:
        found = sessions.find(connection)
    if found is None or not found.is_due:
        return Visit(shown, found) if found else None
    with database.writing(viewer) as connection:
        made = sessions.renew(connection, settings=settings.access) or shown
    with database.connection(sessions.viewer_of(made)) as connection:
        found = sessions.find(connection)
    return Visit(made, found) if found else None
