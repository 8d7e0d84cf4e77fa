"""Attacks on logging in, sessions and forms, as a stranger or another town would."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from dashboards import render
from tests import people, served
from tests.integration.test_sessions_over_http import LOGIN, Browser, as_session
from tests.parts import free_port, wait_for
from tests.people import ANNE, BERND, OTHER, PASSWORD, TOWN, USUAL, People
from verkehrspuls.access import (
    accounts,
    links,
    passwords,
    sessions,
    tokens,
    totp,
)
from verkehrspuls.access.accounts import NotManaged
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.sessions import Origin

NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, NOW)


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("administrator", TOWN), ("planner", TOWN))
        found.put(BERND, ("viewer", TOWN), name="Bernd Beispiel")
        found.put("olga@example.org", ("administrator", OTHER))
        yield found


@pytest.fixture
def browser(app: FastAPI, client: TestClient, known: People) -> Browser:
    return Browser(app)


def test_credentials_of_a_proxy_excuse_no_form(browser: Browser) -> None:
    browser.log_in()
    browser.client.headers["sec-fetch-site"] = "cross-site"
    # browsers send these by themselves, or not at all
    for credentials in ("Basic eDp5", "Bearer x", "Negotiate eA=="):
        browser.client.headers["authorization"] = credentials
        for path in (LOGIN, "/de/logout", "/de/people/2", "/de/login/passkey/options"):
            assert browser.post(path, act="disable").status_code == 403, path
    assert browser.get("/de/account").status_code == 200


def test_of_a_token_and_a_cookie_the_token_counts(
    app: FastAPI, browser: Browser, known: People
) -> None:
    with known.operator() as connection:
        token = tokens.create(connection, OTHER, permissions=["view"], name="x")
    program = Browser(app)
    program.client.headers["authorization"] = f"Bearer {token}"
    sees = program.get("/api/v1/sites")
    assert sees.status_code == 200
    browser.log_in()
    assert browser.get("/api/v1/sites").text != sees.text
    browser.client.headers["authorization"] = f"Bearer {token}"
    assert browser.get("/api/v1/sites").text == sees.text
    browser.client.headers["authorization"] = "Bearer vp_00000000_x"
    assert browser.get("/api/v1/sites").status_code == 401


def test_an_error_page_of_a_session_is_kept_nowhere(
    app: FastAPI, browser: Browser, known: People
) -> None:
    browser.log_in(BERND)
    made = browser.client.cookies["session"]
    with known.operator() as connection:
        connection.execute("update vp.session set is_outdated = true")

    def broken() -> datetime:
        raise RuntimeError("a fault of the program")

    usual = app.dependency_overrides[render.now]
    app.dependency_overrides[render.now] = broken
    try:
        answer = browser.get("/de/account")
    finally:
        app.dependency_overrides[render.now] = usual
    assert answer.status_code == 500
    assert answer.headers["cache-control"] == "no-store"
    assert "Cookie" in answer.headers["vary"]
    # the new id came with it
    assert browser.client.cookies["session"] != made
    assert browser.get("/de/account").status_code == 200


def test_of_two_tabs_at_a_renewal_nobody_is_logged_out(
    app: FastAPI, browser: Browser, known: People
) -> None:
    browser.log_in(BERND)
    other = Browser(app)
    made = browser.client.cookies["session"]
    with known.operator() as connection:
        connection.execute("update vp.session set is_outdated = true")
    assert browser.get("/de/account").status_code == 200
    late = other.client.get("/de/account", headers=as_session(made))
    assert late.status_code == 303
    assert "set-cookie" not in late.headers
    assert browser.get(late.headers["location"]).headers["location"] == "/de/account"


@pytest.mark.parametrize(
    "path",
    [
        "/de/people?search=%00",
        "/de/cases?town=%00",
        "/de/cases?site=%00&town=kaiserslautern",
        "/api/v1/cases?from=%00",
    ],
)
def test_a_character_that_the_database_has_not_is_refused(
    browser: Browser, path: str
) -> None:
    browser.log_in()
    answer = browser.get(path)
    assert answer.status_code == 422
    assert "NUL" in answer.text


def test_an_address_that_makes_up_e_mails_fills_nothing(known: People) -> None:
    origin = Origin("192.0.2.77")
    for number in range(200):
        with suppress(TooManyAttempts):
            known.try_log_in(f"made-up-{number}@example.org", origin=origin)
    with known.operator() as connection:
        kept = connection.execute(
            "select count(*) from vp.attempt where kind = 'password'"
        ).fetchone()
    assert kept is not None
    assert kept[0] <= USUAL.address_attempts_per_minute


def test_passwords_of_strangers_leave_threads_for_pages(known: People) -> None:
    results = []

    def attempt(number: int) -> None:
        try:
            passwords.hash_of(PASSWORD)
            results.append("computed")
        except TooManyAttempts:
            results.append("refused")

    assert passwords._TURNS.acquire()
    assert passwords._TURNS.acquire()
    with ThreadPoolExecutor(40) as pool:
        try:
            made = [pool.submit(attempt, number) for number in range(40)]
            wait_for(lambda: results.count("refused") == 30)
        finally:
            passwords._TURNS.release(2)
        wait(made)
    assert results.count("computed") == 10
    assert passwords.hash_of(PASSWORD)


def test_links_are_in_no_log(
    browser: Browser, known: People, caplog: pytest.LogCaptureFixture
) -> None:
    token = sessions.new_id()
    with caplog.at_level(logging.DEBUG):
        browser.get(f"/de/link/{token}")
        browser.get(f"/de/link/{token}/")
        browser.post(f"/en/link/{token}", password="x")
    said = [vars(record) for record in caplog.records]
    assert any(record.get("path") == "/de/link/…" for record in said)
    # the client of the test logs what it asks for
    assert not any(
        token in str(record) for record in said if record["name"] == "api.guard"
    )


def test_a_number_that_is_none_ends_no_session(browser: Browser) -> None:
    browser.log_in()
    token = browser.form_token()
    browser.post("/de/account/sessions", form_token=token, session="1x")
    assert browser.get("/de/account").status_code == 200


def test_an_invitation_ends_with_a_role_elsewhere(known: People) -> None:
    """Else who invited somebody would choose the password for what others gave."""
    with known.web(known.log_in())() as connection:
        guest = accounts.add(connection, "gast@example.org", "Gast")
        accounts.give(connection, guest, "viewer", TOWN)
        made = links.create(connection, guest, "invitation", settings=USUAL)
        accounts.give(connection, guest, "planner", TOWN)
    with known.reading(made.token) as connection:
        assert links.find(connection) is not None
    with known.operator() as connection:
        accounts.give(connection, guest, "administrator", OTHER)
    with known.reading(made.token) as connection:
        assert links.find(connection) is None


def test_a_link_made_while_others_give_a_role_is_none(known: People) -> None:
    guest = known.put("gast2@example.org", ("viewer", TOWN))
    web = known.web(known.log_in())

    def reset() -> str:
        with web() as connection:
            return links.create(connection, guest, "reset", settings=USUAL).token

    with ThreadPoolExecutor(1) as pool:
        with known.operator() as connection:
            accounts.give(connection, guest, "administrator", OTHER)
            later = pool.submit(reset)
            with pytest.raises(TimeoutError):
                later.result(0.3)
            connection.commit()
        with pytest.raises(NotManaged):
            later.result(10)

    other = known.put("gast3@example.org", ("viewer", TOWN))

    def give() -> None:
        with known.operator() as connection:
            accounts.give(connection, other, "administrator", OTHER)

    with ThreadPoolExecutor(1) as pool:
        with web() as connection:
            made = links.create(connection, other, "reset", settings=USUAL)
            later_role = pool.submit(give)
            with pytest.raises(TimeoutError):
                later_role.result(0.3)
        later_role.result(10)
    with known.reading(made.token) as connection:
        assert links.find(connection) is None


def test_a_session_from_before_the_second_factor_ends(known: People) -> None:
    """Else it would stay complete when a role comes that needs the second factor."""
    known.put("frida@example.org", ("viewer", TOWN))
    stolen, own = (known.log_in("frida@example.org") for _ in range(2))
    secret = totp.new_secret()
    code = totp.code(secret, int(NOW.timestamp()) // totp.STEP_S)
    with known.web(own)() as connection:
        renewed = sessions.set_up_second_factor(connection, secret, code, now=NOW)
    assert renewed
    assert known.session(renewed)
    assert known.session(stolen) is None


def test_pages_without_data_go_on_without_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.database.MAX_WAIT_S", 0.2)
    away = f"postgresql://x@127.0.0.1:{free_port()}/x"
    app = served.web(away, NOW)
    with TestClient(app, follow_redirects=False) as client:
        client.headers["cookie"] = f"session={sessions.new_id()}"
        for path in (LOGIN, "/de/about"):
            assert client.get(path).status_code == 200
        for path in ("/de/", "/de/account"):
            answer = client.get(path)
            assert answer.status_code in (303, 503)
            assert "set-cookie" not in answer.headers
        sent = client.post(LOGIN, data={"email": ANNE, "password": PASSWORD})
        assert sent.status_code == 503
        assert PASSWORD not in sent.text
