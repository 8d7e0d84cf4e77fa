"""Sessions over HTTP: what who is logged in sees, and nobody else."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests import people, served
from tests.people import ANNE, BERND, TOWN, People
from verkehrspuls.access import passwords, sessions

NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
#: a site of the town; only those who belong to it see it
HIDDEN = "Bauhof"
PAGES = (
    "/de/",
    "/de/towns/kaiserslautern",
    "/de/towns/kaiserslautern/hof",
    "/api/v1/sites",
    "/api/v1/sites/kaiserslautern/hof",
)


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, NOW)


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with pytest.MonkeyPatch.context() as patch, people.of(url) as found:
        patch.setattr(passwords, "COST", people.CHEAP)
        found.put(ANNE, ("viewer", TOWN))
        found.put(BERND)
        yield found


def as_session(made: str) -> dict[str, str]:
    return {"cookie": f"session={made}"}


@pytest.mark.parametrize("path", PAGES)
def test_what_a_person_sees_stays_with_that_person(
    client: TestClient, known: People, path: str
) -> None:
    anne, bernd = (as_session(known.log_in(email)) for email in (ANNE, BERND))
    for _ in range(2):
        for headers, sees in ((anne, True), ({}, False), (bernd, False)):
            answer = client.get(path, headers=headers)
            assert (HIDDEN in answer.text) is sees, (path, headers)
            assert "cookie" in answer.headers["vary"].lower()
            kept = answer.headers["cache-control"] != "no-store"
            assert kept is (not headers)


def test_a_session_that_ended_sees_what_is_public(
    client: TestClient, known: People
) -> None:
    made = known.log_in()
    with known.web(made)() as connection:
        sessions.end(connection)
    assert HIDDEN not in client.get("/api/v1/sites", headers=as_session(made)).text


def test_a_session_gets_a_new_id_when_roles_change(
    client: TestClient, known: People
) -> None:
    made = known.log_in(BERND)
    account = known.session(made)
    assert account is not None
    with known.operator() as connection:
        connection.execute(
            "update vp.session set is_outdated = true where account_id = %s",
            [account.account_id],
        )
    answer = client.get("/de/", headers=as_session(made))
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert made not in cookie
    assert known.session(made) is None
    client.cookies.clear()
