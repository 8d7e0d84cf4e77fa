"""Cases on the pages: what is shown to whom, and what forms do."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from analytics.cases import casework
from analytics.jobs import claims
from analytics.jobs.store import open_store
from tests import people, served, world
from tests.integration.test_casework import CLARA, DORA, opened, put, stands
from tests.integration.test_pages import DAYS, NOW, SITE
from tests.people import ANNE, BERND, PASSWORD, TOWN, People
from verkehrspuls.settings import Analytics


@pytest.fixture(scope="module")
def town(url: str) -> Iterator[People]:
    with people.of(url) as found:
        put(found)
        yield found


@pytest.fixture(scope="module")
def web(url: str) -> Iterator[TestClient]:
    with TestClient(served.web(url, NOW), follow_redirects=False) as client:
        yield client


class Browser:
    """Somebody at the pages, logged in or not."""

    def __init__(self, web: TestClient, session: str = "") -> None:
        self._web = web
        self._headers = {"cookie": f"session={session}"} if session else {}

    def get(self, path: str) -> str:
        return self.ask("GET", path).text

    def ask(self, verb: str, path: str, **fields: Any) -> Response:
        headers = self._headers
        return self._web.request(verb, path, data=fields or None, headers=headers)

    def send(self, path: str, **fields: Any) -> Response:
        """Send the form of a page, with what it has hidden."""
        page = self.get(path)
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        return self.ask("POST", path, **(hidden | fields))

    def buttons(self, path: str) -> set[str]:
        return set(re.findall(r'name="act" value="(\w+)"', self.get(path)))


def as_(web: TestClient, town: People, email: str = ANNE) -> Browser:
    return Browser(web, town.log_in(email))


def test_everybody_sees_cases_and_nobody_a_form(web: TestClient, town: People) -> None:
    case = opened(town)
    for path in ("/de/cases", f"/de/cases/{case}", "/en/cases?state=all&mine=1"):
        for browser in (
            Browser(web),
            Browser(web, "no session"),
            as_(web, town, CLARA),
            as_(web, town, DORA),
        ):
            answer = browser.ask("GET", path)
            assert answer.status_code == 200
            assert 'name="act"' not in answer.text
            assert 'name="case"' not in answer.text
            assert "set-cookie" not in answer.headers
    refused = Browser(web).ask("POST", f"/de/cases/{case}", act="confirmed")
    assert refused.status_code == 401
    assert stands(town, case) == ("suspected", "caveat")


def test_a_planner_decides_and_figures_follow_at_once(
    web: TestClient, town: People, url: str
) -> None:
    def volume() -> str:
        with open_store(url, application="test") as store:
            while claims.process(store, Analytics(), now=world.RECEIVED):
                pass
        page = Browser(web).get(f"{SITE}{DAYS}")
        found = re.search(
            r"Summe im Zeitraum.*?class=\"value\">([^<]*)", page, re.DOTALL
        )
        assert found
        return found[1]

    before = volume()
    case = opened(town)
    path = f"/de/cases/{case}"
    anne = as_(web, town)
    assert anne.buttons(path) == {
        *("confirmed", "explained", "rejected", "effect", "comment", "assign")
    }
    answer = anne.send(path, act="confirmed", effect="exclude", comment="Baum <b>")
    assert answer.status_code == 303
    page = anne.get(answer.headers["location"])
    assert "Der Fall ist bestätigt. Die Werte von 2 Stunden werden neu" in page
    assert 'role="status"' in page
    assert "Baum &lt;b&gt;" in page
    assert "Anne Muster (Planung)" in page
    public = Browser(web).get(path)
    assert "Planung" in public
    assert "Anne" not in public
    after = volume()
    assert after != before
    assert anne.buttons(path) == {
        *("suspected", "explained", "rejected", "effect", "comment", "assign", "undo")
    }
    undone = as_(web, town, BERND).send(path, act="undo")
    assert "done=undo&hours=2" in undone.headers["location"]
    assert stands(town, case) == ("suspected", "caveat")
    assert volume() == before
    # no trace of it is in the data, so the detectors withdraw it
    assert anne.buttons(path) == {"comment", "assign"}


def test_what_is_rejected_stays_in_the_figures(web: TestClient, town: People) -> None:
    case = opened(town)
    answer = as_(web, town).send(f"/de/cases/{case}", act="rejected", effect="exclude")
    assert answer.status_code == 303
    assert stands(town, case) == ("rejected", "keep")


def hidden(page: str) -> dict[str, str]:
    """Return what a page's forms have hidden."""
    found = re.findall(r'type="hidden" name="([\w.]+)" value="([^"]*)"', page)
    return {name: unescape(text) for name, text in found}


def test_what_is_typed_survives_an_ended_session(web: TestClient, town: People) -> None:
    case = opened(town)
    path = f"/de/cases/{case}"
    # longer than any address
    comment = 'Sperrung "B 37"\r\nbis Mai. ' + "Umleitung über Otterbach. " * 300
    typed = {"act": "confirmed", "effect": "exclude", "comment": comment, "to": ""}
    typed |= {name: hidden(as_(web, town).get(path))[name] for name in ("seen",)}
    ended = Browser(web).ask("POST", path, form_token="0" * 32, **typed)
    assert ended.status_code == 401
    login = {"email": ANNE, "password": PASSWORD, **hidden(ended.text)}
    again = Browser(web).ask("POST", "/de/login", **login)
    web.cookies.clear()
    assert unescape(again.text).count(comment) == 2
    for shown in ("Bestätigen", "Stunden weglassen"):
        assert f"<dd>{shown}</dd>" in again.text
    assert stands(town, case) == ("suspected", "caveat")
    # in another tab, after logging in again
    anne = as_(web, town)
    other = anne.ask("POST", path, form_token="0" * 32, **typed)
    assert stands(town, case) == ("suspected", "caveat")
    sent = anne.ask("POST", path, **hidden(other.text))
    assert sent.status_code == 303
    assert stands(town, case) == ("confirmed", "exclude")
    assert "bis Mai. Umleitung" in anne.get(path)


def test_mistakes_are_said_beside_their_field(web: TestClient, town: People) -> None:
    case = opened(town)
    path = f"/de/cases/{case}"
    anne = as_(web, town)
    for fields, field in (
        ({"act": "comment", "comment": " \r\n"}, "comment"),
        ({"act": "comment", "comment": "x" * 10_001}, "comment"),
        ({"act": "confirmed", "effect": "maybe"}, "effect"),
        ({"act": "assign", "to": "1; drop table"}, "to"),
        ({"act": "assign", "to": "999999"}, "to"),
        ({"act": "nothing"}, None),
        ({}, None),
    ):
        answer = anne.send(path, **fields)
        assert answer.status_code == 422, fields
        assert "Nichts wurde gespeichert" in answer.text
        assert field is None or f'id="{field}-error"' in answer.text, fields
    fields = hidden(anne.get(path)) | {"act": "confirmed"}
    assert anne.ask("POST", "/de/cases/999999", **fields).status_code == 404
    with town.reading() as connection:
        assert len(casework.show(connection, case).history) == 1


def test_a_change_meanwhile_is_shown_and_nothing_is_lost(
    web: TestClient, town: People
) -> None:
    case = opened(town)
    path = f"/en/cases/{case}"
    anne, bernd = as_(web, town), as_(web, town, BERND)
    page = anne.get(path)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert bernd.send(path, act="explained", comment="market").status_code == 303
    answer = anne.ask("POST", path, **hidden, act="rejected", comment="my reason")
    assert answer.status_code == 409
    assert "my reason</textarea>" in answer.text
    since = answer.text[answer.text.index("What has happened since") :]
    assert "Bernd Beispiel (engineering)" in since
    assert "market" in since
    assert stands(town, case) == ("explained", "caveat")
    again = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
    assert again["seen"] > hidden["seen"]
    assert anne.ask("POST", path, **again, act="rejected").status_code == 303


def test_cases_are_assigned_and_found_by_filter(web: TestClient, town: People) -> None:
    case = opened(town)
    anne = as_(web, town)
    page = anne.get(f"/de/cases/{case}")
    (bernd,) = re.findall(r'<option value="(\d+)">Bernd Beispiel', page)
    assert "Dora Dorn" not in page
    answer = anne.send(f"/de/cases/{case}", act="assign", to=bernd)
    assert answer.status_code == 303
    mine = as_(web, town, BERND).get("/de/cases?mine=1&state=all")
    assert re.findall(r'href="/de/cases/(\d+)"', mine) == [f"{case}"]
    assert "Bernd Beispiel" in mine
    assert f'"/de/cases/{case}"' not in anne.get("/de/cases?mine=1&state=all")
    public = Browser(web).get("/de/cases?state=all")
    assert f'"/de/cases/{case}"' in public
    assert "Bernd" not in public
    for query, is_listed in (
        (f"town={TOWN}&site=pariser-strasse&state=all", True),
        (f"town={TOWN}&site=radweg&state=all", False),
        ("state=confirmed", False),
        ("state=all&severity=low", True),
        ("state=all&severity=high", False),
        ("state=all&from=2026-03-02&until=2026-03-03", True),
        ("state=all&from=2026-02-01&until=2026-02-02", False),
    ):
        listed = f'"/de/cases/{case}"' in Browser(web).get(f"/de/cases?{query}")
        assert listed == is_listed, query
    wrong = Browser(web).ask("GET", "/de/cases?from=soon&state=odd")
    assert wrong.status_code == 422
    assert 'id="from-error"' in wrong.text
    assert Browser(web).ask("GET", "/de/cases?town=nowhere").status_code == 404


def test_several_are_decided_and_those_refused_stay_selected(
    web: TestClient, town: People
) -> None:
    cases = [opened(town) for _ in range(3)]
    anne, bernd = as_(web, town), as_(web, town, BERND)
    path = "/de/cases?state=all&town=kaiserslautern"
    page = anne.get(path)
    choices = {case: re.findall(rf'value="({case}\.\d+)"', page)[0] for case in cases}
    none = anne.send(path, act="rejected")
    assert none.status_code == 422
    bernd.send(f"/de/cases/{cases[2]}", act="explained", comment="Markt")
    answer = anne.send(
        path, act="rejected", comment="Messfehler", case=list(choices.values())
    )
    assert answer.status_code == 409
    assert "Verwerfen: für 2 Fälle gespeichert." in answer.text
    assert "Der Fall hat sich geändert" in answer.text
    assert "Messfehler</textarea>" in answer.text
    assert re.findall(r'value="(\d+)\.\d+" checked', answer.text) == [f"{cases[2]}"]
    assert [stands(town, case)[0] for case in cases] == [
        *("rejected", "rejected", "explained")
    ]
    again = [re.findall(rf'value="({case}\.\d+)"', answer.text)[0] for case in cases]
    done = anne.send(path, act="undo", case=again)
    assert done.status_code == 303
    assert "Rückgängig machen: für 3 Fälle" in anne.get(done.headers["location"])
    assert {stands(town, case) for case in cases} == {("suspected", "caveat")}
    every = anne.get(f"{path}&select=all")
    assert every.count(" checked") == every.count('name="case"') > 3
