"""Mosquitto 2.0 or newer, through its plugin for dynamic security.

The plugin takes commands under its control topic, applies each at once, saves it in its
own file and answers. It hashes passwords itself and takes none that is hashed already,
so a login that it lost cannot be put back from the registry: it gets a new credential.
"""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import paho.mqtt.client as paho

from verkehrspuls import mqtt
from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.registry.brokers import Login, Put, State

TOPIC: Final = "$CONTROL/dynamic-security/v1"
#: whom a login of ours belongs to, in its `textname`
_OURS: Final = "verkehrspuls "
#: roles with what is beside the native topics: for ingest, and for the web server
_FOREIGN: Final = {
    "foreign-ingest": ("ingest", "publishClientReceive"),
    "foreign-publish": ("publish", "publishClientSend"),
}
_SENDS: Final = "publishClientSend "
#: Commands in a message: it handles nothing else meanwhile, and saves after each.
_AT_ONCE: Final = 20
#: entries in an answer
_LISTED: Final = 500
_ANSWER_S: Final = 30.0
#: as Mosquitto: passwords are random and long, more would only slow connecting down
_ITERATIONS: Final = 101
_SALT_BYTES: Final = 12

Command = Mapping[str, Any]


class Broker:
    """Mosquitto with the plugin, for a login that may use its control topic."""

    def __init__(self, url: str, *, ca_file: Path | None = None) -> None:
        self._url = url
        self._client = mqtt.client(
            url, client_id=f"vp-admin-{secrets.token_hex(8)}", ca_file=ca_file
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect
        self._changed = threading.Condition()
        self._ready = False
        self._refused = ""
        self._answers: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        mqtt.connect(self._client, self._url)
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._refused, _ANSWER_S)
        if not self._ready:
            self.__exit__()
            raise BrokerUnavailable(reason=self._refused or "it does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()
        # they refer to this object, so it would wait for the garbage collector
        self._client.on_connect = None
        self._client.on_subscribe = None
        self._client.on_message = None

    @staticmethod
    def hash_of(password: str) -> str:
        """Return the hash in the form of `mosquitto_passwd`."""
        salt = secrets.token_bytes(_SALT_BYTES)
        key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
        encoded = (base64.b64encode(part).decode() for part in (salt, key))
        return "$".join(("", "7", str(_ITERATIONS), *encoded))

    def state(self) -> State:
        """Read all logins, with all that their roles permit."""
        acls = {role["rolename"]: _acls(role) for role in self._list("role")}
        logins, others = {}, {}
        for client in self._list("client"):
            user, may = client["username"], tuple(_may(client, acls))
            number = client.get("textname", "").removeprefix(_OURS)
            if number.isdigit():
                logins[user] = Login(user, int(number), may)
            else:
                others[user] = may
        reads, publishes = (
            {each.partition(" ")[2] for each in acls.get(role, ())} for role in _FOREIGN
        )
        # a topic that only one of them has is none of both: they are to be mended
        return State(logins, frozenset(reads & publishes), others)

    def change(
        self, put: Sequence[Put], remove: Sequence[str], foreign: Collection[str]
    ) -> list[str]:
        """Change it by commands; a known login keeps its password."""
        there = self.state()
        roles = {role["rolename"] for role in self._list("role")}
        commands: list[Command] = []
        lacking = []
        for each in put:
            login = each.login
            known = there.logins.get(login.user)
            if each.password is not None:
                gone = login.user in there.logins or login.user in there.others
                commands += _new(each, gone=gone, roles=roles)
            elif known is not None and known.credential == login.credential:
                commands += _mended(login, roles=roles)
            else:
                lacking.append(login.user)
        for user in remove:
            commands += [
                {"command": "deleteClient", "username": user},
                {"command": "deleteRole", "rolename": user},
            ]
        if there.foreign != frozenset(foreign):
            commands += _foreign(foreign, roles=roles)
        self._run(commands)
        return lacking

    def adopt(self, logins: Sequence[Login]) -> None:
        """Mark others as ours."""
        self._run(
            {
                "command": "modifyClient",
                "username": login.user,
                "textname": f"{_OURS}{login.credential}",
            }
            for login in logins
        )

    def _list(self, what: str) -> list[dict[str, Any]]:
        """List clients or roles, some at a time: an answer has a maximum size."""
        found: list[dict[str, Any]] = []
        total = 1
        while len(found) < total:
            (answer,) = self._run(
                [
                    {
                        "command": f"list{what.capitalize()}s",
                        "verbose": True,
                        "count": _LISTED,
                        "offset": len(found),
                    }
                ]
            )
            total = answer["data"]["totalCount"]
            some = answer["data"][f"{what}s"]
            if not some:
                break
            found += some
        return found

    def _run(self, commands: Iterable[Command]) -> list[dict[str, Any]]:
        """Send commands and wait for their answers; an error in one is raised."""
        given = list(commands)
        answers = []
        for start in range(0, len(given), _AT_ONCE):
            answers += self._exchange(given[start : start + _AT_ONCE])
        for answer in answers:
            if answer.get("error"):
                raise BrokerUnavailable(
                    reason=f"it refuses {answer['command']}: {answer['error']}"
                )
        return answers

    def _exchange(self, commands: Sequence[Command]) -> list[dict[str, Any]]:
        names = [secrets.token_hex(8) for _ in commands]
        marked = [
            {**command, "correlationData": name}
            for command, name in zip(commands, names, strict=True)
        ]
        self._client.publish(TOPIC, json.dumps({"commands": marked}), qos=1)
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._refused or self._answers.keys() >= set(names), _ANSWER_S
            )
            if not done or self._refused:
                reason = self._refused or "its plugin for dynamic security is silent"
                raise BrokerUnavailable(reason=reason)
            return [self._answers.pop(name) for name in names]

    def _on_connect(self, client: Any, _d: Any, _f: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            self._fail(str(reason))
        else:
            client.subscribe(f"{TOPIC}/response", qos=1)

    def _on_subscribe(self, _c: Any, _d: Any, _m: Any, codes: Any, _p: Any) -> None:
        if codes[0].is_failure:
            self._fail("the login of broker.admin_url may not administrate it")
        with self._changed:
            self._ready = not codes[0].is_failure
            self._changed.notify_all()

    def _on_message(self, _c: Any, _d: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            for answer in json.loads(message.payload)["responses"]:
                if name := answer.get("correlationData"):
                    self._answers[name] = answer
            self._changed.notify_all()

    def _on_disconnect(self, *_: object) -> None:
        self._fail("the connection is lost")

    def _fail(self, reason: str) -> None:
        with self._changed:
            self._refused = self._refused or reason
            self._changed.notify_all()


def _new(put: Put, *, gone: bool, roles: set[str]) -> Iterator[Command]:
    """Make a login with its role; an earlier one of that user goes first."""
    login = put.login
    if gone:
        yield {"command": "deleteClient", "username": login.user}
    yield _role(login.user, _sends(login.topics), roles=roles)
    yield {
        "command": "createClient",
        "username": login.user,
        "password": put.password,
        "textname": f"{_OURS}{login.credential}",
        "roles": [{"rolename": login.user}],
    }


def _mended(login: Login, *, roles: set[str]) -> Iterator[Command]:
    """Let a login have its own role only, and that what it is to permit."""
    yield _role(login.user, _sends(login.topics), roles=roles)
    yield {
        "command": "modifyClient",
        "username": login.user,
        "roles": [{"rolename": login.user}],
        "groups": [],
    }
    yield {"command": "enableClient", "username": login.user}


def _foreign(filters: Collection[str], *, roles: set[str]) -> Iterator[Command]:
    for name, (user, kind) in _FOREIGN.items():
        yield _role(name, [(kind, each) for each in filters], roles=roles)
        if name not in roles:
            yield {"command": "addClientRole", "username": user, "rolename": name}


def _role(name: str, may: Iterable[tuple[str, str]], *, roles: set[str]) -> Command:
    return {
        "command": "modifyRole" if name in roles else "createRole",
        "rolename": name,
        "acls": [
            {"acltype": kind, "topic": topic, "allow": True} for kind, topic in may
        ],
    }


def _sends(topics: Iterable[str]) -> list[tuple[str, str]]:
    return [("publishClientSend", topic) for topic in topics]


def _acls(role: Mapping[str, Any]) -> list[str]:
    """Return what a role says, each as kind and topic."""
    return [
        f"{'' if each['allow'] else 'not '}{each['acltype']} {each['topic']}"
        for each in role.get("acls", ())
    ]


def _may(client: Mapping[str, Any], acls: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the topics to which a client may publish, and after $ what else it has."""
    if client.get("disabled"):
        yield "$disabled"
    for group in client.get("groups", ()):
        yield f"$group {group['groupname']}"
    for role in client.get("roles", ()):
        if client["username"] == _FOREIGN.get(role["rolename"], ("", ""))[0]:
            continue  # it follows from what others may
        for each in acls.get(role["rolename"], ()):
            yield each[len(_SENDS) :] if each.startswith(_SENDS) else f"${each}"
