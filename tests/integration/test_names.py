"""Names of people and tokens that are hard to show, in pages and in files."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests import people, served
from tests.integration.test_token_pages import Person, made_in
from tests.people import ANNE, BERND, TOWN, People

NAMES = (
    'O\'Neill "die <b>Planung"; x, y',
    "</script><script>alert(1)</script>",
    "{{ 7 * 7 }} %(name)s {0} &amp;",
    '=HYPERLINK("https://example.org")',
    "@SUM(1)",
    "-1+1",
    "עומר \u200fשריף\u200f",
    "👩\u200d🔬 Özlem 🚲",
    "x" * 200,
)


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, datetime(2026, 3, 4, 0, 30, tzinfo=UTC))


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("administrator", TOWN))
        found.put(BERND, ("operator", None))
        yield found


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_names_are_shown_and_written_as_they_are(
    client: TestClient, known: People, number: int
) -> None:
    name, email = NAMES[number], f"name{number}@example.org"
    known.put(email, ("planner", TOWN), name=name)
    named, anne, operator = (
        Person(client, known, each) for each in (email, ANNE, BERND)
    )
    made_in(named.make(name=name))
    shown = (
        escape(name, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    )
    pages = (
        named.get("/de/"),
        named.get("/de/account"),
        named.get(),
        anne.get(f"/de/people?search={email}"),
        operator.get("/de/audit?action=account.add"),
        anne.get("/de/audit?action=token"),
    )
    for page in pages:
        assert page.status_code == 200
        assert shown in page.text
        assert "<" not in name or name not in page.text

    text = operator.get("/de/audit.csv?action=account.add").text
    facts = [json.loads(row["after"]) for row in csv.DictReader(io.StringIO(text))]
    assert name in [each["name"] for each in facts]
    lines = anne.get("/de/audit.jsonl?action=token").text.splitlines()
    assert name in [json.loads(line)["after"].get("name") for line in lines]
    # what a spreadsheet would run is text
    for row in csv.reader(io.StringIO(text)):
        assert not any(cell.startswith(("=", "+", "@", "\t")) for cell in row)


def test_a_name_loses_its_nul(client: TestClient, known: People) -> None:
    anne = Person(client, known, ANNE)
    made_in(anne.make(name="Leit\0stelle"))
    page = anne.get()
    assert "Leitstelle" in page.text
    assert "\0" not in page.text


def test_what_acts_is_text_in_a_spreadsheet(client: TestClient, known: People) -> None:
    """A token's name is who acts."""
    email = "formula@example.org"
    known.put(email, ("planner", TOWN), name="=1+1")
    named, anne = (Person(client, known, each) for each in (email, ANNE))
    token = made_in(named.make(name="=1+1", permission=["view", "cases"]))
    answer = client.post(
        "/api/v1/cases/1/comments",
        json={"comment": "=2+2"},
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201, answer.text
    text = anne.get("/de/audit.csv?action=case.comment").text
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["actor"].startswith("'=1+1")
