"""Sessions over HTTP: what who is logged in sees, and nobody else."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from tests import people, served
from tests.people import ANNE, BERND, PASSWORD, TOWN, People
from verkehrspuls.access import accounts, links, sessions, totp

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
    with people.of(url) as found:
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


LOGIN = "/de/login"


class Browser:
    """A browser without scripts: follows redirects by hand, and keeps a cookie."""

    def __init__(self, app: FastAPI) -> None:
        self.client = TestClient(app, follow_redirects=False)
        self.client.headers["sec-fetch-site"] = "same-origin"

    def get(self, path: str) -> Response:
        return self.client.get(path)

    def post(self, path: str, **fields: str) -> Response:
        return self.client.post(path, data=fields)

    def log_in(self, email: str = ANNE, **fields: str) -> Response:
        return self.post(LOGIN, email=email, password=PASSWORD, **fields)

    def form_token(self, path: str = "/de/account") -> str:
        found = re.search(r'name="form_token" value="(\w+)"', self.get(path).text)
        assert found, path
        return found[1]


@pytest.fixture
def browser(app: FastAPI, client: TestClient, known: People) -> Browser:
    return Browser(app)


def test_who_logs_in_goes_where_they_wanted(browser: Browser) -> None:
    asked = browser.get("/de/account")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/de/login?next=%2Fde%2Faccount"
    page = browser.get(asked.headers["location"])
    assert 'name="next" value="/de/account"' in page.text
    assert "set-cookie" not in page.headers
    done = browser.log_in(next="/de/account")
    assert (done.status_code, done.headers["location"]) == (303, "/de/account")
    account = browser.get("/de/account").text
    assert "Kaiserslautern</dt><dd>Lesen" in account
    assert "Abmelden" in account


@pytest.mark.parametrize(
    "elsewhere",
    ["https://example.org/", "//example.org/de/", "/\\example.org", "/api/v1", "x"],
)
def test_nobody_is_led_elsewhere(browser: Browser, elsewhere: str) -> None:
    done = browser.log_in(next=elsewhere)
    assert done.headers["location"] == "/de/"


@pytest.mark.parametrize(
    ("email", "password"),
    [(ANNE, "Kran-Ofen-Distel-38"), ("nobody@example.org", PASSWORD), ("'--", "y<z>")],
)
def test_what_is_wrong_with_a_login_is_not_told(
    browser: Browser, email: str, password: str
) -> None:
    answer = browser.post(LOGIN, email=email, password=password)
    assert answer.status_code == 422
    assert "E-Mail oder Passwort ist falsch" in answer.text
    assert password not in answer.text.replace(email, "")
    assert "set-cookie" not in answer.headers


def test_fields_that_are_empty_say_so(browser: Browser) -> None:
    answer = browser.post(LOGIN, email="", password="")
    assert answer.text.count("Bitte füllen Sie dies aus.") == 2
    # masked, and filled in by managers of passwords
    assert 'type="password"' in answer.text
    assert 'autocomplete="current-password"' in answer.text


def test_a_form_of_another_site_does_nothing(browser: Browser) -> None:
    browser.log_in()
    token = browser.form_token()
    browser.client.headers["sec-fetch-site"] = "cross-site"
    answer = browser.post("/de/account/sessions", form_token=token)
    assert answer.status_code == 403
    del browser.client.headers["sec-fetch-site"]
    browser.client.headers["origin"] = "https://example.org"
    assert browser.log_in().status_code == 403
    browser.client.headers["origin"] = "http://testserver"
    assert browser.get("/de/account").status_code == 200


def test_a_form_without_its_token_is_asked_about(browser: Browser) -> None:
    browser.log_in()
    answer = browser.post("/de/account/sessions", session="7")
    assert "Jetzt absenden" in answer.text
    assert browser.get("/de/account").status_code == 200


def test_what_was_typed_survives_the_end_of_a_session(
    browser: Browser, known: People
) -> None:
    browser.log_in()
    token = browser.form_token()
    with known.web(browser.client.cookies["session"])() as connection:
        sessions.end(connection)
    markup = '<b>"Ümläut" & \u202e'
    answer = browser.post(
        "/de/account", form_token=token, comment=markup, password="never-shown"
    )
    assert "inzwischen abgemeldet" in answer.text
    assert "never-shown" not in answer.text
    fields = dict(
        re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.text)
    )
    assert unescape(fields["typed.comment"]) == markup
    again = browser.log_in(**{name: unescape(text) for name, text in fields.items()})
    assert again.status_code == 200
    assert f'name="comment" value="{fields["typed.comment"]}"' in again.text
    assert 'action="/de/account"' in again.text
    found = re.search(r'name="form_token" value="(\w+)"', again.text)
    assert found
    # it is taken
    sent = browser.post("/de/account", form_token=found[1], password="a")
    assert "verschieden" in sent.text


def test_logging_out_everywhere_ends_all_sessions(
    app: FastAPI, browser: Browser
) -> None:
    other = Browser(app)
    other.log_in()
    browser.log_in()
    ended = browser.post("/de/account/sessions", form_token=browser.form_token())
    assert ended.headers["location"] == LOGIN
    for each in (browser, other):
        assert each.get("/de/account").status_code == 303


def test_logging_out_ends_the_session(browser: Browser, known: People) -> None:
    browser.log_in()
    made = browser.client.cookies["session"]
    answer = browser.post("/de/logout")
    assert answer.status_code == 303
    assert "session" not in browser.client.cookies
    assert known.session(made) is None


def test_logging_in_ends_the_session_before(browser: Browser, known: People) -> None:
    browser.log_in()
    made = browser.client.cookies["session"]
    browser.log_in()
    assert browser.client.cookies["session"] != made
    assert known.session(made) is None


def test_a_link_is_used_once_and_only_by_its_form(
    browser: Browser, known: People
) -> None:
    with known.operator() as connection:
        account_id = accounts.add(connection, "carla@example.org", "Carla")
        made = links.create(connection, account_id, "invitation", settings=people.USUAL)
    path = made.at("http://testserver")[len("http://testserver") :]
    for _ in range(2):
        page = browser.get(path)
        assert "Willkommen" in page.text
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
    weak = browser.post(path, password="carla", password_again="carla", name="Carla")
    assert "mindestens 12 Zeichen" in weak.text
    differ = browser.post(path, password=PASSWORD, password_again="x", name="Carla")
    assert "verschieden" in differ.text
    used = browser.post(
        path, password=PASSWORD, password_again=PASSWORD, name="Carla M."
    )
    assert used.headers["location"] == "/de/account"
    assert "Carla M." in browser.get("/de/account").text
    assert browser.get(path).status_code == 404
    assert browser.get("/de/link/x").status_code == 404


def test_second_factor_is_set_up_and_asked_for(
    app: FastAPI, browser: Browser, known: People
) -> None:
    known.put("dora@example.org", ("viewer", TOWN))
    browser.log_in("dora@example.org")
    path = "/de/account/second-factor"
    page = browser.get(path).text
    assert "<svg" in page
    found = re.search(r'name="secret" value="(\w+)"', page)
    assert found
    secret = totp.read(found[1])
    assert secret
    step = int(NOW.timestamp()) // totp.STEP_S
    token = browser.form_token(path)
    wrong = browser.post(path, form_token=token, secret=found[1], code="000000")
    assert (wrong.status_code, found[1] in wrong.text) == (422, True)
    code = totp.code(secret, step)
    done = browser.post(path, form_token=token, secret=found[1], code=code)
    assert done.headers["location"] == "/de/account?done=second-factor"
    assert "eingerichtet" in browser.get(done.headers["location"]).text

    other = Browser(app)
    asked = other.log_in("dora@example.org")
    assert "Code mit sechs Ziffern" in asked.text
    assert HIDDEN not in other.get("/api/v1/sites").text
    assert "Code mit sechs Ziffern" in other.get("/de/account").text
    code = totp.code(secret, step + 1)
    done = other.post("/de/login/second-factor", code=code, next="/de/account")
    assert done.headers["location"] == "/de/account"
    assert HIDDEN in other.get("/api/v1/sites").text


def test_passwords_are_sent_over_https_only(app: FastAPI, client: TestClient) -> None:
    far = TestClient(app, client=("203.0.113.7", 4711), follow_redirects=False)
    for path in (LOGIN, "/de/link/x"):
        assert far.get(path).status_code == 403
    fields = {"email": ANNE, "password": PASSWORD}
    assert far.post(LOGIN, data=fields).status_code == 403
    safe = TestClient(
        app,
        base_url="https://testserver",
        client=("203.0.113.7", 4711),
        follow_redirects=False,
    )
    done = safe.post(LOGIN, data=fields)
    assert done.status_code == 303, done.text
    cookie = done.headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_password_is_changed(browser: Browser, known: People) -> None:
    email, new = "emil@example.org", "Kran-Ofen-Distel-38"
    known.put(email)
    browser.log_in(email)
    token = browser.form_token()
    fields = {"form_token": token, "password": new, "password_again": new}
    for wrong in ({}, {"proof_password": "falsch"}):
        asked = browser.post("/de/account", **fields, **wrong)
        assert asked.status_code in (403, 422)
        assert new not in asked.text
        assert known.try_log_in(email) is not None
    assert "nicht Ihr Passwort" in asked.text
    done = browser.post("/de/account", proof_password=PASSWORD, **fields)
    assert done.headers["location"] == "/de/account?done=password"
    assert known.try_log_in(email, new) is not None
