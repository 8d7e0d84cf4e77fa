"""The outermost layer: it adds headers to every response and handles any exception.

The `Host` of a request is untrusted and is dropped here.
"""

import logging
import re
import secrets
import time
from collections.abc import Iterator
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.database import asked, spent_ms
from verkehrspuls.metrics import Metrics

log = logging.getLogger(__name__)

#: Plotly writes style rules and draws images from blobs; everything else comes from
#: this server.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
    "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # engineers register a site where they stand
    "Permissions-Policy": "camera=(), geolocation=(self), microphone=(), payment=(), "
    "usb=(), interest-cohort=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Bytes of a body passed on at once: the rest is not copied into the buffer of a slow
#: client's connection.
PIECE_BYTES: Final = 65_536
#: the token of a one-time link, which serves to log in
_LINK: Final = re.compile(r"(?<=/link/)[^/]+")
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Guard:
    """The outermost layer around the application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and complete its response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        scope["trace_id"] = _trace_id(request.headers.get("traceparent", ""))
        # the Host header must not be repeated: addresses made from the request are
        # relative
        scope["same_origin"] = _is_same_origin(request.headers)
        scope["server"] = None
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"host"]
        method = scope["method"]
        if method == "HEAD":
            # answered like GET, without the body
            scope["method"] = "GET"
        began = time.perf_counter()
        spent: dict[str, float] = {}
        token = spent_ms.set(spent)
        asked.set(scope)
        status = 0

        async def complete(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
                if scope["scheme"] == "https":
                    headers["Strict-Transport-Security"] = "max-age=31536000"
                spent["total"] = (time.perf_counter() - began) * 1000
                headers["Server-Timing"] = ", ".join(
                    f"{name};dur={ms:.1f}" for name, ms in spent.items()
                )
            elif method == "HEAD":
                message = {**message, "body": b""}
            for piece in _pieces(message):
                await send(piece)

        try:
            await self.app(scope, receive, complete)
        except Exception as error:
            answer = problems.failed(request, error)
            if status:
                raise
            await answer(scope, receive, complete)
        finally:
            spent_ms.reset(token)
            route = getattr(scope.get("route"), "path", "unmatched")
            seconds = time.perf_counter() - began
            self.metrics.observe_request(method, route, status, seconds)
            log.debug(
                "request",
                extra={
                    "method": method,
                    "path": _LINK.sub("…", scope["path"]),
                    "status": status,
                    "ms": round(seconds * 1000, 1),
                    "trace_id": scope["trace_id"],
                },
            )


def _pieces(message: Message) -> Iterator[Message]:
    """Split a body without copying it."""
    rest = memoryview(message.get("body", b""))
    while len(rest) > PIECE_BYTES:
        piece, rest = rest[:PIECE_BYTES], rest[PIECE_BYTES:]
        yield {"type": message["type"], "body": bytes(piece), "more_body": True}
    yield {**message, "body": bytes(rest)} if "body" in message else message


def _is_same_origin(headers: Headers) -> bool:
    """Return whether a request comes from a page of this server, or from no page.

    All browsers of today say so over HTTPS and on the same machine; older ones, and
    those that use plain HTTP, name the origin of what a form sends.
    """
    if site := headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _trace_id(traceparent: str) -> str:
    """Return the caller's trace id (W3C Trace Context), or a new one."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found[1] if found else secrets.token_hex(16)
