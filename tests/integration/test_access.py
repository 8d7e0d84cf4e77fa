"""Every address as every kind of viewer, against the table `docs/access.toml`.

In a database with `tests.twins`: what is of a twin, only who has `view` in its town
sees. A new address needs a line in the table, and nothing else, unless its path has a
part that `PLACES` lacks.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from dashboards.app import create_web
from tests import parts, people, served, twins, walk, world
from tests.integration.test_maintenance import photograph
from tests.people import People
from tests.walk import Answer, Asked
from verkehrspuls.access import accounts, sessions, tokens
from verkehrspuls.access.permissions import PERMISSIONS, ROLES
from verkehrspuls.registry import maintenance
from verkehrspuls.registry.maintenance import Maintenance
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import connect

PROJECT: Final = parts.PROJECT
TABLE: Final[dict[str, str]] = {
    address: needs
    for group in tomllib.loads((PROJECT / "docs" / "access.toml").read_text()).values()
    for address, needs in group.items()
}
A: Final = twins.HOME
B: Final = twins.AWAY
#: refused for want of a credential or a permission
REFUSED: Final = (401, 403)
#: and for other reasons: what is not seen does not exist
NOT_DONE: Final = (401, 403, 404, 409, 422)
#: parts of a path that are of one town
PLACED: Final = {"municipality", "number"}
#: what ends the session of who asks
ENDING: Final = {"POST /{language:language}/logout"}
FORM: Final = (("content-type", "application/x-www-form-urlencoded"),)
#: how an answer that is the same for everybody may differ: it has been counted
UNEQUAL: Final = ("/metrics", "/readyz")
#: of these a period is one of receipt
BY_RECEIPT: Final = ("/ledger", "/rejects")
BODIES: Final = {
    "POST /api/v1/cases/{number}/comments": '{"comment": "Gesehen"}',
    "PATCH /api/v1/cases/{number}": '{"state": "confirmed"}',
    "PUT /api/v1/cases/{number}/assignee": '{"to": null}',
    "POST /api/v1/cases/{number}/undo": "{}",
    "POST /api/v1/cases/decisions": "{}",
    "POST /api/v1/readings": "[]",
    "POST /api/v1/registry/{municipality}": "{}",
    "PUT /api/v1/registry/{municipality}/{kind}/{key:path}": "{}",
    "POST /api/v1/commissioning/{municipality}/unknown-sensors": (
        '{"sender": "x", "site": "x"}'
    ),
    "POST /api/v1/commissioning/{municipality}/preview": (
        '{"topic": "x", "payload": "{}"}'
    ),
    "POST /api/v1/municipalities/{municipality}/short-count": (
        '{"quantity": "motor", '
        '"hours": [{"time": "2026-03-02T10:00:00Z", "volume": 4}]}'
    ),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of viewer: what is sent, and what it should permit, by permission."""

    headers: dict[str, str]
    may: dict[str, frozenset[str]]

    @property
    def is_token(self) -> bool:
        return "authorization" in self.headers

    def form(self) -> str:
        """A comment, as a form of this session sends it."""
        session = self.headers.get("cookie", "").removeprefix("session=")
        # under a mask of zeros
        token = "0" * 32 + hashlib.sha256(f"form {session}".encode()).hexdigest()[:32]
        return f"form_token={token}&act=comment&comment=Gesehen"

    def sees(self, address: str) -> frozenset[str]:
        """The towns whose private sites are seen; pages take no token."""
        is_page = not address.startswith(("/api/", "/metrics"))
        return frozenset() if self.is_token and is_page else self.may.get("view", NONE)


NONE: Final = frozenset[str]()


def of_roles(*roles: tuple[str, str | None]) -> dict[str, frozenset[str]]:
    """What roles permit, by the table of permissions."""
    return {
        name: frozenset(
            town
            for role, where in roles
            if role in permission.roles
            for town in ((A, B) if where is None else (where,))
        )
        for name, permission in PERMISSIONS.items()
    }


def people_of(them: People) -> Iterator[tuple[str, Kind]]:
    """Who logs in: each role, of one town, the other, and both."""

    def kind(name: str, *roles: tuple[Any, str | None]) -> tuple[str, Kind]:
        email = f"{name.replace(' ', '-')}@example.org"
        them.put(email, *roles, name=name)
        return name, Kind(_cookie(them.log_in(email)), of_roles(*roles))

    yield "nobody", Kind({}, {})
    for role in ROLES[:-1]:
        yield kind(f"{role} of A", (role, A))
    yield kind("viewer of B", ("viewer", B))
    yield kind("engineer of A and viewer of B", ("engineer", A), ("viewer", B))
    yield kind("operator", ("operator", None))

    name, ended = kind("ended", ("viewer", A))
    with them.web(ended.headers["cookie"].partition("=")[2])() as connection:
        sessions.end(connection)
    yield name, Kind(ended.headers, {})

    name, disabled = kind("disabled", ("viewer", A))
    with them.operator() as connection:
        account = accounts.find(connection, "disabled@example.org")
        accounts.disable(connection, account.account_id)
    yield name, Kind(disabled.headers, {})

    them.put("half@example.org", ("viewer", A))
    strict = people.USUAL.model_copy(update={"second_factor": ("viewer",)})
    half = them.log_in("half@example.org", settings=strict)
    yield "without the second factor", Kind(_cookie(half), {})


def tokens_of(url: str) -> Iterator[tuple[str, Kind]]:
    """Tokens of each permission, and those that are none."""
    with connect(url) as connection:
        create = partial(tokens.create, connection)
        for permission in ("view", "cases", "readings"):
            token = create(A, permissions=(permission,))
            yield (
                f"token {permission}",
                Kind(_bearer(token), {permission: frozenset({A})}),
            )
        token = create(B, permissions=("view", "cases"))
        both = dict.fromkeys(("view", "cases"), frozenset({B}))
        yield "token of B", Kind(_bearer(token), both)
        token = create(
            A, permissions=("view",), expires_at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        yield "expired token", Kind(_bearer(token), {})
        yield "no token", Kind(_bearer(f"vp_{'0' * 8}_{'A' * 43}"), {})


def _cookie(session: str) -> dict[str, str]:
    return {"cookie": f"session={session}"}


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def photographed(url: str, town: str) -> int:
    """Add a photograph to the maintenance log of a site, and return its number."""
    site = twins.PARTS["site"][0]
    done = Maintenance(site=site, done_at=datetime(2026, 3, 1, tzinfo=UTC))
    with connect(url) as connection:
        entry = maintenance.add(connection, town, done)
        return maintenance.add_photograph(connection, town, entry, photograph())


class Access:
    """The application, with all kinds of viewers, and a place in each town."""

    def __init__(self, url: str, client: TestClient, them: People) -> None:
        self.client = client
        self.kinds = dict((*people_of(them), *tokens_of(url)))
        twin = {name: keys[0] for name, keys in twins.PARTS.items()}
        same = {"kind": "means", "language": "de", "key": "x", "name": "x"}
        same |= {"account_id": "1", "format": "csv", "sensor": twins.twin("camera")}
        self.places = {
            town: twin
            | same
            | {"municipality": town, "number": str(min(twins.cases(url, town)))}
            | {"photograph": str(photographed(url, town))}
            | {"count": str(twins.counts(url, town)[0])}
            for town in (A, B)
        }

    def ask(self, kind: Kind, asked: Asked) -> Answer:
        return walk.ask(self.client, asked, **kind.headers)


@contextmanager
def opened(databases: parts.Databases) -> Iterator[Access]:
    """Make the application with all kinds of viewers."""
    with (
        databases.fresh(twins.build) as url,
        people.of(url) as them,
        TestClient(served.web(url, world.LAST), follow_redirects=False) as client,
    ):
        yield Access(url, client, them)


@pytest.fixture(scope="module")
def access(_plain: parts.Databases) -> Iterator[Access]:
    with opened(_plain) as access:
        yield access


ROUTES: Final = {
    f"{method} {path}": route
    for method, path, route in walk.routes(create_web(Settings()))
}


def test_each_address_has_its_line() -> None:
    assert set(ROUTES) == set(TABLE)
    assert set(TABLE.values()) <= {"open", "seen", "login", "session", *PERMISSIONS}


@pytest.mark.parametrize("address", sorted(set(ROUTES) & set(TABLE) - ENDING))
def test_who_may_what(access: Access, address: str) -> None:
    method, path = address.split(" ", 1)
    wrong = []
    for town in (A, B) if walk.parts_of(path) & PLACED else (A,):
        place = access.places[town]
        if "/register/" in path:
            place = place | {"kind": "site", "key": place["site"]}
        asked = walk.plainly(method, path, ROUTES[address], place)
        if body := BODIES.get(address):
            json = (("content-type", "application/json"),)
            asked = asked._replace(body=body, headers=json)
        if path.endswith(BY_RECEIPT):
            asked = asked._replace(address=f"{path}?from=2026-03-02&to=2026-03-05")
        nobody = access.ask(access.kinds["nobody"], asked)
        for name, kind in access.kinds.items():
            # other forms log out, or change who may what
            forms = ("cases", "register", "settings") if method == "POST" else ()
            if TABLE[address] in forms and not path.startswith("/api/"):
                asked = asked._replace(body=kind.form(), headers=FORM)
            answer = access.ask(kind, asked)
            if not is_right(address, town, kind, answer, nobody):
                wrong.append((name, town, nobody.status, answer.status))
    assert wrong == []


def is_right(
    address: str, town: str, kind: Kind, answer: Answer, nobody: Answer
) -> bool:
    """Whether an answer is what the table says."""
    needs, path = TABLE[address], address.split(" ", 1)[1]
    if answer.status >= 500 and needs not in ("readings", "login"):
        return False
    is_api = path.startswith("/api/") or path in UNEQUAL
    if needs in ("login", "session", "people", "audit"):
        # the pages themselves are tested elsewhere: here, whom they show
        may = kind.may.get("audit" if needs == "audit" else "people")
        return twins.EMAIL not in answer.body.decode() or bool(may)
    if needs in PERMISSIONS:
        # programs show a token, and people have a session
        may = kind.may.get(needs, NONE) if kind.is_token == is_api else NONE
        if not is_api and not may and answer.status == 303:
            return "/login?" in dict(answer.headers)["location"]
        if not is_api and not may and answer.status == 200:
            return b'name="code"' in answer.body
        if not may or (PLACED & walk.parts_of(path) and town not in may):
            return answer.status in (REFUSED if is_api and not may else NOT_DONE)
        return answer.status not in (401, 403, 404)
    if kind.is_token and not kind.may and is_api and answer.status == 401:
        return True  # who shows a token that is none is told so
    if path == "/metrics" and kind.is_token:
        return answer.status in REFUSED  # it takes one of the whole installation
    if needs == "open":
        return answer.status == nobody.status and (
            not is_api or path in UNEQUAL or answer.body == nobody.body
        )
    sees = kind.sees(path)
    named = walk.parts_of(path) - {"language", "kind"}
    if named and not (named == {"municipality"} and town == A):
        return answer.status == (200 if town in sees else 404) and (
            town in sees or not is_api or answer.body == nobody.body
        )
    if is_api:
        # of A everybody sees something, and who may more
        differs = answer.body != nobody.body
        return answer.status < 400 and (bool(named) or differs == bool(sees))
    return answer.status == 200 and shows(answer) == bool(
        sees & ({A} if named else {A, B})
    )


def shows(answer: Answer) -> bool:
    """Whether something of a twin is on a page."""
    # by key or name; who is logged in is told the own towns everywhere
    return bool(re.search(f"{twins.MARK}[- ]", answer.body.decode(), re.IGNORECASE))
