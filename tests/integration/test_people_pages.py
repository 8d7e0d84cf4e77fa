"""The pages of people: invitations, roles, resets, by who may manage people."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests import people, served
from tests.integration.test_sessions_over_http import Browser
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.access import accounts

NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
PEOPLE = "/de/people"
NAMES = ("O'Neill \"<b>", "عمر شريف", "Ümit & Söhne")


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, NOW)


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("administrator", TOWN))
        found.put(BERND, ("viewer", TOWN), name="Bernd Beispiel")
        found.put("olga@example.org", ("administrator", OTHER))
        yield found


@pytest.fixture
def browser(app: FastAPI, client: TestClient, known: People) -> Browser:
    browser = Browser(app)
    browser.client.headers["origin"] = "http://testserver"
    browser.log_in()
    return browser


def link_in(text: str) -> str:
    found = re.search(r'value="http://testserver(/de/link/[\w-]+)"', text)
    assert found
    return found[1]


def invite(browser: Browser, email: str, **fields: str) -> str:
    fields = {"name": "Carla", "town": TOWN, "role": "planner"} | fields
    token = browser.form_token(PEOPLE)
    answer = browser.post(PEOPLE, form_token=token, email=email, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_who_is_invited_logs_in_by_the_link(
    app: FastAPI, browser: Browser, number: int
) -> None:
    name, email = NAMES[number], f"new{number}@example.org"
    page = invite(browser, email, name=name)
    assert "<b>" not in page
    path = link_in(page)
    guest = Browser(app)
    assert email in guest.get(path).text
    chosen = {"password": people.PASSWORD, "password_again": people.PASSWORD}
    assert guest.post(path, name=name, **chosen).status_code == 303
    assert "Kaiserslautern</dt><dd>Planung" in guest.get("/de/account").text
    listed = browser.get(f"{PEOPLE}?search={email}").text
    assert f"{email} · aktiv" in listed
    assert guest.get(PEOPLE).status_code == 403


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"email": "no mail"}, "keine E-Mail-Adresse"),
        ({"name": "\u202e"}, "sichtbare Zeichen"),
        ({"town": OTHER}, ""),
        ({"role": "operator"}, ""),
        ({"role": "king"}, ""),
    ],
)
def test_a_wrong_invitation_changes_nothing(
    browser: Browser, known: People, wrong: dict[str, str], says: str
) -> None:
    fields = {"email": "none@example.org", "name": "None"}
    fields |= {"town": TOWN, "role": "viewer"} | wrong
    token = browser.form_token(PEOPLE)
    answer = browser.post(PEOPLE, form_token=token, **fields)
    assert answer.status_code in (403, 404, 422)
    assert says in answer.text
    if answer.status_code == 422:
        assert 'class="error"' in answer.text
    with known.operator() as connection:
        assert "none@example.org" not in {
            one.email for one in accounts.every(connection)
        }


def test_roles_are_given_and_taken(browser: Browser, known: People) -> None:
    with known.operator() as connection:
        number = accounts.find(connection, BERND).account_id
    path = f"{PEOPLE}/{number}"
    token = browser.form_token(path)
    fields = {"form_token": token, "town": TOWN, "role": "engineer"}
    done = browser.post(path, act="give", **fields)
    assert done.headers["location"] == f"{path}?done=give"
    page = browser.get(f"{path}?done=give").text
    assert "Technik, Kaiserslautern" in page
    assert "Die Rolle ist vergeben." in page
    browser.post(path, act="take", **fields)
    assert "Technik, Kaiserslautern" not in browser.get(path).text


def test_the_last_administrator_stays(browser: Browser, known: People) -> None:
    with known.operator() as connection:
        number = accounts.find(connection, ANNE).account_id
    path = f"{PEOPLE}/{number}"
    fields = {"form_token": browser.form_token(path), "town": TOWN}
    for more in ({"act": "take", "role": "administrator"}, {"act": "disable"}):
        refused = browser.post(path, **fields, **more)
        assert refused.status_code == 409
        assert "keine Verwaltung mehr" in refused.text


def test_disabling_ends_and_enabling_lets_in_again(
    app: FastAPI, browser: Browser, known: People
) -> None:
    number = known.put("dora@example.org", ("viewer", TOWN))
    guest, path = Browser(app), f"{PEOPLE}/{number}"
    guest.log_in("dora@example.org")
    token = browser.form_token(path)
    browser.post(path, form_token=token, act="disable")
    assert guest.get("/de/account").status_code == 303
    assert guest.log_in("dora@example.org").status_code == 422
    browser.post(path, form_token=token, act="enable")
    assert guest.log_in("dora@example.org").status_code == 303


def test_a_reset_makes_a_link(app: FastAPI, browser: Browser, known: People) -> None:
    number = known.put("emil@example.org", ("viewer", TOWN))
    path = f"{PEOPLE}/{number}"
    page = browser.post(path, form_token=browser.form_token(path), act="reset").text
    new = "Kran-Ofen-Distel-38"
    used = Browser(app).post(link_in(page), password=new, password_again=new)
    assert used.status_code == 303
    assert known.try_log_in("emil@example.org", new) is not None


def test_people_of_other_towns_are_not_there(browser: Browser, known: People) -> None:
    with known.operator() as connection:
        number = accounts.find(connection, "olga@example.org").account_id
    assert "olga@example.org" not in browser.get(PEOPLE).text
    path = f"{PEOPLE}/{number}"
    nobody = f"{PEOPLE}/{2**31 - 1}"
    assert browser.get(path).status_code == browser.get(nobody).status_code == 404
    token = browser.form_token(PEOPLE)
    for act in ("disable", "reset"):
        answer = browser.post(path, form_token=token, act=act)
        assert answer.status_code == 303
    assert known.try_log_in("olga@example.org") is not None
