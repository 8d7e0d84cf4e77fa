"""What an open case says at each of its sites, and how many there are of which kind."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests import parts, served, world
from tests.cases import Finding, open_case
from verkehrspuls.storage.case_lists import list_cases, list_findings
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.sites import read_site

#: the third day of the world's figures, at the sites
BEGAN = datetime(2026, 3, 2, 23, tzinfo=UTC)
NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
SITE = "/de/towns/kaiserslautern/pariser-strasse?from=2026-03-01&to=2026-03-04"
RADWEG = "/de/towns/kaiserslautern/radweg?from=2026-03-01&to=2026-03-04"
HOUR = timedelta(hours=1)


def finding(
    channel: str, reason: str, first: int, last: int, observed: float, score: float
) -> Finding:
    """What was found in hours of the third day."""
    site = "radweg" if channel == "alle" else "pariser-strasse"
    span = (BEGAN + first * HOUR, BEGAN + last * HOUR)
    return Finding(site, channel, reason, *span, score, observed, 1748)


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    """A case that leads at the cycle path, where only zeros came from 6 to 18 h."""
    with _plain.fresh(world.build) as url:
        with connect(url) as connection:
            open_case(
                connection,
                finding("alle", "zeros", 6, 18, 0, 759),
                finding("alle", "day-below-usual", 0, 24, 100, 9),
                finding("west-1", "day-above-usual", 0, 24, 9100, 8),
                finding("west-1", "spike", 7, 8, 900, 7),
                finding("west-1", "spike", 11, 12, 900, 6),
                opened_at=BEGAN,
            )
        yield url


@pytest.fixture
def client(url: str) -> Iterator[TestClient]:
    with TestClient(served.web(url, NOW)) as client:
        yield client


def cases(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    response = client.get("/api/v1/cases", params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["cases"]
    return found


def test_a_case_says_at_each_site_what_was_found_there(client: TestClient) -> None:
    def at(site: str) -> dict[str, Any]:
        (found,) = [
            case for case in cases(client, site=site) if len(case["detectors"]) > 1
        ]
        return found

    there, here = at("radweg"), at("pariser-strasse")
    assert there["anomaly_case_id"] == here["anomaly_case_id"]
    assert (there["reason"], there["site"]) == ("zeros", "radweg")
    assert (here["reason"], here["site"]) == ("spike", "pariser-strasse")
    assert (here["observed"], here["direction"]) == (900, "west")
    assert "nichts gezählt" not in client.get(SITE).text
    assert "nichts gezählt" in client.get(RADWEG).text


def test_a_sentence_names_the_time_of_what_it_says(client: TestClient) -> None:
    (case,) = [c for c in cases(client, site="radweg") if c["reason"] == "zeros"]
    assert "von 03.03.2026 06:00 bis 03.03.2026 18:00" in case["sentence_de"]
    more = "mit weiteren Befunden von 03.03.2026 00:00 bis 04.03.2026 00:00"
    assert more in case["sentence_de"]
    page = client.get(f"/de/cases/{case['anomaly_case_id']}").text
    lead = re.search(r'<p class="lead">(.*?)</p>', page, re.S)
    assert lead
    assert "von Di, 03.03.2026, 06:00 bis Di, 03.03.2026, 18:00" in lead[1]


def test_charts_frame_what_was_found_when_it_was(url: str, client: TestClient) -> None:
    with connect(url) as connection:
        place = read_site(connection, "kaiserslautern", "pariser-strasse")
        found = list_findings(
            connection,
            site_id=place.site_id,
            quantity="motor",
            start=world.FIRST,
            end=world.LAST,
        )
    west = [row for row in found if row.direction == "west"]
    assert [row.reason for row in west] == ["spike", "spike", "day-above-usual"]
    page = client.get(SITE + "&bin=PT1H").text
    figure = json.loads(
        re.findall(r'<script type="application/json" id="series-figure">(.*?)<', page)[
            0
        ]
    )
    shapes = figure["layout"]["shapes"]
    spans = [(s["x0"], s["x1"]) for s in shapes if s["yref"] == "y2 domain"]
    assert spans == [
        ("2026-03-03 07:00", "2026-03-03 08:00"),
        ("2026-03-03 11:00", "2026-03-03 12:00"),
    ]


def test_a_list_has_as_many_cases_as_the_passport_says(client: TestClient) -> None:
    page = client.get(SITE).text
    counts = re.findall(r'href="#period-cases">offene Fälle: (\d+)</a>', page)
    listed = page[page.index('id="period-cases"') :]
    listed = listed[: listed.index("</ul>")]
    assert set(counts) == {str(listed.count("<li>"))} == {"2"}
    query = {"site": "pariser-strasse", "quantity": "motor"}
    period = {"from": "2026-02-28T23:00:00Z", "to": "2026-03-03T23:00:00Z"}
    answer = client.get("/api/v1/cases", params=query | period).json()
    assert answer["total"] == len(answer["cases"]) == 2
    figures = client.get(
        "/api/v1/sites/kaiserslautern/pariser-strasse/series",
        params=period | {"quantity": "motor", "direction": "all"},
    ).json()["passport"]
    assert set(figures["cases"]) == {c["anomaly_case_id"] for c in answer["cases"]}


@pytest.mark.parametrize("days", [6, 8])
def test_what_ended_long_before_it_was_found_is_history(
    plain_world: str, days: int
) -> None:
    with connect(plain_world) as connection:
        number = open_case(
            connection,
            finding("west-1", "above-usual", 0, 1, 900, 7),
            opened_at=BEGAN + HOUR + timedelta(days=days),
        )
        now = BEGAN + timedelta(days=40)

        def stands() -> str:
            (case,) = list_cases(connection, case=number, standing=None, now=now)
            return str(case.standing)

        assert stands() == ("older" if days == 6 else "history")
        connection.execute("update vp.anomaly_case set state = 'explained'")
        assert stands() == "closed"


def test_more_than_a_thousand_cases_are_counted_rightly(plain_world: str) -> None:
    late = NOW + timedelta(days=400)
    with connect(plain_world) as connection:
        for kind, many, opened in (
            ("spike", 1100, timedelta()),
            ("incident", 30, late - BEGAN),
        ):
            connection.execute(
                "with led as (insert into vp.anomaly_case (site_id, channel_id,"
                " detector, began, ended, score, reason, opened_at) select site_id,"
                " channel_id, %s, at, at + interval '1 hour', 9, %s, at + %s"
                " from vp.channel, generate_series(%s::timestamptz,"
                " %s::timestamptz, '1 hour') at where key = 'west-1' returning *)"
                " insert into vp.case_member (anomaly_case_id, channel_id, detector,"
                " began, ended, score, reason) select anomaly_case_id, channel_id,"
                " detector, began, ended, score, reason from led",
                [kind, kind, opened, BEGAN, BEGAN + (many - 1) * HOUR],
            )
    app = served.web(plain_world, BEGAN + 1100 * HOUR)
    with TestClient(app) as client:
        answer = client.get("/api/v1/cases", params={"limit": 1}).json()
        # by the clock of the database none is of the last week
        assert answer["counts"] == {"current": 0, "older": 1101, "history": 30}
        assert answer["total"] == 1101
        beyond = client.get("/api/v1/cases", params={"skip": 5000}).json()
        assert (beyond["total"], beyond["cases"]) == (1101, [])
        assert len(cases(client, skip=1000, limit=1000)) == 101
        past = client.get("/api/v1/cases", params={"history": True}).json()
        assert past["total"] == len(past["cases"]) == 30
        assert {case["standing"] for case in past["cases"]} == {"history"}
        refused = client.get("/api/v1/cases", params={"history": True, "open": False})
        assert refused.status_code == 422
        text = "ffene Fälle: 168 der letzten Woche, 933 ältere"
        past_said = "30 Fälle sind Geschichte"
        for address in ("/de/", "/de/towns/kaiserslautern", SITE):
            page = client.get(address).text
            assert text in page, address
            assert past_said in page, address
            assert len(page) < 400_000
