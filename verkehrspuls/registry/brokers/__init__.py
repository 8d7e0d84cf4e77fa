"""Brokers at which sensors have credentials: one file each, found by its name.

The setting `broker.admin_url` names the file before a plus sign, and then where and how
the broker is administrated: `mosquitto+mqtts://admin:password@broker:8884`.
"""

import re
from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Final, NamedTuple, Protocol, Self

from verkehrspuls.errors import UsageError
from verkehrspuls.text import mark
from verkehrspuls.wire import PREFIX
from verkehrspuls.wording import choice

_MAX_FILTER_BYTES: Final = 1024
_MAX_LEVELS: Final = 200


class Login(NamedTuple):
    """Who may log in at a broker, and publish under which topic filters."""

    user: str
    #: number of the credential, which tells earlier ones of the same user apart
    credential: int
    topics: tuple[str, ...]


class Put(NamedTuple):
    """A login that is to be at the broker."""

    login: Login
    #: of a new one
    password: str | None
    #: None: it was not made by us
    hash: str | None


class State(NamedTuple):
    """What a broker has of ours."""

    logins: dict[str, Login]
    #: filters beside the native topics that ingest reads and the web server publishes
    foreign: frozenset[str]
    #: logins that are not ours, with what they may publish, and after $ what else
    others: dict[str, tuple[str, ...]]


class Broker(Protocol):
    """A broker, for whoever administrates it; each file has it as `Broker`."""

    def __init__(self, url: str, *, ca_file: Path | None = None) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    @staticmethod
    def hash_of(password: str) -> str:
        """Return what the broker stores of a password."""

    def state(self) -> State:
        """Read what it has; raise `BrokerUnavailable` if it does not answer."""

    def change(
        self, put: Sequence[Put], remove: Sequence[str], foreign: Collection[str]
    ) -> list[str]:
        """Change it; return users that were not put, because the password is needed.

        When this returns, the broker acts accordingly, and still does when it is killed
        and started again. Connections of removed users are closed.
        """

    def adopt(self, logins: Sequence[Login]) -> None:
        """Take others for ours, which keep their passwords."""


def administrated(url: str, *, ca_file: Path | None = None) -> Broker:
    """Return the broker that `broker.admin_url` names, not yet connected."""
    name, plus, where = url.partition("+")
    known = [module.name for module in iter_modules(__path__)]
    if not plus or name not in known:
        raise UsageError(
            reason="broker.admin_url begins with a broker's name and a plus sign, such "
            f"as mosquitto+mqtts://; {choice(name, known)}"
        )
    found: Broker = import_module(f"{__name__}.{name}").Broker(where, ca_file=ca_file)
    return found


def native(municipality: str, sensor: str) -> str:
    """Return the filter of a sensor's native topics."""
    return f"{PREFIX}/{municipality}/{sensor}/+"


def wrong_with(topic_filter: str) -> str:
    """Return what is wrong with a filter of foreign topics; empty: nothing."""
    levels = topic_filter.split("/")
    if (
        not topic_filter
        or len(topic_filter.encode()) > _MAX_FILTER_BYTES
        or len(levels) > _MAX_LEVELS
    ):
        return mark("is empty or too long")
    if topic_filter != topic_filter.strip() or not topic_filter.isprintable():
        return mark("has blanks at an end, or characters that cannot be printed")
    if any(re.search("[+#]", level) and len(level) > 1 for level in levels):
        return mark("has + or # beside other characters of a level")
    if "#" in levels[:-1]:
        return mark("has # before its end")
    if re.search("[*>]|%[cu]", topic_filter):
        return mark("has *, >, %c or %u, which are wildcards at some brokers")
    if topic_filter.startswith("$"):
        return mark("begins with $, which is the broker's own")
    if overlap(topic_filter, f"{PREFIX}/#"):
        return mark(
            "includes vp/v1, where each sensor publishes only under its own name"
        )
    return ""


def overlap(one: str, other: str) -> bool:
    """Return whether two topic filters have a topic in common."""
    left, right = one.split("/"), other.split("/")
    for a, b in zip(left, right, strict=False):
        if "#" in (a, b):
            return True
        if a != b and "+" not in (a, b):
            return False
    # `a/#` includes `a`
    shorter, longer = sorted((left, right), key=len)
    return longer[len(shorter) :] in ([], ["#"])
