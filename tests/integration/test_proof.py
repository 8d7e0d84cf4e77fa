"""What needs somebody who has just shown who they are, and how they show it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Final

import psycopg
import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from tests import people, served
from tests.authenticator import Authenticator
from tests.people import HOME, PASSWORD, TOWN, USUAL, People
from verkehrspuls.access import links, oidc, passkeys, sessions, tokens, totp

ADDRESS: Final = "https://verkehr.example.org"
COOKIE: Final = "__Host-session"
NEW: Final = "Kran-Ofen-Distel-38"
ASKED: Final = "Bestätigen Sie, dass Sie es sind"
#: forms that need it
FORMS: Final = {
    "/de/account/tokens": {
        "name": "Leit <b>stelle",
        "town": TOWN,
        "permission": "cases",
        "days": "30",
    },
    "/de/account/sessions": {"session": ""},
    "/de/account/single-sign-on": {"do": "unlink"},
    "/de/account/second-factor": {"secret": totp.write(b"x" * 20), "code": "000000"},
    "/de/account/passkeys": {"name": "Telefon", "answer": "{}"},
    "/de/account/passkeys/1": {"do": "remove"},
}


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    # codes are of now
    return served.web(url, None, address=ADDRESS)


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        yield found


class Browser:
    """The browser of somebody who logged in more than ten minutes ago."""

    def __init__(self, client: TestClient, known: People, session: str) -> None:
        self.client, self.known = client, known
        self.enter(session)
        known.outlast_proofs()

    def enter(self, session: str) -> None:
        self.client.cookies.clear()
        self.client.cookies.set(COOKIE, session, domain="verkehr.example.org")

    @property
    def session(self) -> str:
        return str(self.client.cookies[COOKIE])

    def token(self) -> str:
        page = self.client.get("/de/account").text
        found = re.search(r'name="form_token" value="(\w+)"', page)
        assert found is not None
        return found[1]

    def send(self, path: str, fields: dict[str, str]) -> Response:
        return self.client.post(path, data={"form_token": self.token(), **fields})

    def sessions(self) -> int:
        with self.known.reading(self.session) as connection:
            mine = sessions.find(connection)
            assert mine is not None
            return len(sessions.of_account(connection, mine.account_id))


@pytest.fixture
def browser(
    client: TestClient, known: People, request: pytest.FixtureRequest
) -> Browser:
    """The browser of a person of this test alone."""
    client.base_url, client.follow_redirects = ADDRESS, False
    email = f"{abs(hash(request.node.name))}@example.org"
    known.put(email, ("planner", TOWN))
    return Browser(client, known, known.log_in(email))


def hidden(page: str) -> dict[str, str]:
    """What the first form of the page sends along."""
    form = re.search(r'<form class="stacked".*?</form>', page, re.S)
    assert form is not None
    fields = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[0])
    return {name: unescape(value) for name, value in fields}


@pytest.mark.parametrize("path", FORMS)
def test_a_form_asks_first_and_keeps_what_was_typed(
    browser: Browser, path: str
) -> None:
    asked = browser.send(path, FORMS[path])
    assert asked.status_code == 403
    assert ASKED in asked.text
    assert asked.headers["cache-control"] == "no-store"
    assert f'action="{path}"' in asked.text
    kept = hidden(asked.text)
    assert FORMS[path].items() <= kept.items()
    before = browser.session
    wrong = browser.client.post(path, data={**kept, "proof_password": "falsch"})
    assert (wrong.status_code, browser.session) == (422, before)
    assert "nicht Ihr Passwort" in wrong.text
    assert "falsch" not in wrong.text
    assert FORMS[path].items() <= hidden(wrong.text).items()
    done = browser.client.post(path, data={**kept, "proof_password": PASSWORD})
    assert ASKED not in done.text
    if path.endswith("/sessions"):
        assert done.headers["location"] == "/de/login"
        return
    # under another id, and the old one is of no use
    assert browser.session != before
    assert browser.known.session(before) is None
    again = browser.send(path, FORMS[path])
    assert ASKED not in again.text


def test_the_token_that_was_typed_is_made(browser: Browser) -> None:
    path = "/de/account/tokens"
    asked = browser.send(path, FORMS[path])
    kept = hidden(asked.text) | {"proof_password": PASSWORD}
    made = browser.client.post(path, data=kept)
    assert made.status_code == 200
    assert "Leit &lt;b&gt;stelle" in made.text
    assert re.search(r"vp_[0-9a-f]{8}_", made.text)


def test_a_page_that_needs_it_is_opened_after_it(browser: Browser) -> None:
    page = browser.client.get("/de/account/second-factor")
    assert page.status_code == 303
    asked = browser.client.get(page.headers["location"])
    assert (asked.status_code, ASKED in asked.text) == (200, True)
    kept = hidden(asked.text) | {"proof_password": PASSWORD}
    done = browser.client.post("/de/account/proof", data=kept)
    assert done.headers["location"] == "/de/account/second-factor"
    assert browser.client.get("/de/account/second-factor").status_code == 200
    assert "next" not in browser.client.get("/de/account/proof?next=//x").headers
    led = browser.client.get("/de/account/proof?next=//example.org")
    assert led.headers["location"] == "/de/"


def test_a_code_shows_it(browser: Browser) -> None:
    secret, now = totp.new_secret(), datetime.now(UTC)
    step = int(now.timestamp()) // totp.STEP_S
    with browser.known.operator() as connection:
        connection.execute("update vp.session set proved_at = now()")
    with browser.known.web(browser.session)() as connection:
        first = totp.code(secret, step - 1)
        session = sessions.set_up_second_factor(connection, secret, first, now=now)
    assert session is not None
    browser.enter(session)
    browser.known.outlast_proofs()
    path = "/de/account/tokens"
    asked = browser.send(path, FORMS[path])
    assert 'name="proof_code"' in asked.text
    kept = hidden(asked.text)
    wrong = browser.client.post(path, data={**kept, "proof_code": "abcdef"})
    assert (wrong.status_code, "Dieser Code" in wrong.text) == (422, True)
    code = totp.code(secret, step)
    made = browser.client.post(path, data={**kept, "proof_code": code})
    assert (made.status_code, ASKED in made.text) == (200, False)
    # once
    browser.known.outlast_proofs()
    again = browser.send(path, {**FORMS[path], "proof_code": code})
    assert again.status_code == 422


def passkey(browser: Browser) -> Authenticator:
    """Add a passkey to the account of a browser, as it was when it logged in."""
    party = passkeys.relying_party(ADDRESS)
    with browser.known.operator() as connection:
        connection.execute("update vp.session set proved_at = now()")
    web, made = browser.known.web(browser.session), Authenticator()
    with web() as connection:
        options = passkeys.offer(connection, party)
    assert options is not None
    session = passkeys.add(web, party, made.make(options), name="Telefon")
    assert session is not None
    browser.enter(session)
    browser.known.outlast_proofs()
    return made


def test_a_passkey_shows_it_and_goes_with_it(browser: Browser) -> None:
    key = passkey(browser)
    own = "/de/account/passkeys"
    page = browser.client.get(own).text
    # nothing is added before
    assert 'data-passkey="make"' not in page
    assert 'href="/de/account/proof?next=%2Fde%2Faccount%2Fpasskeys"' in page
    refused = browser.send(f"{own}/options", {})
    assert (refused.status_code, list(refused.json())) == (403, ["said"])
    found = re.search(rf'action="({own}/\d+)"', page)
    assert found is not None
    asked = browser.send(found[1], {"do": "remove", "others": "1"})
    assert 'name="proof_passkey"' in asked.text
    kept = hidden(asked.text)
    options = browser.client.post("/de/login/passkey/options", data=kept)
    answer = key.sign(options.text)
    done = browser.client.post(found[1], data={**kept, "proof_passkey": answer})
    assert (done.status_code, done.headers["location"]) == (303, own)
    assert "noch keinen Passkey" in browser.client.get(own).text


def test_a_passkey_of_somebody_else_does_not(browser: Browser) -> None:
    stranger = passkey(browser)
    browser.known.put("fremd@example.org")
    browser.enter(browser.known.log_in("fremd@example.org"))
    browser.known.outlast_proofs()
    path = "/de/account/tokens"
    options = browser.client.post("/de/login/passkey/options")
    answer = stranger.sign(options.text)
    refused = browser.send(path, {**FORMS[path], "proof_passkey": answer})
    assert refused.status_code == 422
    assert "nicht angenommen" in refused.text


@pytest.mark.parametrize("boxes", [{}, {"others": "1"}, {"others": "1", "tokens": "1"}])
def test_with_the_password_ends_what_is_ticked(
    browser: Browser, boxes: dict[str, str]
) -> None:
    known = browser.known
    mine = known.session(browser.session)
    assert mine is not None
    elsewhere = known.log_in(mine.email)
    with known.web(elsewhere)() as connection:
        token = tokens.give(
            connection,
            mine,
            TOWN,
            permissions=["view"],
            name="x",
            days=1,
            settings=USUAL,
        )
    page = browser.client.get("/de/account").text
    assert re.search(r'name="others" value="1" checked', page)
    assert re.search(r'name="tokens" value="1" checked', page)
    fields = {"password": NEW, "password_again": NEW, "proof_password": PASSWORD}
    done = browser.send("/de/account", fields | boxes)
    assert done.headers["location"] == "/de/account?done=password"
    assert (known.session(elsewhere) is None) is ("others" in boxes)
    assert known.session(browser.session) is not None
    with known.reading(token) as connection:
        assert (tokens.find(connection, token) is None) is ("tokens" in boxes)


def test_who_has_no_password_chooses_one_at_once_or_is_asked(browser: Browser) -> None:
    """As who logs in by a link, or at a provider."""
    known = browser.known
    with known.operator() as connection:
        connection.execute(
            "update vp.account set password_hash = null where account_id ="
            " (select account_id from vp.session where sha256 = %s)",
            [sessions.sha256_of(browser.session)],
        )
    page = browser.client.get("/de/account").text
    assert 'href="/de/account/proof?next=%2Fde%2Faccount"' in page
    assert 'name="password"' not in page
    fields = {"password": NEW, "password_again": NEW}
    asked = browser.send("/de/account", fields)
    assert (asked.status_code, ASKED in asked.text) == (403, True)
    assert NEW not in asked.text
    assert "noch nichts" in asked.text
    with known.operator() as connection:
        connection.execute("update vp.session set proved_at = now()")
    assert 'name="proof_password"' not in browser.client.get("/de/account").text
    done = browser.send("/de/account", fields)
    assert done.headers["location"] == "/de/account?done=password"


def test_the_database_refuses_by_itself(browser: Browser) -> None:
    """As somebody with statements of their own within the web would try."""
    known = browser.known
    mine = known.session(browser.session)
    assert mine is not None
    assert not mine.has_proved
    web = known.web(browser.session)
    assert not sessions.change_password(web, mine, NEW)
    with web() as connection:
        assert passkeys.offer(connection, passkeys.relying_party(ADDRESS)) is None
        assert not passkeys.remove(connection, 1, settings=USUAL)
        assert sessions.end_all(connection, mine.account_id) == 0
        assert not oidc.unlink(connection, mine.account_id)
        secret, now = totp.new_secret(), datetime.now(UTC)
        code = totp.code(secret, int(now.timestamp()) // totp.STEP_S)
        made = sessions.set_up_second_factor(connection, secret, code, now=now)
        assert made is None
    for refused in (
        lambda connection: tokens.give(
            connection,
            mine,
            TOWN,
            permissions=["view"],
            name="x",
            days=1,
            settings=USUAL,
        ),
        lambda connection: connection.execute(
            "select shown.begin_oidc_login(sha256('a'), sha256('b'), '/', true, '1 h')"
        ),
        lambda connection: connection.execute(
            "update vp.session set proved_at = now()"
        ),
    ):
        with (
            pytest.raises((psycopg.errors.InsufficientPrivilege, tokens.NotGiven)),
            web() as connection,
        ):
            refused(connection)


def test_a_link_for_logging_in_shows_it(browser: Browser) -> None:
    known = browser.known
    mine = known.session(browser.session)
    assert mine is not None
    with known.operator() as connection:
        made = links.create(connection, mine.account_id, "login", settings=USUAL)
    begun = links.use(known.web(made.token), origin=HOME, settings=USUAL)
    assert begun is not None
    found = known.session(begun.id)
    assert found is not None
    assert found.has_proved
