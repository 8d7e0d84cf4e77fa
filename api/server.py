"""Serving an application until SIGTERM or Ctrl-C."""

import logging
import os
import signal
import socket
import threading
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from verkehrspuls.errors import Unavailable

log = logging.getLogger(__name__)

#: open requests may take this long after the signal
GRACE_S: Final = 3
#: then the process ends, whatever still runs
END_S: Final = 4.5


class AddressTaken(Unavailable):
    """{host}:{port} cannot be listened on: {reason}.

    Choose another port with VERKEHRSPULS_API__PORT.
    """

    code = "address-taken"


class _Server(uvicorn.Server):
    """Prints `ready` when it listens, and ends with exit code 0 when told to."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            print("ready", flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # not remembered as uvicorn does, which would raise the signal again at the end
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        # a query in a thread cannot be called off; nothing is lost with it
        last = threading.Timer(END_S, os._exit, args=(0,))
        last.daemon = True
        last.start()


def serve(app: ASGIApp, host: str, port: int) -> None:
    """Listen on an address until a signal ends it; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        # a host that is not found has a negative number, which strerror does not know
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror or error
        raise AddressTaken(host=host, port=port, reason=reason) from error
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    with listening:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}"
        log.info("listening", extra={"address": address})
        _Server(config).run(sockets=[listening])
