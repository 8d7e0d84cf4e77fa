"""Connections of clients who take their time, and of those who never end.

uvicorn waits for a request for ever, and asyncio logs each connection that there is no
file handle for. Here a client has `request_s` to send a request with all of its body,
and as long again for each UNSENT_BYTES of the answer. Where there is no room for a new
connection, the one that has been waited for longest is dropped for it: a flood of
unfinished requests, or of answers that nobody takes, takes nobody's turn, and
`/healthz` answers throughout. There is no limit by address, since behind a proxy all
come from one.
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

#: bytes of a request's line and headers
MOST_HEAD_BYTES: Final = 32_768
#: connections that are accepted at once; asyncio tries as often without a file handle
BACKLOG: Final = 128
#: file handles for all but connections: database, logs, what is read
RESERVED_FILES: Final = 150
FEWEST_CONNECTIONS: Final = 16
#: of an answer that wait in a buffer, at most twice; asyncio has the same bound
UNSENT_BYTES: Final = 65_536
#: as many file handles are enough for anybody
MOST_FILES: Final = 65_536
#: there is a line in the log at most as often, with a count
LOG_S: Final = 60.0
_NO_FILES: Final = "socket.accept() out of system resource"


class Connections:
    """The connections of a server: how many, and for whom it waits how long."""

    def __init__(self, *, most: int, request_s: float) -> None:
        self.most = min(most, max(FEWEST_CONNECTIONS, _files() - RESERVED_FILES))
        self.request_s = request_s
        self._all: set[Connection] = set()
        #: those whose request has not arrived as a whole, the longest waiting first
        self._awaited: dict[Connection, float] = {}
        #: those who have to take more of their answer before there is room for the rest
        self._untaken: dict[Connection, float] = {}
        self._dropped = 0
        self._logged_at = -LOG_S

    def opened(self, connection: "Connection") -> None:
        """Take a new connection; where there are too many, another has to go."""
        self._all.add(connection)
        self.awaits(connection)
        if len(self._all) > self.most:
            self._make_room(1, "too many connections")

    def closed(self, connection: "Connection") -> None:
        """Forget a connection."""
        self._all.discard(connection)
        self._awaited.pop(connection, None)
        self._untaken.pop(connection, None)

    def awaits(self, connection: "Connection") -> None:
        """Wait for a request from now on."""
        self.arrived(connection)
        self._awaited[connection] = time.monotonic()

    def arrived(self, connection: "Connection") -> None:
        """Wait no longer: the request is there."""
        self._awaited.pop(connection, None)

    def full(self, connection: "Connection") -> None:
        """Wait until more of an answer is taken."""
        self._untaken[connection] = time.monotonic()

    def taken(self, connection: "Connection") -> None:
        """Wait no longer for that; what is left of the answer has its time again."""
        self._untaken.pop(connection, None)
        if connection in self._awaited:
            self.awaits(connection)

    def sweep(self) -> None:
        """Drop the connections whose time is over."""
        latest = time.monotonic() - self.request_s
        for connection, since in self._waiting().items():
            if since < latest:
                self._drop(connection)

    def _waiting(self) -> dict["Connection", float]:
        """Give who is waited for, and since when; first an answer is to be taken."""
        return self._awaited | self._untaken

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle what asyncio could not: connections without a file handle, quietly."""
        if "_start_serving" in str(context.get("handle")):
            return  # to accept again was planned, and the server stopped meanwhile
        if context.get("message") != _NO_FILES:
            loop.default_exception_handler(context)
            return
        self._make_room(max(1, len(self._waiting()) // 4), "out of file handles")

    def _make_room(self, number: int, event: str) -> None:
        waiting = self._waiting()
        for connection in heapq.nsmallest(number, waiting, key=waiting.__getitem__):
            self._drop(connection)
        self._say(event)

    def _drop(self, connection: "Connection") -> None:
        self._dropped += 1
        self.closed(connection)
        connection.transport.abort()

    def _say(self, event: str) -> None:
        now = time.monotonic()
        if now - self._logged_at < LOG_S:
            return
        self._logged_at = now
        log.warning(event, extra={"open": len(self._all), "dropped": self._dropped})
        self._dropped = 0


class Connection(H11Protocol):
    """uvicorn's connection, which tells `watch` what it waits for."""

    def __init__(self, *args: Any, watch: Connections, **named: Any) -> None:
        super().__init__(*args, **named)
        self._watch = watch
        # what is wrong with a request is told to its sender, not to the log
        self.logger = _errors_only

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it."""
        super().connection_made(transport)
        self._watch.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
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
        """Let the rest of an answer wait: more than UNSENT_BYTES are not taken yet."""
        super().pause_writing()
        self._watch.full(self)

    def resume_writing(self) -> None:
        """Let the rest follow: most of that was taken."""
        super().resume_writing()
        self._watch.taken(self)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request as a problem, and close."""
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
        """Ignore an upgrade, as HTTP allows, without a word."""


_errors_only: Final = logging.getLogger(f"{__name__}.errors")
_errors_only.setLevel(logging.ERROR)


def raise_file_limit() -> None:
    """Allow this process the file handles that it may allow itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if _files() < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft
