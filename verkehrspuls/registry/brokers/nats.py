"""The embedded NATS server, through its configuration and a signal to read it again.

The address is the broker's folder, `nats+file:///…/broker`: it holds the configuration,
the number of the process, and `logins.json` with what is ours, from which each start
writes the configuration anew (see `verkehrspuls.stack.broker`).
"""

import os
import secrets
import signal
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import bcrypt

from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.registry.brokers import Login, Put, State
from verkehrspuls.stack import broker as embedded
from verkehrspuls.stack.process import wait_until

_RELOAD_S: Final = 30.0
#: the least: passwords are random and long, more would only slow connecting down
_ROUNDS: Final = 4


class Broker:
    """The embedded broker, for whoever may write its configuration and signal it."""

    def __init__(self, url: str, *, ca_file: Path | None = None) -> None:
        del ca_file
        self._directory = Path(urlsplit(url).path)

    def __enter__(self) -> Self:
        if embedded.process_of(self._directory) is None:
            raise BrokerUnavailable(reason=f"none runs on {self._directory}")
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays open."""

    @staticmethod
    def hash_of(password: str) -> str:
        """Return its bcrypt hash, the one that NATS compares."""
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS)).decode()

    def state(self) -> State:
        """Read what its configuration says of logins of ours."""
        kept = embedded.logins(self._directory)
        configured = {
            user["user"]: user["permissions"]["publish"].get("allow", [])
            for user in embedded.users(self._directory)
            if embedded.is_sensor(user)
        }
        logins = {
            user: Login(user, entry["credential"], tuple(entry["topics"]))
            for user, entry in kept["logins"].items()
            if configured.get(user) == embedded.subjects(entry["topics"])
        }
        return State(logins, frozenset(kept["foreign"]), {})

    def change(
        self, put: Sequence[Put], remove: Sequence[str], foreign: Collection[str]
    ) -> list[str]:
        """Write the configuration, and wait until the server has read it."""
        kept = embedded.logins(self._directory)
        lacking = []
        for each in put:
            if each.hash:
                kept["logins"][each.login.user] = {
                    "credential": each.login.credential,
                    "topics": list(each.login.topics),
                    "hash": each.hash,
                }
            else:
                lacking.append(each.login.user)
        for user in remove:
            kept["logins"].pop(user, None)
        kept["foreign"] = sorted(foreign)
        # a login that is new each time: when it is let in, the rest is in force
        kept["sign"] = secrets.token_hex(16)
        embedded.configure(self._directory, kept)
        self._reload(kept["sign"])
        return lacking

    def adopt(self, logins: Sequence[Login]) -> None:
        """All logins are ours."""

    def _reload(self, sign: str) -> None:
        found = embedded.process_of(self._directory)
        if found is None:
            raise BrokerUnavailable(reason="it does not run any more")
        os.kill(found, signal.SIGHUP)
        if not wait_until(
            lambda: embedded.lets_in(embedded.sign_url(self._directory, sign)),
            timeout_s=_RELOAD_S,
        ):
            raise BrokerUnavailable(reason="it does not read its configuration again")
