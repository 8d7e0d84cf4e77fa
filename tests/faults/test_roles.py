"""Roles of the database that are gone, and sessions that cannot be looked up."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from api.database import RETRY_PAUSE_S, require_role
from tests import parts, people, served, world
from tests.faults.world import Server
from tests.people import ANNE, PASSWORD, TOWN, People
from tests.world import LAST
from verkehrspuls.errors import LoginRefused, WrongRole
from verkehrspuls.settings import load
from verkehrspuls.stack.checks import OK, PROBLEM, examine
from verkehrspuls.storage.database import connect

PAGE = "/de/"
CASES = "/de/cases"
API = "/api/v1/sites"
UNSURE = "Ob Sie angemeldet sind, lässt sich gerade nicht nachsehen"


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with server.databases.fresh(world.build) as url:
        yield url


@pytest.fixture
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("viewer", TOWN))
        yield found


@pytest.fixture
def client(url: str) -> Iterator[TestClient]:
    app = served.web(url, LAST)
    with TestClient(app, follow_redirects=False) as client:
        client.headers["sec-fetch-site"] = "same-origin"
        assert client.get(PAGE).status_code == 200
        yield client


@contextmanager
def renamed(server: Server, role: str) -> Iterator[None]:
    """Rename a role by hand, and end the sessions of who logged in as it."""
    with server.admin() as admin:
        admin.execute(f"alter role {role} rename to by_hand")
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where usename in ('by_hand', 'vp_web') and pid <> pg_backend_pid()"
        )
        try:
            yield
        finally:
            admin.execute(f"alter role by_hand rename to {role}")


def logins(url: str) -> dict[str, tuple[str, str]]:
    """What doctor says of roles and logins."""
    found = examine(load(parts.logins(url)))
    return {
        one.part: (one.state, one.detail)
        for one in found
        if one.part.startswith(("login", "roles"))
    }


@pytest.mark.parametrize("role", ["vp_web", "vp_reader"])
def test_pages_say_that_they_cannot_log_in(
    server: Server,
    url: str,
    client: TestClient,
    caplog: pytest.LogCaptureFixture,
    role: str,
) -> None:
    with renamed(server, role):
        # the overview goes on with what it knew
        assert client.get(PAGE).status_code == 200
        for path in (CASES, API):
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert role not in answer.text
        assert "Die Daten sind nicht erreichbar" in client.get(CASES).text
        said = [record for record in caplog.records if record.message == "unavailable"]
        reason = vars(said[-1])["reason"]
        assert "refuses the login" in reason
        assert f'"{role}"' in reason
        assert "roles.sql" in reason
        # nor does one start
        with pytest.raises((LoginRefused, WrongRole), match=r"roles\.sql"):
            require_role(parts.as_web(url))
        state, detail = logins(url)["roles"]
        assert state == PROBLEM
        assert role in detail
        assert "roles.sql" in detail
    parts.wait_for(lambda: client.get(CASES).status_code == 200)
    assert logins(url)["roles"][0] == OK


def test_pages_are_read_where_nothing_can_be_changed(
    server: Server, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with server.admin() as admin:
        admin.execute("alter role vp_actor rename to by_hand")
        try:
            assert client.get(PAGE).status_code == 200
            form = {"email": ANNE, "password": PASSWORD}
            answer = client.post("/de/login", data=form)
            assert answer.status_code == 503
            reason = vars(caplog.records[-1])["reason"]
            assert "missing, or not granted: vp_actor" in reason
        finally:
            admin.execute("alter role by_hand rename to vp_actor")


@pytest.mark.parametrize(
    "statement",
    [
        "lock table vp.session in access exclusive mode",
        "alter function shown.session() rename to session_before",
        "revoke execute on function shown.session() from vp_reader",
    ],
)
def test_public_pages_go_on_without_sessions(
    url: str, client: TestClient, known: People, statement: str
) -> None:
    cookie = {"cookie": f"session={known.log_in()}"}
    assert "Anne Muster" in client.get(PAGE, headers=cookie).text
    with connect(url) as operator:
        operator.execute(statement.encode())
        if "lock" not in statement:
            operator.commit()
        for _ in range(2):
            nobody, somebody = client.get(PAGE), client.get(PAGE, headers=cookie)
            assert (nobody.status_code, somebody.status_code) == (200, 200)
            assert UNSURE not in nobody.text
            assert UNSURE in somebody.text
            assert somebody.headers["cache-control"] == "no-store"
            assert "set-cookie" not in somebody.headers
        # who needs to be logged in is not sent to log in again
        assert client.get("/de/account", headers=cookie).status_code == 503
        assert client.get("/de/account").status_code == 303
        operator.rollback()
        if "rename" in statement:
            operator.execute("alter function shown.session_before() rename to session")
        if "revoke" in statement:
            operator.execute("grant execute on function shown.session() to vp_reader")
        operator.commit()

    def is_anne() -> bool:
        return "Anne Muster" in client.get(PAGE, headers=cookie).text

    parts.wait_for(is_anne, RETRY_PAUSE_S + 10)
