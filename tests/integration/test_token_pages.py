"""The pages of tokens, as people use them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from tests import people, served
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.access import tokens

PAGE = "/de/account/tokens"
TOKEN = re.compile(r"vp_[0-9a-f]{8}_[\w-]{43}")
CLARA = "clara@example.org"
Fields = dict[str, str | list[str]]


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, datetime(2026, 3, 4, 0, 30, tzinfo=UTC))


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("planner", TOWN), ("viewer", OTHER))
        found.put(BERND, ("engineer", TOWN), name="Bernd Muster")
        found.put(CLARA, name="Clara Muster")
        yield found


class Person:
    """Somebody who is logged in and uses a browser."""

    def __init__(self, client: TestClient, known: People, email: str) -> None:
        self.client = client
        self.cookie = {"cookie": f"session={known.log_in(email)}"}

    def get(self, path: str = PAGE) -> Response:
        return self.client.get(path, headers=self.cookie)

    def send(self, path: str, fields: Fields | None = None) -> Response:
        """Send the form of a page."""
        own = re.search(r'name="form_token" value="(\w+)"', self.get(path).text)
        assert own is not None
        return self.client.post(
            path, data={"form_token": own[1], **(fields or {})}, headers=self.cookie
        )

    def make(self, **fields: str | list[str]) -> Response:
        """Make a token."""
        usual: Fields = {
            "name": "Skript",
            "town": TOWN,
            "permission": "view",
            "days": "30",
        }
        return self.send(PAGE, usual | fields)


def made_in(answer: Response) -> str:
    """Return the token that a page shows, once and nowhere else."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    (token,) = TOKEN.findall(answer.text)
    assert token not in str(answer.headers)
    return str(token)


def error_of(answer: Response, status: int, field: str) -> str:
    """Return what is said beside a field."""
    assert answer.status_code == status
    assert not TOKEN.search(answer.text)
    found = re.search(rf'id="{field}-error"[^>]*>([^<]+)<', answer.text)
    assert found is not None, answer.text
    return unescape(found[1])


def test_a_token_is_shown_once_and_works(client: TestClient, known: People) -> None:
    anne = Person(client, known, ANNE)
    token = made_in(anne.make(permission=["view", "cases"], name="Leit <b>stelle"))
    listed = anne.get().text
    assert token not in listed
    assert token[:11] in listed
    assert "Leit &lt;b&gt;stelle" in listed
    assert "Nicht Öffentliches sehen, Fälle entscheiden und kommentieren" in listed
    answer = client.get(
        f"/api/v1/sites/{TOWN}/hof", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200


def test_only_what_the_person_has_is_offered_and_given(
    client: TestClient, known: People
) -> None:
    anne, clara = (Person(client, known, email) for email in (ANNE, CLARA))
    page = anne.get().text
    assert {'value="view"', 'value="cases"', f'value="{OTHER}"'} <= set(
        re.findall(r'value="\w+"', page)
    )
    assert 'value="readings"' not in page
    assert 'name="sensor"' not in page
    said = error_of(anne.make(permission="readings"), 403, "permission")
    assert said.endswith(" in Kaiserslautern selbst nicht: Messwerte senden.")
    said = error_of(anne.make(permission=["cases"], town=OTHER), 403, "permission")
    assert "Verborgen" in said
    error_of(anne.make(permission=["people"]), 403, "permission")
    assert 'name="permission"' not in clara.get().text


def known_tokens(known: People) -> set[str]:
    with known.operator() as connection:
        return {one.prefix for one in tokens.every(connection)}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", " ", "Ein Name hat 1 bis 200 sichtbare Zeichen"),
        ("permission", [], "Wählen "),
        ("days", "366", "So viele Tage kann ein Token nicht gelten."),
        ("days", "", "So viele Tage kann ein Token nicht gelten."),
        ("sensor", "nirgends", "Diesen Sensor gibt es in Kaiserslautern nicht."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    client: TestClient, known: People, field: str, value: str | list[str], said: str
) -> None:
    bernd = Person(client, known, BERND)
    usual: Fields = {"permission": "readings", "name": "Nicht <i>verloren"}
    answer = bernd.make(**(usual | {field: value}))
    assert error_of(answer, 422, field).startswith(said)
    assert field == "name" or "Nicht &lt;i&gt;verloren" in answer.text


def test_readings_of_a_sensor(client: TestClient, known: People) -> None:
    with known.operator() as connection:
        (key,) = connection.execute(
            "select e.key from sensor e join municipality m using (municipality_id)"
            " where m.key = %s order by 1 limit 1",
            [TOWN],
        ).fetchone() or ("",)
    bernd = Person(client, known, BERND)
    made_in(bernd.make(permission="readings", sensor=key))
    assert f"nur der Sensor {key}" in bernd.get().text


def test_a_form_of_nobody_makes_nothing(client: TestClient, known: People) -> None:
    assert client.get(PAGE).headers["location"].startswith("/de/login?")
    anne = Person(client, known, ANNE)
    before = known_tokens(known)
    fields = {"name": "x", "town": TOWN, "permission": "view", "days": "30"}
    for cookie in ({}, anne.cookie):
        answer = client.post(PAGE, data=fields, headers=cookie)
        assert not TOKEN.search(answer.text)
    elsewhere = {**anne.cookie, "sec-fetch-site": "cross-site"}
    assert client.post(PAGE, data=fields, headers=elsewhere).status_code == 403
    assert known_tokens(known) == before


def test_a_token_is_revoked_after_asking(client: TestClient, known: People) -> None:
    anne, bernd, clara = (
        Person(client, known, email) for email in (ANNE, BERND, CLARA)
    )
    prefix = made_in(anne.make())[:11]
    path = f"{PAGE}/{prefix}"
    assert clara.get(path).status_code == 404
    other = made_in(bernd.make(name="Bernds"))[:11]
    assert other not in anne.get().text
    assert anne.get(f"{PAGE}/{other}").status_code == 404
    # an engineer sees those of the town
    assert prefix in bernd.get().text
    assert "Das lässt sich nicht rückgängig machen." in bernd.get(path).text
    answer = bernd.send(path)
    assert answer.headers["location"] == f"{PAGE}?done=revoked"
    page = anne.get(answer.headers["location"]).text
    assert "Es gilt ab sofort nicht mehr." in page
    assert f'action="{path}"' not in page
    assert "widerrufen" in page


def test_english_has_no_german_words(client: TestClient, known: People) -> None:
    page = Person(client, known, ANNE).get("/en/account/tokens").text
    assert "New token" in page
    assert "Make the token" in page
