"""Conditional requests: `ETag`, `If-None-Match`, 304.

Each successful response to GET gets a tag, unless it has one already or must not be
stored: a hash of its content, so that all processes and machines return the same. It is
weak, because the same response may be compressed in several ways.
"""

import hashlib
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.negotiation import holds

#: Headers omitted from a 304: they describe the body.
_OF_BODY: Final = ("content-length", "content-type", "content-disposition")


def tag(*parts: bytes) -> str:
    """Return a tag for the content of a response, or for its inputs."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return f'W/"{digest.hexdigest()[:32]}"'


class Conditional:
    """Middleware that tags responses, and answers 304 to clients with the same tag."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and omit the body of an unchanged response."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        held = Headers(scope=scope).getlist("if-none-match")
        start: Message | None = None

        async def complete(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if message["status"] != HTTPStatus.OK:
                    await send(message)
                else:
                    # held back until the body is known, which determines the tag
                    start = message
                return
            if start is None:
                await send(message)
                return
            first, start = start, None
            headers = MutableHeaders(scope=first)
            whole = not message.get("more_body", False)
            storable = "no-store" not in headers.get("cache-control", "")
            if "etag" not in headers and whole and storable:
                headers["ETag"] = tag(message.get("body", b""))
            if whole and holds(held, headers.get("etag", "")):
                first["status"] = HTTPStatus.NOT_MODIFIED
                for name in _OF_BODY:
                    del headers[name]
                message = {**message, "body": b""}
            await send(first)
            await send(message)

        await self.app(scope, receive, complete)
