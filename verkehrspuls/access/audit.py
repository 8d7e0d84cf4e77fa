"""The audit log: who changed what, when and from where.

The database notes each change of what persons change, by triggers of
`0036_audit.sql`: no change can go without its entry. What changes no such row is noted
here. See docs/explanation/audit.md.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypedDict, Unpack

from psycopg import rows
from psycopg.types.json import Jsonb

from verkehrspuls.storage.database import Connection, execute, one, read_records
from verkehrspuls.storage.named import queries

#: says of the entries before it that they were forgotten
FORGET: Final = "audit.forget"
_PAGE: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A change, and who made it."""

    number: int
    at: datetime
    #: account, token, command, system or anonymous
    actor_kind: str
    actor: str
    #: of an account or token
    actor_id: int | None
    #: an address, or the host of a command
    origin: str
    #: the words of a command, or a method and route
    via: str
    #: noun and verb; the noun is the kind of what was changed
    action: str
    key: str
    #: None: the whole installation
    municipality: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    #: hash of the entry before, in hex
    previous: str
    hash: str


class Choice(TypedDict, total=False):
    """Which entries are meant; what is None or missing leaves none out."""

    start: datetime | None
    end: datetime | None
    #: a part of the name
    actor: str | None
    #: a noun, or noun and verb
    action: str | None
    #: empty: the whole installation
    municipality: str | None
    #: one, or what begins it
    key: str | None


_ALL: Final[dict[str, Any]] = dict.fromkeys(Choice.__annotations__)


class Link(NamedTuple):
    """An entry as it is hashed: each value as the database writes it."""

    number: int
    at: str
    actor_kind: str
    actor: str
    actor_id: int | None
    origin: str
    via: str
    action: str
    key: str
    municipality: str | None
    before: str | None
    after: str | None
    previous: str
    hash: str


class Proof(NamedTuple):
    """What a check of the chain found."""

    #: proved, in a row
    entries: int
    #: numbers of the first and last of them
    first: int | None
    last: int | None
    #: the hash of the last of them; empty: there is none
    head: str
    #: the first number that is not as it was written; None: none is
    broken: int | None = None
    reason: str = ""


def note(
    connection: Connection,
    action: str,
    *,
    key: str,
    municipality: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Append an entry, if and when the transaction commits.

    Who acts, and from where, is known to the database.
    """
    execute(
        connection,
        "note_audit",
        action=action,
        key=key,
        municipality=municipality,
        before=_json(before),
        after=_json(after),
    )


def find(
    connection: Connection,
    *,
    number: int | None = None,
    below: int | None = None,
    limit: int | None = None,
    **choice: Unpack[Choice],
) -> list[Entry]:
    """Find entries, the newest first; `below` is where the page before ended."""
    return read_records(
        connection,
        Entry,
        "find_audit",
        **_ALL | choice,
        number=number,
        below=below,
        limit=limit,
    )


def each(connection: Connection, **choice: Unpack[Choice]) -> Iterator[Entry]:
    """Yield entries, the newest first, without holding all of them.

    Who reads them is decided once: a session that ends meanwhile cuts nothing off.
    """
    with (
        connection.transaction(),
        connection.cursor("audit", row_factory=rows.kwargs_row(Entry)) as cursor,
    ):
        cursor.itersize = _PAGE
        unbounded = {"number": None, "below": None, "limit": None}
        yield from cursor.execute(
            queries()["find_audit"], {**_ALL, **choice, **unbounded}
        )


def check(connection: Connection, *, head: str = "") -> Proof:
    """Prove the chain of all entries; stop at the first that is not as it was written.

    With a head, the hash of an entry that was noted elsewhere: it is there still.
    """
    with (
        connection.transaction(),
        connection.cursor("audit", row_factory=rows.args_row(Link)) as cursor,
    ):
        cursor.itersize = _PAGE
        return prove(cursor.execute(queries()["chain_of_audit"]), head=head)


def prove(links: Iterable[Link], *, head: str = "") -> Proof:
    """Prove a chain: its numbers have no gap, and each hash is right."""
    first: Link | None = None
    last: Link | None = None
    entries = 0
    found = not head
    forgotten: dict[str, Any] = {"number": 0, "hash": ""}
    for link in links:
        reason = _fault(link, last)
        if reason:
            return _proof(entries, first, last, link.number, reason)
        first, last, entries = first or link, link, entries + 1
        found = found or head in (link.hash, link.previous)
        if link.action == FORGET:
            forgotten = json.loads(link.after or "{}")
    if first and (first.number - 1, first.previous) != (
        forgotten["number"],
        forgotten["hash"],
    ):
        return Proof(0, None, None, "", first.number, "what came before it is missing")
    if not found:
        number = last.number + 1 if last else 1
        reason = "no entry has the head: the end was cut off, or all was written anew"
        if first and first.number > 1:
            reason += f"; or it was forgotten, as all before {first.number}"
        return _proof(entries, first, last, number, reason)
    return _proof(entries, first, last)


def hash_of(link: Link) -> str:
    """Compute the hash of an entry: SHA-256 of its other values, as a JSON array."""
    text = json.dumps(link[:-1], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def forget(connection: Connection, *, days: int) -> int:
    """Forget entries that are older, in a transaction of its own; return how many."""
    with connection.transaction():
        return int(one(connection, "forget_audit", days=days)["entries"])


def _fault(link: Link, last: Link | None) -> str:
    """Say what is wrong with an entry after the last one; empty: nothing."""
    if last and link.number != last.number + 1:
        return f"the entries from {last.number + 1} to {link.number - 1} are missing"
    if last and link.previous != last.hash:
        return "it does not follow the entry before it"
    if link.hash != hash_of(link):
        return "it was changed"
    return ""


def _proof(
    entries: int,
    first: Link | None,
    last: Link | None,
    broken: int | None = None,
    reason: str = "",
) -> Proof:
    return Proof(
        entries,
        first and first.number,
        last and last.number,
        last.hash if last else "",
        broken,
        reason,
    )


def _json(facts: Mapping[str, Any] | None) -> Jsonb | None:
    return None if facts is None else Jsonb(facts, dumps=_dumps)


def _dumps(facts: object) -> bytes:
    import msgspec

    return msgspec.json.encode(facts)
