"""The page of the audit log: who sees which entries, how they read, and as files."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from dashboards.pages.audit import route
from dashboards.pages.audit.words import FIELDS, NOUNS, VERBS
from tests import people, served
from tests.integration.test_audit import fill
from tests.integration.test_sessions_over_http import Browser
from tests.parts import PROJECT
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.access import audit
from verkehrspuls.storage.database import connect

NOW: Final = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
AUDIT: Final = "/de/audit"
EMPTY: Final = 'class="empty"'
OPERATOR: Final = "otto@example.org"
#: what is in no entry: secrets, and what changes by itself
HIDDEN: Final = {
    *("sha256", "seen_at", "is_outdated", "totp_step", "sign_count", "last_used_at"),
    *("proved_at", "audience", "updated_at", "at", "acted_as", "only_one"),
    *("issued_at", "issued_by", "applied_at", "sealed", "decided_by", "result"),
    *("noted_at", "noted_by", "added_at", "image", "saved_at", "saved_by"),
    # what came of replaying, which was asked for
    *("asked_at", "messages", "used", "rejected", "cut", "failed"),
}


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, NOW)


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("administrator", TOWN))
        found.put(BERND, ("engineer", TOWN))
        found.put(OPERATOR, ("operator", None))
        with found.operator() as connection:
            connection.execute(
                "update vp.site set name = '<b>' || name, visibility = 'cluster' "
                "where key = 'hof'"
            )
        yield found


def browser_of(app: FastAPI, email: str) -> Browser:
    browser = Browser(app)
    assert browser.log_in(email).status_code == 303
    return browser


@pytest.fixture
def anne(app: FastAPI, client: TestClient, known: People) -> Browser:
    return browser_of(app, ANNE)


def test_who_may_read_it(app: FastAPI, client: TestClient, known: People) -> None:
    for path in (AUDIT, f"{AUDIT}.csv"):
        asked = Browser(app).get(path)
        assert asked.status_code == 303
        assert asked.headers["location"].startswith("/de/login?next=%2Fde%2Faudit")
        refused = browser_of(app, BERND).get(path)
        assert refused.status_code == 403
        assert "audit" in refused.text
    assert AUDIT not in browser_of(app, BERND).get("/de/").text
    assert f'href="{AUDIT}"' in browser_of(app, ANNE).get("/de/").text


def test_an_administrator_reads_entries_of_the_town(anne: Browser) -> None:
    page = anne.get(AUDIT).text
    assert "Messstelle geändert" in page
    assert f"<code>{TOWN}/hof</code>" in page
    assert "<td>die eigene Kommune</td><td>die Kommunen der Installation</td>" in page
    assert "&lt;b&gt;Bauhof" in page
    assert "<b>Bauhof" not in page
    for other in (OTHER, "*"):
        assert EMPTY in anne.get(f"{AUDIT}?town={other}").text
    exported = anne.get(f"{AUDIT}.jsonl").text.splitlines()
    assert exported
    assert {json.loads(line)["municipality"] for line in exported} == {TOWN}


def test_an_operator_reads_all(app: FastAPI, client: TestClient, known: People) -> None:
    browser = browser_of(app, OPERATOR)
    assert f"{OTHER}/hof" in browser.get(AUDIT + f"?town={OTHER}").text
    whole = browser.get(f"{AUDIT}?town=*&action=account.add").text
    assert "Konto hinzugefügt" in whole
    assert ANNE in whole
    assert (
        "<td>–</td><td>nicht gezeigt</td>"
        in browser.get(f"{AUDIT}?town=*&action=account.change").text
    )
    rows = list(csv.DictReader(io.StringIO(browser.get(f"{AUDIT}.csv").text)))
    with known.operator() as connection:
        proof = audit.check(connection)
    # all of the chain, up to the login that came after
    assert len(rows) == proof.entries
    assert rows[0]["hash"] == proof.head


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("action=site.change", 1),
        ("action=sites", 0),
        ("action=site.change&key=kaiserslautern", 1),
        ("action=site.change&key=kaiser", 0),
        ("action=role&person=nobody", 0),
        ("action=site.change&from=2026-01-01", 1),
        ("action=site.change&until=2026-01-01", 0),
        ("action=site.change&utm_source=mail", 1),
    ],
)
def test_entries_are_searched(anne: Browser, query: str, found: int) -> None:
    page = anne.get(f"{AUDIT}?{query}")
    assert page.status_code == 200
    assert page.text.count(f"<code>{TOWN}/hof</code>") == found
    assert len(anne.get(f"{AUDIT}.jsonl?{query}").text.splitlines()) == found


def test_bad_days_are_said_beside_their_fields(anne: Browser) -> None:
    for path in (AUDIT, f"{AUDIT}.csv"):
        answer = anne.get(f"{path}?from=yesterday")
        assert answer.status_code == 422
        assert 'id="from-error">Schreiben Sie einen Tag so' in answer.text
        answer = anne.get(f"{path}?from=2026-03-02&until=2026-03-01")
        assert answer.status_code == 422
        assert 'id="until-error">Dieser Tag liegt vor dem ersten.' in answer.text
    assert anne.get(f"{AUDIT}.parquet").status_code in (404, 422)


def test_pages_of_a_long_log(app: FastAPI, client: TestClient, known: People) -> None:
    with connect(known.url, autocommit=True) as connection:
        fill(connection, 101)
    browser, path = browser_of(app, OPERATOR), f"{AUDIT}?town=*&person=ADA"
    seen = []
    while path:
        page = browser.get(path).text
        seen += [line for line in page.split("<code>kusel/")[1:]]
        older = page.partition('" rel="next"')[0].rpartition('href="')[2]
        path = f"{AUDIT}{older.replace('&amp;', '&')}" if "Ältere" in page else ""
    numbers = [int(line.partition("<")[0]) for line in seen]
    assert numbers == list(range(101, 0, -1))


def test_what_is_noted_has_words(known: People) -> None:
    with known.operator() as connection:
        columns = {
            name
            for (name,) in connection.execute(
                "select a.attname from pg_trigger t join pg_attribute a "
                "on a.attrelid = t.tgrelid and a.attnum > 0 and not a.attisdropped "
                "where t.tgname = 'audit' and a.attname not like '%\\_id'"
            )
        }
        sources = [
            source
            for (source,) in connection.execute(
                "select prosrc from pg_proc where prosrc ~ 'note_row\\('"
            )
        ]
    assert columns - FIELDS.keys() == HIDDEN
    text = (PROJECT / "docs/explanation/audit.md").read_text("utf-8")
    assert len(sources) > 10
    table = text.partition("| action |")[2].partition("\n\n")[0]
    for name in (*NOUNS, *VERBS):
        assert f"{name}`" in table or f"`{name}." in table, name


def test_few_files_are_written_at_once(anne: Browser) -> None:
    with ExitStack() as writing:
        for _ in range(2):
            writing.enter_context(route._turn())
        assert anne.get(f"{AUDIT}.csv").status_code == 503
        assert anne.get(AUDIT).status_code == 200
    assert anne.get(f"{AUDIT}.csv").status_code == 200


def test_odd_searches_find_nothing(anne: Browser) -> None:
    for odd in ("%00", "%25_%27--", "%ED%A0%80", "%F0%9F%9A%B2"):
        for field in ("person", "key", "action", "town"):
            answer = anne.get(f"{AUDIT}?{field}={odd}")
            assert answer.status_code in (200, 422), (field, odd)
            assert "<code>" not in answer.text
