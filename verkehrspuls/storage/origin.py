"""Who works, and from where: named to the database with each connection.

The audit log takes it from there (`vp.actor`). A command is named by its words, never
by its arguments, which may hold a secret.
"""

import json
import os
import pwd
import socket
from functools import cache
from typing import Final

#: kind and words of what runs here, as `vp.actor` reads them
_process: Final[dict[str, str]] = {"kind": "command"}


def name(command: str) -> None:
    """Name the command that this process runs, such as `site remove`."""
    _process["via"] = command


def serve() -> None:
    """Note that this process serves: what it changes, nobody asked for."""
    _process["kind"] = "system"


def option() -> str:
    """Return the option of a session that names this process, for libpq."""
    said = json.dumps({**_process, "user": _user(), "host": socket.gethostname()})
    return "-c vp.origin=" + said.replace("\\", "\\\\").replace(" ", "\\ ")


@cache
def _user() -> str:
    """Return the account of this process, and for whom `sudo` took it."""
    number = os.getuid()
    try:
        account = pwd.getpwuid(number).pw_name
    except KeyError:  # in a container
        account = str(number)
    behind = os.environ.get("SUDO_USER")
    return f"{account} for {behind}" if behind and number == 0 else account
