"""Forms of pages: the last day is included, and what was entered survives mistakes."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from starlette.testclient import TestClient

from tests import parts, served, world
from tests.integration.test_pages import NOW, SITE
from verkehrspuls.model import Channel, Site, Town
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import connect

HAGEN = Town(
    key="hagen",
    name="Hagen",
    state="NW",
    sites=(
        Site(
            key="umwelt",
            name="Umweltstation",
            channels=(Channel(key="no2", name="NO₂", quantity="no2_ugm3"),),
        ),
    ),
    sensors=(),
)
CORRIDOR = "/de/corridors/kaiserslautern/nordtangente-ost"


@pytest.fixture(scope="module")
def client(_plain: parts.Databases) -> Iterator[TestClient]:
    with _plain.fresh(world.build) as url:
        with connect(url) as connection:
            register(connection, HAGEN)
        app = served.web(url, NOW)
        with TestClient(app, follow_redirects=False) as client:
            yield client


def sent(page: str) -> dict[str, str]:
    """What a browser sends where nothing of the form of a site is changed."""
    form = re.search(r'<form class="period".*?</form>', page, re.DOTALL)
    assert form
    found = {
        name: value
        for tag in re.findall(r"<input [^>]*>", form[0])
        for name in re.findall(r'name="([^"]*)"', tag)
        for value in re.findall(r'value="([^"]*)"', tag)
    }
    for name, options in re.findall(
        r'<select name="(\w+)".*?>(.*?)</select>', form[0], re.DOTALL
    ):
        chosen = re.findall(r'<option value="([^"]*)" selected', options)
        found[name] = chosen[0]
    return found


def lead(page: str) -> str:
    found = re.search(r'<p class="lead">([^<]*)', page)
    assert found
    return found[1]


@pytest.mark.parametrize("query", ["", "?period=24h", "?period=previous-month&bin=P1D"])
def test_sending_the_form_unchanged_shows_the_same(
    client: TestClient, query: str
) -> None:
    shown = client.get(SITE + query).text
    again = client.get(SITE, params=sent(shown))
    assert again.status_code == 200
    assert lead(again.text) == lead(shown)
    assert sent(again.text) == sent(shown)


def chosen(page: str) -> str:
    """Return the days in words, as they stand in the form."""
    found = re.search(r'<p class="chosen">(.*?)</p>', page)
    assert found
    return re.sub("<[^>]*>", "", found[1])


@pytest.mark.parametrize(
    ("query", "german", "english"),
    [
        (
            "from=2026-03-01&until=2026-03-03",
            "Sonntag, 1. März 2026 – Dienstag, 3. März 2026",
            "Sunday, 1 March 2026 – Tuesday, 3 March 2026",
        ),
        (
            "from=0001-01-01&until=x",
            "Montag, 1. Januar 1 – …",
            "Monday, 1 January 1 – …",
        ),
    ],
)
def test_chosen_days_stand_in_words_of_the_page(
    client: TestClient, query: str, german: str, english: str
) -> None:
    page = client.get(f"{SITE}?{query}").text
    assert chosen(page) == german
    other = client.get(f"{SITE}?{query}".replace("/de/", "/en/")).text
    assert chosen(other) == english


def test_24_hours_stay_24_hours(client: TestClient) -> None:
    again = client.get(SITE, params=sent(client.get(SITE + "?period=24h").text)).text
    assert "die letzten 24 Stunden" in lead(again)


def test_last_day_is_included_and_so_named(client: TestClient) -> None:
    page = client.get(SITE + "?from=2026-03-01&until=2026-03-01").text
    assert "So, 01.03.2026" in lead(page)
    assert "bis einschließlich" in page
    assert sent(page)["until"] == sent(page)["from"] == "2026-03-01"


def test_address_shared_before_still_ends_before_its_last_day(
    client: TestClient,
) -> None:
    page = client.get(SITE + "?from=2026-03-01&to=2026-03-03").text
    assert sent(page)["until"] == "2026-03-02"


def test_presets_keep_step_and_other_choices(client: TestClient) -> None:
    page = client.get(SITE + "?quantity=motor&bin=P1D&compare=last-year").text
    links = re.findall(r'<a href="(\?[^"]*period=[^"]*)"', page)
    assert len(links) == 9
    for link in links:
        for kept in ("quantity=motor", "bin=P1D", "compare=last-year"):
            assert kept in link


@pytest.mark.parametrize(
    ("query", "field", "text"),
    [
        ("from=2026-03-03&until=2026-03-01", "until", "liegt vor dem ersten"),
        ("from=März&until=2026-03-03", "from", "Tage schreibt man wie"),
        ("from=2026-03-01&until=2026-02-30", "until", "Tage schreibt man wie"),
        ("from=2001-03-01&until=2026-03-01", "from", "höchstens zehn Jahre"),
        ("from=2026-03-01&until=2026-03-03&bin=PT7M", "bin", "Schritte sind"),
        ("from=2026-03-01&until=2026-03-03&compare=site:x", "compare", "vergleichen"),
        ("from=2026-03-01&until=2026-03-03&quantity=x", "quantity", "misst das nicht"),
    ],
)
def test_form_survives_a_mistake_and_names_it_at_its_field(
    client: TestClient, query: str, field: str, text: str
) -> None:
    response = client.get(f"{SITE}?{query}")
    assert response.status_code == 422
    page = response.text
    marked = re.search(rf'id="{field}-error">([^<]*)<', page)
    assert marked
    assert text in marked[1]
    assert f'aria-describedby="{field}-error"' in page
    entered = dict(pair.split("=") for pair in query.split("&"))
    for name in ("from", "until"):
        assert sent(page)[name] == entered[name]


@pytest.mark.parametrize(
    ("path", "query", "field", "text"),
    [
        (
            "/de/towns/kaiserslautern/radweg",
            "quantity=quatsch",
            "quantity",
            "misst das nicht",
        ),
        (SITE, "quantity=no2_ugm3&compare=quatsch", "compare", "vergleichen"),
        ("/de/towns/hagen/umwelt", "compare=quatsch", "compare", "vergleichen"),
        ("/de/towns/hagen/umwelt", "compare=previous", "compare", "vergleichen"),
    ],
)
def test_field_that_the_page_does_not_offer_is_shown_where_it_is_wrong(
    client: TestClient, path: str, query: str, field: str, text: str
) -> None:
    response = client.get(f"{path}?{query}")
    assert response.status_code == 422
    marked = re.search(rf'id="{field}-error">([^<]*)<', response.text)
    assert marked
    assert text in marked[1]
    assert f'<select name="{field}" aria-invalid="true"' in response.text


def test_what_is_compared_may_stay_where_the_quantity_changes(
    client: TestClient,
) -> None:
    for compare in ("previous", "site:radweg"):
        query = f"?quantity=no2_ugm3&compare={compare}"
        assert client.get(SITE + query).status_code == 200


def test_corridor_keeps_its_day_after_a_mistake(client: TestClient) -> None:
    response = client.get(f"{CORRIDOR}?day=31.02.2026")
    assert response.status_code == 422
    assert 'value="31.02.2026"' in response.text
    assert "Tage schreibt man wie 2026-03-01" in response.text
    assert client.get(f"{CORRIDOR}?day=2026-03-02").status_code == 200


def test_site_whose_counting_has_begun_shows_no_empty_charts(
    plain_world: str,
) -> None:
    app = served.web(plain_world, NOW)
    address = f"{SITE}?from=2026-03-02&until=2026-03-03"
    with TestClient(app) as client:
        usual = 'id="profile-heading"', 'id="week-heading"', 'id="directions-heading"'
        page = client.get(address).text
        assert all(heading in page for heading in usual)
        with psycopg.connect(plain_world) as connection:
            connection.execute(
                "update vp.volume set observed_s = observed_s / 6, valid = false"
            )
        page = client.get(address).text
        assert 'id="series-heading"' in page
        assert not any(heading in page for heading in usual)
