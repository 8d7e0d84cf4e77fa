"""Limit the size of request bodies: by `Content-Length`, else while reading.

FastAPI's `max_body_size` does the same but answers in plain text, outside of `Guard`.
"""

import re
from collections.abc import Mapping
from typing import Final

from fastapi import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems

#: limit of addresses without their own; the longest comment needs less
MAX_BODY_BYTES: Final = 131_072
#: methods without a body; the others may first require a token
_BODILESS: Final = ("GET", "HEAD", "OPTIONS")


class BodyLimit:
    """Refuses bodies that are too large; `larger` are limits by patterns of paths."""

    def __init__(self, app: ASGIApp, *, larger: Mapping[str, int]) -> None:
        self.app = app
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and stop reading its body at the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, at = Request(scope), scope["path"]
        most = next(
            (most for path, most in self.larger.items() if re.fullmatch(path, at)),
            MAX_BODY_BYTES,
        )
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
