"""The addresses of passkeys over HTTP: who gets what, and what is said of a refusal."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests import people, served
from tests.authenticator import Authenticator, encoded
from tests.people import ANNE, BERND, TOWN, People

ADDRESS: Final = "https://verkehr.example.org"
COOKIE: Final = "__Host-session"
OWN: Final = "/de/account/passkeys"
LOGIN: Final = "/de/login/passkey"


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, datetime(2026, 3, 4, tzinfo=UTC), address=ADDRESS)


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("administrator", TOWN))
        found.put(BERND)
        yield found


@pytest.fixture
def browser(client: TestClient) -> Iterator[TestClient]:
    """A browser without a session, and so at the end."""
    client.cookies.clear()
    client.base_url = ADDRESS
    yield client
    client.cookies.clear()


def log_in(browser: TestClient, known: People, email: str = ANNE) -> str:
    """Log in by password; return what forms of the session contain."""
    browser.cookies.set(COOKIE, known.log_in(email), domain="verkehr.example.org")
    page = browser.get(OWN)
    assert page.status_code == 200, page.text
    return page.text.partition('name="form_token" value="')[2].partition('"')[0]


def add(browser: TestClient, token: str, name: str = "Laptop") -> Authenticator:
    key, form = Authenticator(), {"form_token": token}
    options = browser.post(f"{OWN}/options", data=form)
    assert options.status_code == 200, options.text
    answer = key.make(options.text)
    added = browser.post(OWN, data={**form, "name": name, "answer": answer})
    assert (added.status_code, added.headers["location"]) == (303, OWN)
    return key


def sign(browser: TestClient, key: Authenticator, **form: str) -> str:
    """Log in by a passkey; return where that leads, or the page that refuses it."""
    options = browser.post(f"{LOGIN}/options", data=form)
    assert options.headers["cache-control"] == "no-store"
    answer = key.sign(options.text)
    signed = browser.post(LOGIN, data={**form, "answer": answer})
    assert signed.headers["cache-control"] == "no-store"
    return signed.headers.get("location") or signed.text


def test_a_passkey_is_added_shown_renamed_and_removed(
    browser: TestClient, known: People
) -> None:
    token = log_in(browser, known, BERND)
    assert "noch keinen Passkey" in browser.get(OWN).text
    key = add(browser, token, "Büro <1>")
    page = browser.get(OWN)
    assert page.headers["cache-control"] == "no-store"
    assert "Büro &lt;1&gt;" in page.text
    # the session got another id
    token = page.text.partition('name="form_token" value="')[2].partition('"')[0]
    number = page.text.partition('id="passkey-')[2].partition('"')[0]
    mine = f"{OWN}/{number}"
    form = {"form_token": token, "name": " ", "do": "rename"}
    refused = browser.post(mine, data=form)
    assert refused.status_code == 422
    assert "1 bis 200 sichtbare Zeichen" in refused.text
    assert browser.post(mine, data={**form, "name": "Telefon"}).status_code == 303
    assert "Telefon" in browser.get(OWN).text

    browser.cookies.clear()
    assert sign(browser, key, next="/de/about") == "/de/about"
    page = browser.get(OWN)
    assert "Zuletzt verwendet" in page.text
    token = page.text.partition('name="form_token" value="')[2].partition('"')[0]
    remove = {"form_token": token, "do": "remove"}
    assert browser.post(mine, data=remove).status_code == 303
    gone = browser.post(mine, data=remove)
    assert gone.status_code == 404
    assert "schon entfernt" in gone.text


def test_a_passkey_is_the_second_factor_of_a_session(
    browser: TestClient, known: People
) -> None:
    key = add(browser, log_in(browser, known))
    waiting = known.log_in(ANNE)
    browser.cookies.clear()
    browser.cookies.set(COOKIE, waiting, domain="verkehr.example.org")
    # nothing is added beside it
    asked = browser.get(OWN).text
    assert "Passkey hinzufügen" not in asked
    assert browser.post(f"{OWN}/options").status_code == 401
    # what the person has is asked for, and nothing else
    assert 'data-passkey="show"' in asked
    assert 'name="code"' not in asked
    stranger = Authenticator(handle=key.handle)
    assert "Dieser Passkey wurde nicht angenommen." in sign(browser, stranger)
    typed = {"next": "/de/cases/7", "typed.comment": "Baum"}
    resumed = sign(browser, key, **typed)
    assert 'action="/de/cases/7"' in resumed
    assert 'name="comment" value="Baum"' in resumed
    assert browser.get(OWN).status_code == 200


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a b"]
)
def test_nobody_is_led_elsewhere(
    browser: TestClient, known: People, target: str
) -> None:
    key = add(browser, log_in(browser, known, _fresh(known, target)))
    browser.cookies.clear()
    assert sign(browser, key, next=target) == "/de/"


def test_strangers_and_other_sites_change_nothing(
    browser: TestClient, known: People
) -> None:
    to_login = f"/de/login?next={quote(OWN, safe='')}"
    assert browser.get(OWN).headers["location"] == to_login
    assert browser.post(OWN).headers["location"] == to_login
    refused = browser.post(f"{OWN}/options")
    assert refused.status_code == 401
    assert "nicht mehr angemeldet" in refused.json()["said"]
    assert browser.post(f"{OWN}/1").status_code == 401
    token = log_in(browser, known, BERND)
    for form in ({}, {"form_token": token[:-1]}, {"form_token": "ä"}):
        assert browser.post(f"{OWN}/options", data=form).status_code == 401
        assert browser.post(OWN, data=form).headers["location"] == OWN
        # is offered to be sent again
        kept = browser.post(f"{OWN}/1", data={**form, "name": "Uhr"}).text
        assert 'name="name" value="Uhr"' in kept
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for address in (OWN, LOGIN, f"{LOGIN}/options"):
        refused = browser.post(address, data={"form_token": token}, headers=elsewhere)
        assert refused.status_code == 403


def test_what_is_no_answer_is_refused(browser: TestClient, known: People) -> None:
    for answer in ("", "{}", "null", "\x00", json.dumps({"id": encoded(b"x")})):
        refused = browser.post(LOGIN, data={"answer": answer})
        assert refused.status_code == 403
        assert "nicht angenommen" in refused.text
    assert browser.post(LOGIN, content=b"\xff=\xff").status_code == 403


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/de/login", {"email": "nobody@example.org", "password": "x"}),
        (f"{LOGIN}/options", {}),
    ],
)
def test_who_tries_too_often_is_told_when_to_come_back(
    app: FastAPI, browser: TestClient, known: People, path: str, form: dict[str, str]
) -> None:
    headers = {"sec-fetch-site": "same-origin"}
    client = ("2001:db8:e::1", 1)
    away = TestClient(app, base_url=ADDRESS, headers=headers, client=client)
    for _ in range(31):
        answer = away.post(path, data=form)
        if answer.status_code == 429:
            break
        assert "retry-after" not in answer.headers
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_where_browsers_would_refuse_it_is_said(url: str, known: People) -> None:
    session = known.log_in(BERND)
    app = served.web(url, datetime(2026, 3, 4, tzinfo=UTC))
    with TestClient(app, cookies={"session": session}) as browser:
        assert "pages.address" in browser.get("/de/account/passkeys").text
        assert "Passkey" not in TestClient(app).get("/de/login").text
        refused = browser.post(f"{LOGIN}/options")
    assert refused.status_code == 409
    assert "pages.address" in refused.json()["said"]


def _fresh(known: People, target: str) -> str:
    email = f"p{sum(target.encode())}@example.org"
    known.put(email)
    return email
