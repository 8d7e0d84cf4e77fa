"""Serve an application until SIGTERM or Ctrl-C."""

import asyncio
import functools
import logging
import os
import signal
import socket
import threading
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from api.connections import (
    BACKLOG,
    MAX_HEAD_BYTES,
    UNSENT_BYTES,
    Connection,
    Connections,
    raise_file_limit,
)
from verkehrspuls import service
from verkehrspuls.errors import Unavailable
from verkehrspuls.settings import Api

log = logging.getLogger(__name__)

#: time for open requests after the signal
REQUEST_GRACE_S: Final = 3
#: time after which the process ends, whatever still runs
MAX_STOP_S: Final = 4.5


class AddressTaken(Unavailable):
    """{host}:{port} cannot be listened on: {reason}.

    Choose another port with --port or VERKEHRSPULS_API__PORT.
    """

    code = "address-taken"


class _Server(uvicorn.Server):
    """Prints `ready` when it listens, and ends with exit code 0 on a signal."""

    def __init__(self, config: uvicorn.Config, watch: Connections) -> None:
        super().__init__(config)
        self.watch = watch

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self.watch.handle)
        await super().startup(sockets=sockets)
        if self.started:
            service.ready()

    async def on_tick(self, counter: int) -> bool:
        # ten times a second
        if counter % 5 == 0:
            self.watch.sweep()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would record it and raise the signal again at the end
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        # a query in a thread cannot be cancelled; no data is lost
        last = threading.Timer(MAX_STOP_S, os._exit, args=(0,))
        last.daemon = True
        last.start()


def configured(app: ASGIApp, settings: Api, watch: Connections) -> uvicorn.Config:
    """Configure the server: its bounds, its log, and the trusted proxies."""
    return uvicorn.Config(
        app,
        http=functools.partial(Connection, watch=watch),  # type: ignore[arg-type]  # called as a class is
        ws="none",
        backlog=BACKLOG,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=REQUEST_GRACE_S,
        forwarded_allow_ips=list(settings.trusted_proxies),
    )


def serve(app: ASGIApp, host: str, port: int, settings: Api) -> None:
    """Listen on an address until a signal ends it; port 0 chooses a free one."""
    raise_file_limit()
    watch = Connections(most=settings.connections, request_s=settings.request_s)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # an unknown host has a negative number, which strerror does not know
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror or error
        raise AddressTaken(host=host, port=port, reason=reason) from error
    with listening:
        # inherited by connections: otherwise the kernel buffers megabytes of a
        # response, and a slow client seems to read nothing for minutes
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}"
        log.info("listening", extra={"address": address})
        _Server(configured(app, settings, watch), watch).run(sockets=[listening])
