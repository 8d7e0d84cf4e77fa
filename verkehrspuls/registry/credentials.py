"""Credentials of sensors at the broker: ask, rotate, revoke, list, compare, bring.

The table says who has a credential, and `bring` brings the broker to it. Only a process
with `broker.admin_url` does that: it makes the password, tells the broker, stores the
hash, and seals the password for whoever asked. So the web server, which asks with a
key of its own, needs no power over the broker, and no password is ever stored.

A rotation gives the sensor a second user name, so that old and new are both valid until
the old one ends.
"""

import base64
import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from psycopg.types.json import Jsonb

from verkehrspuls.errors import BrokerUnavailable, Unavailable, UnknownKey, UsageError
from verkehrspuls.registry import edit
from verkehrspuls.registry.brokers import (
    Broker,
    Login,
    Put,
    State,
    native,
    overlap,
    wrong_with,
)
from verkehrspuls.storage.database import (
    Connection,
    Transaction,
    execute,
    one,
    read_records,
)
from verkehrspuls.wire import KEY_PATTERN

log = logging.getLogger(__name__)

#: A device needs this long to be visited and given its new password.
OVERLAP: Final = timedelta(days=7)
#: Time for the process that administrates the broker to answer, and for each of many.
PATIENCE_S: Final = 30.0
_EACH_S: Final = 0.2
#: Time that a page or a request to the API waits for it.
WEB_PATIENCE_S: Final = 10.0
_POLL_S: Final = 0.1
#: Interval of looking for what is due, and of comparing everything.
_KEEP_S: Final = 0.5
_CHECK_S: Final = 60.0
_PASSWORD_BYTES: Final = 24
_KEY_BYTES: Final = 32
#: Credentials of a sensor at once.
_MOST: Final = 10
#: States in which the broker has a credential, or is to have it.
LIVE: Final = ("due", "valid", "ending")
#: Beginnings of names that logins and roles of our own have at brokers.
_TAKEN: Final = ("admin", "configuration", "foreign-", "ingest", "publish", "vp-")
#: The key is used once, so the nonce need not differ.
_NONCE: Final = bytes(12)


class TooManyCredentials(UsageError):
    """A sensor has at most 10 credentials at once; revoke one first."""

    code = "too-many-credentials"
    http_status = 409


class NotApplied(Unavailable):
    """The broker was not told within {seconds} s, so no credential was issued.

    Check that `verkehrspuls credential run` runs, which administrates the broker, and
    that the broker answers: `verkehrspuls doctor`.
    """

    code = "credential-not-applied"


class Asked(NamedTuple):
    """Credentials that were asked for, with the key that opens their passwords."""

    key: X25519PrivateKey
    #: user names by number of the credential
    users: dict[int, str]


class Issued(NamedTuple):
    """A credential whose password is known only here."""

    credential_id: int
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A credential in a list."""

    credential_id: int
    user_name: str
    municipality: str | None
    sensor: str | None
    topics: Sequence[str]
    issued_at: datetime
    issued_by: str
    applied_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    removed_at: datetime | None
    state: str


class Difference(NamedTuple):
    """A user about whom broker and registry differ."""

    user: str
    what: str


def ask(connection: Connection, sensors: Sequence[str]) -> Asked:
    """Ask for a credential for each `municipality/sensor`; to be committed."""
    key = X25519PrivateKey.generate()
    rows = execute(
        connection,
        "ask_credentials",
        sensors=list(sensors),
        public_key=key.public_key().public_bytes_raw(),
    ).fetchall()
    if len(rows) < len(sensors):
        missing = sensors[0] if len(sensors) == 1 else _first_unknown(sensors, rows)
        raise UnknownKey(kind="sensor", key=missing)
    return Asked(key, {row["credential_id"]: row["user_name"] for row in rows})


def ask_for_gateway(connection: Connection, name: str, topics: Sequence[str]) -> Asked:
    """Ask for a credential of what publishes for many sensors, under foreign topics."""
    if not KEY_PATTERN.fullmatch(name) or name.startswith(_TAKEN):
        raise UsageError(reason=f"{name!r} is no name of a gateway")
    for topic in topics:
        if wrong := wrong_with(topic):
            raise UsageError(reason=f"{topic!r} {wrong}")
    key = X25519PrivateKey.generate()
    row = execute(
        connection,
        "ask_gateway_credential",
        user=name,
        topics=list(topics),
        public_key=key.public_key().public_bytes_raw(),
    ).fetchone()
    if row is None:
        raise UsageError(reason=f"{name} has a credential; revoke it first")
    return Asked(key, {row["credential_id"]: row["user_name"]})


def _first_unknown(sensors: Sequence[str], rows: Collection[dict[str, str]]) -> str:
    known = {"/".join(row["user_name"].split("/")[:2]) for row in rows}
    return next((name for name in sensors if name not in known), "")


def collect(connection: Connection, asked: Asked) -> list[Issued]:
    """Return the passwords, once the broker has all of them; else nothing.

    They are forgotten when the transaction commits.
    """
    rows = execute(
        connection, "answered_credentials", credentials=[*asked.users]
    ).fetchall()
    if len(rows) < len(asked.users):
        return []
    execute(connection, "collect_credentials", credentials=[*asked.users])
    return [
        Issued(
            row["credential_id"], row["user_name"], _opened(asked.key, row["sealed"])
        )
        for row in rows
    ]


def wait(
    writing: Transaction, asked: Asked, *, patience_s: float | None = None
) -> list[Issued]:
    """Wait for the passwords; `NotApplied` if they do not come: nothing is valid then.

    What is asked has to be committed before, so that others see it; each look is a
    transaction of its own.
    """
    if patience_s is None:
        patience_s = PATIENCE_S + _EACH_S * len(asked.users)
    deadline = time.monotonic() + patience_s
    while True:
        with writing() as connection:
            if found := collect(connection, asked):
                return found
        if time.monotonic() > deadline:
            with writing() as connection:
                withdraw(connection, asked)
            raise NotApplied(seconds=f"{patience_s:g}")
        time.sleep(_POLL_S)


def issue(
    writing: Transaction,
    municipality: str,
    sensor: str,
    *,
    overlap: timedelta | None = None,
    patience_s: float | None = None,
) -> Issued:
    """Issue a credential of a sensor over the web.

    Earlier ones go on, or end after the `overlap`. Raise `UnknownKey`,
    `TooManyCredentials`, or `NotApplied` if the broker was not told in time.
    """
    with writing() as connection:
        edit.require(connection, municipality)
        if len(live(connection, municipality, sensor)) >= _MOST:
            raise TooManyCredentials
        asked = ask(connection, [f"{municipality}/{sensor}"])
    patience_s = WEB_PATIENCE_S if patience_s is None else patience_s
    (issued,) = wait(writing, asked, patience_s=patience_s)
    if overlap is not None:
        with writing() as connection:
            end_older(connection, issued, overlap=overlap)
    return issued


def withdraw(connection: Connection, asked: Asked) -> None:
    """End what was asked for and nobody waits for."""
    execute(connection, "withdraw_credentials", credentials=[*asked.users])


def end_older(
    connection: Connection, issued: Issued, *, overlap: timedelta = OVERLAP
) -> list[str]:
    """Let earlier credentials of the same sensor end after the overlap."""
    rows = execute(
        connection,
        "end_older_credentials",
        credential_id=issued.credential_id,
        at=datetime.now(UTC) + overlap,
    )
    return [row["user_name"] for row in rows]


def revoke(connection: Connection, name: str) -> list[str]:
    """Revoke those of a sensor or gateway, or the one with a user name."""
    rows = execute(connection, "revoke_credentials", name=name).fetchall()
    if not rows:
        raise UnknownKey(kind="credential", key=name)
    return [row["user_name"] for row in rows]


def revoke_of(
    connection: Connection, municipality: str, sensor: str, user: str | None = None
) -> None:
    """Revoke the credential of a sensor with a user name, or all of the sensor."""
    found = live(connection, municipality, sensor)
    meant = [each.credential_id for each in found if user in (None, each.user_name)]
    if not meant:
        key = user or f"{municipality}/{sensor}"
        raise UnknownKey(kind="credential", key=key)
    execute(connection, "withdraw_credentials", credentials=meant)


def every(
    connection: Connection, municipality: str | None = None, sensor: str | None = None
) -> list[Listed]:
    """List those that the viewer may see."""
    return read_records(
        connection,
        Listed,
        "list_credentials",
        municipality=municipality,
        sensor=sensor,
    )


def live(connection: Connection, municipality: str, sensor: str) -> list[Listed]:
    """List those of a sensor that are valid, or will be at once."""
    found = every(connection, municipality, sensor)
    return [each for each in found if each.state in LIVE]


def keep(
    connection: Connection,
    open_broker: Callable[[], Broker],
    *,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[list[Difference]]:
    """Bring the broker to the registry whenever something is due, and each minute.

    Yields after each time with what could not be mended. An error of the broker is
    logged, and it is tried again.
    """
    checked = float("-inf")
    while True:
        due = one(connection, "credentials_are_due")["due"]
        connection.commit()
        if due or time.monotonic() - checked > _CHECK_S:
            try:
                with open_broker() as broker:
                    found = bring(connection, broker)
            except BrokerUnavailable as error:
                connection.rollback()
                log.warning("broker_not_told", extra={"reason": str(error)})
            else:
                checked = time.monotonic()
                yield found
        pause(_KEEP_S)


class _Wanted(NamedTuple):
    """What the broker is to have."""

    logins: dict[str, Login]
    foreign: set[str]
    #: by user: the hash, and the key of whoever waits for a new password
    hashes: dict[str, str | None]
    due: dict[str, bytes]
    #: numbers of credentials that ended, by user
    ended: list[tuple[str, int]]


def _wanted(connection: Connection) -> _Wanted:
    topics = permitted(read_records(connection, _Topic, "topics_of_sensors"))
    found = _Wanted({}, set(topics.values()), {}, {}, [])
    for row in execute(connection, "credentials_at_broker"):
        user, number = row["user_name"], row["credential_id"]
        if row["ended"]:
            found.ended.append((user, number))
            continue
        may = list(row["topics"])
        found.foreign.update(may)
        if row["sensor"] is not None:
            may = [native(row["municipality"], row["sensor"])]
            if topic := topics.get(row["sensor_id"]):
                may.append(topic)
        found.logins[user] = Login(user, number, tuple(may))
        found.hashes[user] = row["hash"]
        if row["due"]:
            found.due[user] = bytes(row["public_key"])
    return found


class _Topic(NamedTuple):
    """The foreign topic of a sensor."""

    municipality: str
    sensor_id: int
    topic: str


def permitted(topics: Sequence[_Topic]) -> dict[int, str]:
    """Return the foreign topics under which sensors may publish, by sensor.

    Not one that overlaps with an earlier one of another municipality: else whoever
    registers sensors of one could publish in the name of those of the other.
    """
    return {
        each.sensor_id: each.topic
        for number, each in enumerate(topics)
        if not wrong_with(each.topic)
        and not any(
            other.municipality != each.municipality and overlap(each.topic, other.topic)
            for other in topics[:number]
        )
    }


def bring(
    connection: Connection, broker: Broker, *, remove_unknown: bool = False
) -> list[Difference]:
    """Bring the broker to the registry; return what could not be mended.

    Logins of ours that the registry does not know stay unless `remove_unknown`: it may
    be an older backup of the database. Commits.
    """
    execute(connection, "lock_credentials")
    wanted = _wanted(connection)
    there = broker.state()
    made = {user: secrets.token_hex(_PASSWORD_BYTES) for user in wanted.due}
    hashes = {user: broker.hash_of(password) for user, password in made.items()}
    put = [
        Put(login, made.get(user), hashes.get(user, wanted.hashes[user]))
        for user, login in wanted.logins.items()
        if user in made or not _same(login, there.logins.get(user))
    ]
    live = wanted.logins
    ended = [
        user
        for user, number in wanted.ended
        if user not in live
        and user in there.logins
        and there.logins[user].credential == number
    ]
    unknown = there.logins.keys() - live.keys() - {user for user, _ in wanted.ended}
    remove = [*ended, *(unknown if remove_unknown else ())]
    lacking: list[str] = []
    foreign = wanted.foreign | _foreign_of(there)
    if put or remove or foreign != there.foreign:
        lacking = broker.change(put, remove, foreign)
    rows = [
        {
            "credential_id": wanted.logins[user].credential,
            "hash": hashes[user],
            "sealed": _sealed(wanted.due[user], password),
        }
        for user, password in made.items()
    ]
    if rows:
        execute(connection, "applied_credentials", rows=Jsonb(rows))
    execute(connection, "removed_credentials", credentials=[n for _, n in wanted.ended])
    execute(connection, "forget_sealed_credentials")
    connection.commit()
    return [Difference(user, _LACKING) for user in lacking]


_LACKING: Final = (
    "the broker has lost it, and takes no password that is stored as a hash: revoke "
    "it and issue another one, or restore the broker's file from the backup"
)


def _foreign_of(state: State) -> set[str]:
    """Return under which foreign topics logins that are not ours publish."""
    return {
        topic for may in state.others.values() for topic in may if not wrong_with(topic)
    }


def adoptable(state: State) -> dict[str, tuple[str, ...]]:
    """Return logins that are not ours, but could be: they may only publish."""
    return {
        user: may
        for user, may in sorted(state.others.items())
        if not any(wrong_with(topic) for topic in may if topic != _own(user))
    }


def _own(user: str) -> str:
    """Return the native topics of a sensor's user; empty: it is none of a sensor."""
    return native(*user.split("/")) if user.count("/") == 1 else ""


def adopt(connection: Connection, broker: Broker) -> dict[str, str]:
    """Take into the registry what an earlier version has given sensors and gateways.

    Return what became of each. Commits.
    """
    execute(connection, "lock_credentials")
    found, adopted = {}, []
    for user, may in adoptable(broker.state()).items():
        row = execute(
            connection,
            "adopt_credential",
            user=user,
            topics=[] if _own(user) else list(may),
        ).fetchone()
        if row is None:
            found[user] = "no sensor of that name is registered"
            continue
        login = _wanted(connection).logins[row["user_name"]]
        if row["user_name"] == user and set(may) <= set(login.topics):
            found[user] = "adopted"
            adopted.append(login)
            continue
        lost = ", ".join(sorted(set(may) - set(login.topics)))
        found[user] = (
            f"register its topic first: {lost}"
            if lost
            else "the sensor has another credential; revoke one of them"
        )
        execute(connection, "forget_credential", credential=row["credential_id"])
    broker.adopt(adopted)
    connection.commit()
    return found


def compare(connection: Connection, state: State) -> list[Difference]:
    """Return what a broker has otherwise than the registry says."""
    wanted = _wanted(connection)
    ended = {user for user, _ in wanted.ended}
    found = []
    for user in sorted(wanted.logins.keys() | state.logins.keys()):
        login, there = wanted.logins.get(user), state.logins.get(user)
        if _same(login, there):
            continue
        if login is None:
            what = "has ended" if user in ended else "is unknown to the registry"
        elif there is None:
            what = "is due" if user in wanted.due else "is missing at the broker"
        elif login.credential != there.credential:
            what = "is another one at the broker"
        else:
            what = f"may {some_topics(there)}, and is to {some_topics(login)}"
        found.append(Difference(user, what))
    if wanted.foreign | _foreign_of(state) != state.foreign:
        found.append(Difference("ingest", "may not read just what others may publish"))
    return found


def some_topics(login: Login) -> str:
    """Name what a login may do."""
    return f"publish under {', '.join(login.topics) or 'nothing'}"


def _same(login: Login | None, other: Login | None) -> bool:
    """Return whether two logins permit the same: the order is the broker's."""
    if login is None or other is None:
        return login is other
    return login[:2] == other[:2] and sorted(login.topics) == sorted(other.topics)


def _sealed(public_key: bytes, text: str) -> str:
    """Seal a text for whoever has the key that belongs to a public one, in Base64."""
    own = X25519PrivateKey.generate()
    shared = own.exchange(X25519PublicKey.from_public_bytes(public_key))
    sealed = ChaCha20Poly1305(_derived(shared)).encrypt(_NONCE, text.encode(), None)
    return base64.b64encode(own.public_key().public_bytes_raw() + sealed).decode()


def _opened(key: X25519PrivateKey, sealed: bytes) -> str:
    other, rest = sealed[:_KEY_BYTES], sealed[_KEY_BYTES:]
    shared = key.exchange(X25519PublicKey.from_public_bytes(other))
    return ChaCha20Poly1305(_derived(shared)).decrypt(_NONCE, rest, None).decode()


def _derived(shared: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, None, b"verkehrspuls credential").derive(shared)
