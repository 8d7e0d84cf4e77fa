"""Timeouts of slow and endless connections.

uvicorn waits for a request forever, and asyncio logs each connection without a free
file handle. Here a client has `request_s` to send a request with its whole body, and as
long again for each UNSENT_BYTES of the response. When there is no room for a new
connection, the one that has been waited for longest is dropped: so a flood of
unfinished requests, or of responses that nobody reads, blocks nobody, and `/healthz`
answers throughout. There is no limit by address, because behind a proxy all connections
have the same one.
"""

import asyncio
import heapq
import json
import logging
import resource
import sys
import time
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.problems import MEANINGS, MEDIA_TYPE, REFERENCE

log = logging.getLogger(__name__)

#: maximum bytes of a request's line and headers
MAX_HEAD_BYTES: Final = 32_768
#: connections accepted at once; asyncio retries as often without a file handle
BACKLOG: Final = 128
#: file handles for everything else: database, logs, files
RESERVED_FILES: Final = 150
MIN_CONNECTIONS: Final = 16
#: bytes of a response in a buffer, at most twice; asyncio has the same bound
UNSENT_BYTES: Final = 65_536
#: sufficient for any server
MAX_FILES: Final = 65_536
#: minimum interval of log entries, which have a count
LOG_S: Final = 60.0
_NO_FILES: Final = "socket.accept() out of system resource"


class Connections:
    """The connections of a server, and how long each has been waited for."""

    def __init__(self, *, most: int, request_s: float) -> None:
        self.most = min(most, max(MIN_CONNECTIONS, _files() - RESERVED_FILES))
        self.request_s = request_s
        self._all: set[Connection] = set()
        #: connections without a complete request, the longest waiting first
        self._awaited: dict[Connection, float] = {}
        #: connections whose client must read more before the rest can be sent
        self._untaken: dict[Connection, float] = {}
        self._dropped = 0
        self._logged_at = -LOG_S

    def opened(self, connection: "Connection") -> None:
        """Add a new connection; drop another one if there are too many."""
        self._all.add(connection)
        self.awaits(connection)
        if len(self._all) > self.most:
            self._make_room(1, "too many connections")

    def closed(self, connection: "Connection") -> None:
        """Remove a connection."""
        self._all.discard(connection)
        self._awaited.pop(connection, None)
        self._untaken.pop(connection, None)

    def awaits(self, connection: "Connection") -> None:
        """Start to wait for a request."""
        self.arrived(connection)
        self._awaited[connection] = time.monotonic()

    def arrived(self, connection: "Connection") -> None:
        """Stop waiting: the request is complete."""
        self._awaited.pop(connection, None)

    def full(self, connection: "Connection") -> None:
        """Start to wait until the client reads more."""
        self._untaken[connection] = time.monotonic()

    def taken(self, connection: "Connection") -> None:
        """Stop waiting for that; the rest of the response has a new timeout."""
        self._untaken.pop(connection, None)
        if connection in self._awaited:
            self.awaits(connection)

    def sweep(self) -> None:
        """Drop the connections that have timed out."""
        latest = time.monotonic() - self.request_s
        for connection, since in self._waiting().items():
            if since < latest:
                self._drop(connection)

    def _waiting(self) -> dict["Connection", float]:
        """Yield awaited connections and since when, unread responses first."""
        return self._awaited | self._untaken

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle errors that asyncio could not: log missing file handles rarely."""
        if "_start_serving" in str(context.get("handle")):
            return  # a retry was scheduled, and the server has stopped
        if context.get("message") != _NO_FILES:
            loop.default_exception_handler(context)
            return
        self._make_room(max(1, len(self._waiting()) // 4), "out of file handles")

    def _make_room(self, number: int, event: str) -> None:
        waiting = self._waiting()
        for connection in heapq.nsmallest(number, waiting, key=waiting.__getitem__):
            self._drop(connection)
        self._log(event)

    def _drop(self, connection: "Connection") -> None:
        self._dropped += 1
        self.closed(connection)
        connection.transport.abort()

    def _log(self, event: str) -> None:
        now = time.monotonic()
        if now - self._logged_at < LOG_S:
            return
        self._logged_at = now
        log.warning(event, extra={"open": len(self._all), "dropped": self._dropped})
        self._dropped = 0


class Connection(H11Protocol):
    """uvicorn's connection, which reports to `watch` what it waits for."""

    def __init__(self, *args: Any, watch: Connections, **named: Any) -> None:
        super().__init__(*args, **named)
        self._watch = watch
        # errors of a request are reported to its sender, not to the log
        self.logger = _errors_only

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count the connection."""
        super().connection_made(transport)
        self._watch.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._watch.closed(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Stop waiting once the request is there."""
        super().handle_events()
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._watch.arrived(self)

    def on_response_complete(self) -> None:
        """Wait for the next request, unless this one's body still comes."""
        if self.conn.their_state is not h11.SEND_BODY:
            self._watch.awaits(self)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Hold back the rest of a response: more than UNSENT_BYTES are unread."""
        super().pause_writing()
        self._watch.full(self)

    def resume_writing(self) -> None:
        """Send the rest: the client has read most of it."""
        super().resume_writing()
        self._watch.taken(self)

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request with a problem, and close."""
        error = sys.exception()
        status = HTTPStatus(getattr(error, "error_status_hint", 400))
        body = json.dumps(
            {
                "type": f"{REFERENCE}not-http",
                "title": status.phrase,
                "status": status,
                "detail": MEANINGS["not-http"],
            }
        ).encode()
        headers = [
            ("content-type", MEDIA_TYPE),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        response = h11.Response(status_code=status, headers=headers)
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Ignore an upgrade silently, as HTTP allows."""


_errors_only: Final = logging.getLogger(f"{__name__}.errors")
_errors_only.setLevel(logging.ERROR)


def raise_file_limit() -> None:
    """Raise the limit of file handles as far as the system permits."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if _files() < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_FILES if soft == resource.RLIM_INFINITY else soft
