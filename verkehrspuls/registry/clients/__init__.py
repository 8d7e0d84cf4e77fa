"""Configuration of clients, filled in with a credential: a template each, by its name.

`$name` stands for a value of `values`. A line that begins with `%tls ` is there only
with TLS, one with `%plain ` only without.
"""

import base64
import json
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from verkehrspuls.errors import UsageError
from verkehrspuls.files import read_text
from verkehrspuls.registry.credentials import Issued
from verkehrspuls.settings import Broker
from verkehrspuls.wire import topic
from verkehrspuls.wording import choice

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


class Client(NamedTuple):
    """A client of which there is a template."""

    name: str
    file: str
    text: str


def every() -> dict[str, Client]:
    """Return the clients by name: that of the file without its ending."""
    return {
        Path(file.name).stem: Client(
            Path(file.name).stem, file.name, file.read_text("utf-8")
        )
        for file in sorted(resources.files(__name__).iterdir(), key=lambda f: f.name)
        if not file.name.startswith("_") and file.is_file()
    }


def require(name: str) -> Client:
    """Return a client; raise `UsageError` if there is no template of that name."""
    known = every()
    if name not in known:
        raise UsageError(reason=f"there is no client {name}; {choice(name, known)}")
    return known[name]


def filled(name: str, issued: Issued, settings: Broker) -> str:
    """Return the configuration of a client with the values of a credential."""
    tls = urlsplit(settings.known_url).scheme == "mqtts"
    lines = []
    for line in require(name).text.splitlines(keepends=True):
        mark, blank, rest = line.partition(" ")
        if blank and mark in ("%tls", "%plain"):
            if (mark == "%tls") != tls:
                continue
            line = rest
        lines.append(line)
    return Template("".join(lines)).substitute(values(issued, settings))


def values(issued: Issued, settings: Broker) -> dict[str, str]:
    """Return what stands for the places of a template."""
    url = urlsplit(settings.known_url)
    host, _, port = settings.address.partition(":")
    municipality, _, sensor = issued.user.partition("/")
    sensor = sensor.partition("/")[0]
    authority = (
        read_text(settings.ca_file, format="a certificate").strip()
        if settings.ca_file
        else ""
    )
    own = f"{municipality}/{sensor}" if sensor else municipality
    return {
        "user": issued.user,
        "password": issued.password,
        "host": host or url.hostname or "",
        "port": port or str(url.port or _PORTS.get(url.scheme, 1883)),
        "name": own.replace("/", "-"),
        "counts": topic(municipality, sensor, "counts"),
        "status": topic(municipality, sensor, "status"),
        "authority": authority,
        "authority_indented": authority.replace("\n", "\n    "),
        "authority_commented": authority.replace("\n", "\n# "),
        "authority_json": json.dumps(f"{authority}\n"),
        "authority_base64": base64.b64encode(f"{authority}\n".encode()).decode(),
    }
