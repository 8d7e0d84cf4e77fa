"""No body is read beyond its limit: by its `Content-Length`, else as it comes.

FastAPI's `max_body_size` does the same but answers in plain text, outside of `Guard`.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems

#: of a body, where its address has no limit of its own; the longest comment needs less
MOST_BYTES: Final = 131_072
#: no route reads a body of these; the others may first ask for a token
_BODILESS: Final = ("GET", "HEAD", "OPTIONS")


class BodyLimit:
    """Refuses bodies that are too large; `larger` are limits by path."""

    def __init__(self, app: ASGIApp, *, larger: Mapping[str, int]) -> None:
        self.app = app
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with a body that ends at the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        most = self.larger.get(scope["path"], MOST_BYTES)
        refused = HTTPException(413, f"More than {most} bytes in one request.")
        declared = request.headers.get("content-length", "")
        size = int(declared[:20]) if declared.isdecimal() else 0
        if size > most and scope["method"] in _BODILESS:
            await problems.of_http(request, refused)(scope, receive, send)
            return
        if size <= most:
            size = 0

        async def counted() -> Message:
            nonlocal size
            if size > most:
                raise refused
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise refused
            return message

        await self.app(scope, counted, send)
