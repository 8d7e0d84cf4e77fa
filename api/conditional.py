"""Answers that need not be sent again: `ETag`, `If-None-Match`, 304.

Each good answer to GET gets a tag, unless it has one already or may not be stored: a
hash of what it says, so that all processes and machines give the same. It is weak, for
the same answer may be compressed in several ways.
"""

import hashlib
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.negotiation import holds

#: Headers of an answer that a 304 has none of: they are about what it does not send.
_OF_BODY: Final = ("content-length", "content-type", "content-disposition")


def tag(*parts: bytes) -> str:
    """Make a tag of what an answer says, or of what it is made of."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return f'W/"{digest.hexdigest()[:32]}"'


class Conditional:
    """The layer that tags answers, and tells who holds one that it is still so."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and perhaps leave out the body of its answer."""
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
                    # kept until the body is there, which the tag is made of
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
