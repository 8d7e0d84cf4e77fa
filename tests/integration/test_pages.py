"""The pages over HTTP, against a small world of figures."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import polars as pl
import psycopg
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from analytics.reports.case import report
from dashboards import render
from dashboards.app import create_web
from dashboards.pages.corridor import view
from tests import parts, served, world
from verkehrspuls.calendar import days_between
from verkehrspuls.language import Language
from verkehrspuls.model import Channel, Site, Town
from verkehrspuls.registry import removal
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage.database import connect

SITE = "/de/towns/kaiserslautern/pariser-strasse"
DAYS = "?from=2026-03-01&to=2026-03-04"
NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, NOW)


@pytest.fixture(autouse=True)
def _nothing_remembered(app: FastAPI) -> None:
    app.state.standing = None


@contextmanager
def changed(url: str, change: str, *, back: str) -> Iterator[None]:
    """Change the database that the tests of this file share, for the block."""
    with psycopg.connect(url) as connection:
        connection.execute(change)
    try:
        yield
    finally:
        with psycopg.connect(url) as connection:
            connection.execute(back)


class Tables(HTMLParser):
    """The tables of a page: rows of texts, by caption."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self._rows.append([])
        if tag in ("th", "td"):
            self._rows[-1].append("")
        if tag in ("th", "td", "caption"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "caption":
            self._rows = self.found.setdefault(data, [])
        elif self._inside:
            self._rows[-1][-1] += data


def figures(page: str) -> dict[str, str]:
    """Key figures by their name."""
    found = re.findall(
        r"<dt>([^<]+)</dt><dd class=\"value\">([^<]+?) *(?:<span|</dd>)", page
    )
    return dict(found)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("/kaiserslautern", "/towns/kaiserslautern"),
        (
            "/kaiserslautern/pariser-strasse?period=7d",
            "/towns/kaiserslautern/pariser-strasse?period=7d",
        ),
        (
            "/kaiserslautern/pariser-strasse/table?quantity=motor",
            "/towns/kaiserslautern/pariser-strasse/table?quantity=motor",
        ),
        (
            "/kaiserslautern/corridor/nordtangente-ost?day=2026-03-02",
            "/corridors/kaiserslautern/nordtangente-ost?day=2026-03-02",
        ),
        ("/case/1", "/cases/1"),
    ],
)
def test_address_of_before_leads_to_that_of_now(
    client: TestClient, before: str, now: str
) -> None:
    moved = client.get(f"/en{before}")
    assert (moved.status_code, moved.headers["Location"]) == (308, f"/en{now}")
    assert client.get(f"/en{now}").status_code == 200


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "de"),
        ({"accept-language": "en-GB,en;q=0.9,de;q=0.8"}, "en"),
        ({"accept-language": "fr,de;q=0.5"}, "de"),
    ],
)
def test_root_leads_to_the_readers_language(
    client: TestClient, headers: dict[str, str], language: str
) -> None:
    response = client.get("/", headers=headers)
    assert response.status_code == 302
    assert response.headers["location"] == f"/{language}/"


def test_overview_lists_public_sites_only(client: TestClient) -> None:
    page = client.get("/de/").text
    assert "Pariser Straße" in page
    assert "Bauhof" not in page
    assert "Verborgen" not in page


def test_overview_says_how_sites_stand(client: TestClient) -> None:
    page = client.get("/de/").text
    assert "2 von 2 Messstellen melden rechtzeitig." in page
    assert (
        "In der letzten vollen Stunde: 1 wie üblich. Offene Fälle: 1 der letzten Woche."
        in page
    )
    assert "keine Messwerte" in page


def test_site_without_coordinates_is_listed_and_not_on_the_map(
    client: TestClient, url: str
) -> None:
    place = "update vp.site set latitude = {}, longitude = {} where key = 'radweg'"
    nowhere, back = place.format("null", "null"), place.format(49.45, 7.76)
    with changed(url, nowhere, back=back):
        for address in ("/de/", "/de/towns/kaiserslautern"):
            response = client.get(address)
            assert response.status_code == 200
            assert "1 Messstelle hat keine Koordinaten" in response.text
            assert "/de/towns/kaiserslautern/radweg" in response.text


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ((0, 0), "(0, 0) liegen nicht in Deutschland"),
        ((7.76, 49.45), "(7.76, 49.45) liegen nicht in Deutschland"),
        ((54.3, 13.1), "(54.3, 13.1) liegen weit weg von allen anderen Messstellen"),
    ],
)
def test_site_that_is_somewhere_else_does_not_shrink_the_map(
    client: TestClient, app: FastAPI, url: str, place: tuple[float, float], text: str
) -> None:
    def width() -> float:
        app.state.standing = None
        page = client.get("/de/").text
        figure = re.search(r'id="map-figure">(.*?)</script>', page, re.DOTALL)
        assert figure
        left, right = json.loads(figure[1])["layout"]["xaxis"]["range"]
        return float(right - left)

    before = width()
    move = "update vp.site set latitude = %s, longitude = %s where key = 'radweg'"
    with psycopg.connect(url) as connection:
        connection.execute(move, place)
    try:
        assert width() <= before
        page = client.get("/de/towns/kaiserslautern").text
        assert text in page
        assert "1 Messstelle hat keine Koordinaten" in page
    finally:
        with psycopg.connect(url) as connection:
            connection.execute(move, [49.45, 7.76])


def test_town_has_its_page_as_soon_as_it_is_registered(
    client: TestClient, url: str
) -> None:
    assert client.get("/de/").status_code == 200
    assert client.get("/de/towns/neustadt").status_code == 404
    site = Site(
        key="platz",
        name="Platz",
        channels=(Channel(key="alle", name="alle", quantity="motor"),),
    )
    town = Town(key="neustadt", name="Neustadt", state="RP", sites=(site,), sensors=())
    with connect(url) as connection:
        register(connection, town)
    try:
        assert client.get("/de/towns/neustadt").status_code == 200
        page = client.get("/de/towns/neustadt/platz").text
        assert "Keine Daten in diesem Zeitraum." in page
    finally:
        with connect(url, autocommit=True) as connection:
            removal.remove(
                connection, "town", "neustadt", with_readings=True, sure=True
            )


def test_names_of_the_registry_are_never_markup(client: TestClient) -> None:
    for address in (
        "/de/",
        "/de/towns/kaiserslautern",
        "/de/towns/kaiserslautern/radweg",
    ):
        page = client.get(address).text
        assert "=1+1 &lt;b&gt;" in page
        assert "=1+1 <b>" not in page


def test_site_shows_the_sum_of_the_period(client: TestClient) -> None:
    found = figures(client.get(SITE + DAYS).text)
    assert found["Summe im Zeitraum"] == "23.082"
    assert figures(client.get((SITE + DAYS).replace("/de/", "/en/")).text)[
        "Sum in the period"
    ] == ("23,082")


def test_sum_and_its_passport_are_of_the_same_days(client: TestClient) -> None:
    ended = client.get(SITE + DAYS).text
    with_today = client.get(SITE + "?from=2026-03-01&to=2026-03-05").text
    for page in (ended, with_today):
        assert figures(page)["Summe im Zeitraum"] == "23.082"


def test_means_are_of_valid_days(client: TestClient) -> None:
    page = client.get(SITE + DAYS).text
    assert figures(page)["Mittel je Tag"] == "8.568"
    assert "verwendete Tage: 2, mindestens 2 nötig" in page
    page = client.get(SITE + "?from=2026-03-02&to=2026-03-04").text
    assert figures(page)["Mittel je Tag"] == "–"
    assert "Gültige Tage: 1; nötig sind mindestens 2." in page


def test_tables_hold_the_numbers_of_the_api(client: TestClient) -> None:
    page = client.get(SITE + "?from=2026-03-03&to=2026-03-04&bin=PT1H").text
    table = Tables(page).found["Wie viel Verkehr, und wann?"]
    address = re.search(r'href="(/api/[^"]+format=json)"', page)
    assert address
    served = client.get(address[1].replace("&amp;", "&")).json()
    rows = {
        (row["time"][11:16], row["direction"]): row["volume"] for row in served["rows"]
    }
    assert len(table) == 1 + 24
    for local, east, _, west, _ in table[1:]:
        utc = f"{(int(local[-5:-3]) - 1) % 24:02}:00"
        assert east.replace(".", "") == str(rows.get((utc, "ost"), "–"))
        assert west.replace(".", "") == str(rows.get((utc, "west"), "–"))


def test_day_of_25_hours_names_the_repeated_hour(
    _plain: parts.Databases,  # noqa: PT019 - it has a value
) -> None:
    with _plain.fresh(world.build_autumn) as url:
        app = served.web(url, world.AUTUMN + timedelta(days=3))
        with TestClient(app) as client:
            page = client.get(SITE + "?from=2026-10-25&to=2026-10-26&bin=PT1H").text
    table = Tables(page).found["Wie viel Verkehr, und wann?"]
    times = [row[0][-7:].strip() for row in table[1:]]
    assert len(times) == 25
    assert [time for time in times if "02:00" in time] == ["02:00 A", "02:00 B"]
    assert "A ist der erste Durchgang der doppelten Stunde" in page


def test_figures_in_the_page_are_json(client: TestClient) -> None:
    page = client.get(SITE + DAYS).text
    found = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page)
    assert len(found) >= 5
    for text in found:
        figure = json.loads(text)
        assert figure["data"]
        assert figure["layout"]["height"] > 0


def test_each_chart_has_heading_sentence_and_table(client: TestClient) -> None:
    page = client.get(SITE + DAYS).text
    charts = re.findall(r'<section class="chart".*?</section>', page, re.DOTALL)
    assert len(charts) >= 5
    for chart in charts:
        assert re.search(r"<h2[^>]*>[^<]+</h2>", chart)
        assert re.search(r'class="sentence"[^>]*>[^<]+<', chart)
        assert "<table>" in chart
        label = re.search(r'role="img" aria-labelledby="([^"]+)"', chart)
        if 'class="figure"' not in chart:
            continue
        assert label
        for key in label[1].split():
            assert f'id="{key}"' in chart


def test_downloads_are_served(client: TestClient) -> None:
    page = client.get(SITE + DAYS).text
    addresses = re.findall(r'href="(/api/v1/sites/[^"]+)" download', page)
    assert len(addresses) == 8
    for address in addresses:
        response = client.get(address.replace("&amp;", "&"))
        assert response.status_code == 200
        assert len(response.content) > 100


def test_period_without_data_leads_to_where_there_is_some(client: TestClient) -> None:
    page = client.get(SITE + "?from=2025-01-01&to=2025-02-01").text
    assert "Keine Daten in diesem Zeitraum." in page
    assert "26.02.2026 – 04.03.2026" in page
    assert 'href="?from=2026-02-26&amp;until=2026-03-04"' in page


def test_site_opens_where_its_data_is(client: TestClient, app: FastAPI) -> None:
    app.dependency_overrides[render.now] = lambda: datetime(2031, 1, 1, tzinfo=UTC)
    try:
        page = client.get(SITE).text
    finally:
        app.dependency_overrides[render.now] = lambda: NOW
    assert figures(page)["Summe im Zeitraum"] == "49.974"
    assert "26.02.2026 – 04.03.2026" in page


def test_key_figures_carry_their_passport(client: TestClient) -> None:
    page = client.get(SITE + DAYS).text
    found = re.findall(r'<dd class="passport"><details>(.*?)</details>', page, re.S)
    assert len(found) == len(figures(page)) == 7
    for passport in found:
        assert "beobachtet: " in passport
        assert "Verfahren: " in passport
        assert "offene Fälle: 1" in passport


def test_figure_without_value_says_why(client: TestClient) -> None:
    page = client.get(SITE + DAYS).text
    assert figures(page)["Geschwindigkeit V85"] == "–"
    assert "keine Verteilung der Geschwindigkeit gemeldet" in page


def test_period_without_a_whole_day_has_its_sum_only(client: TestClient) -> None:
    page = client.get(SITE + "?period=24h").text
    assert list(figures(page)) == ["Summe im Zeitraum"]


def test_share_of_the_newest_24_hours_is_that_of_its_hours(client: TestClient) -> None:
    page = client.get(SITE + "?period=24h").text
    # without the running hour
    hours = client.get(
        "/api/v1/sites/kaiserslautern/pariser-strasse/series.json"
        "?from=2026-03-03T01:00:00Z&to=2026-03-04T00:00:00Z"
    ).json()
    share = hours["passport"]["observed"]
    assert share == 0.75
    text = Language("de").percent(share)
    assert f"die letzten 24 Stunden. {text} des Zeitraums sind beobachtet." in page
    assert f"nicht hochgerechnet; {text} beobachtet" in page


def test_day_tells_at_which_quarter_its_busiest_hour_begins(
    client: TestClient, url: str
) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "update vp.daily_figure set peak_hour = '2026-03-03 15:15Z'"
            " where day = '2026-03-03' and direction = 'all'"
        )
    page = client.get(SITE + DAYS).text
    assert Tables(page).found["Tag für Tag"][3][5] == "16:15–17:15"


def test_hours_that_were_not_counted_are_estimated_beside(
    client: TestClient, url: str
) -> None:
    address = SITE + "?from=2026-03-03&to=2026-03-04&bin=PT1H"
    assert "Geschätzt" not in client.get(address).text
    estimate = (
        "insert into vp.imputed_hour (channel_id, time, volume, low, high, method,"
        " gap_h, made_at)"
        " select channel_id, '2026-03-03 08:00Z', 90, 80, 99, 'linear', 1, now()"
        " from vp.channel where key = 'ost-2'"
    )
    with changed(url, estimate, back="delete from vp.imputed_hour"):
        page = client.get(address).text
    table = Tables(page).found["Wie viel Verkehr, und wann?"]
    assert table[0][3] == "Geschätzt"
    (row,) = [row for row in table[1:] if row[3] != "–"]
    assert row[0].endswith("09:00")
    assert row[3].endswith(")")
    assert "in keiner Summe" in page


def test_health_of_channels_is_told_in_words(client: TestClient, url: str) -> None:
    assert "Noch kein Tag ist geprüft." in client.get(SITE).text
    verdicts = (
        "insert into vp.channel_health (channel_id, day, verdict, complete, method,"
        " judged_at) select channel_id, '2026-03-03',"
        " case when channel.key = 'ost-2' then 'no-data' else 'good' end, true,"
        " 'health-2', now() from vp.channel join vp.site using (site_id)"
        " where site.key = 'pariser-strasse'"
    )
    with changed(url, verdicts, back="delete from vp.channel_health"):
        page = client.get(SITE).text
    assert "An 1 von 4 Kanaltagen hat eine Prüfung einen Fehler gefunden." in page
    assert "Fahrstreifen 2, Di, 03.03.2026: " in page
    table = Tables(page).found["Messen die Sensoren richtig?"]
    assert [cell.strip() for cell in table[2][1:]] == [
        "gut",
        "keine Daten",
        *["gut"] * 2,
    ]


def test_case_has_a_page(client: TestClient) -> None:
    overview = client.get("/de/").text
    (address,) = re.findall(r'class="details" href="([^"]+)"', overview)
    page = client.get(address).text
    assert "keine Messwerte" in page
    assert "Dringlichkeit" in page
    assert 'href="/de/towns/kaiserslautern/pariser-strasse?from=2026-03-02' in page
    assert client.get("/de/cases/2").status_code == 404


def test_evidence_of_a_case_is_in_words_and_units(client: TestClient, url: str) -> None:
    overview = client.get("/de/").text
    (address,) = re.findall(r'class="details" href="([^"]+)"', overview)
    change = "update vp.case_member set detector = %s, reason = %s, observed = 15516"
    kept = "detector, reason, observed, case_member_id"
    with psycopg.connect(url) as connection:
        old = connection.execute(f"select {kept} from vp.case_member").fetchall()
        connection.execute(change, ["unusual-day", "day-above-usual"])
    try:
        row = Tables(client.get(address).text).found["Was spricht dafür?"][1]
        assert (row[2], row[7]) == ("15.516 Kfz", "ungewöhnliche Tage")
        with psycopg.connect(url) as connection:
            connection.execute(change, ["congestion", "congestion"])
        row = Tables(client.get(address).text).found["Was spricht dafür?"][1]
        assert (row[2], row[7]) == ("15.516 km/h", "Stau")
    finally:
        with psycopg.connect(url) as connection:
            connection.cursor().executemany(
                "update vp.case_member set detector = %s, reason = %s, observed = %s"
                " where case_member_id = %s",
                old,
            )


def test_sentence_of_a_case_begins_large_in_english_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dashboards.describe.case", lambda *_, **__: "motor vehicles: sudden jam."
    )
    page = client.get("/en/cases/1").text
    assert '<p class="lead">Motor vehicles: sudden jam.' in page


def test_evidence_of_a_large_case_says_how_much_of_it_is_shown(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def large(*given: Any, **more: Any) -> Any:
        found = report(*given, **more)
        members = [*found.case.members] * 1_300
        return replace(found, case=replace(found.case, members=members))

    monkeypatch.setattr("dashboards.pages.case.route.report", large)
    page = client.get("/de/cases/1").text
    assert len(Tables(page).found["Was spricht dafür?"]) == 201
    assert "Die ersten 200 von 1.300 Zeilen." in page
    assert '<a href="/api/v1/cases/1">Alle Zeilen (JSON)' in page


def test_course_of_a_case_is_drawn_told_and_listed(client: TestClient) -> None:
    page = client.get("/de/cases/1").text
    assert "63 Kfz/h am Mo, 02.03.2026, 7–8 Uhr statt 68 Kfz/h" in page
    page = client.get("/de/cases/3").text
    assert 'data-figure="course-figure"' in page
    (rows,) = (
        rows
        for caption, rows in Tables(page).found.items()
        if caption == "Was wurde beobachtet, und was ist üblich?"
    )
    assert rows[0] == [
        *("Stunde", "Beobachtet (Kfz/h)", "Üblich (Kfz/h)", "Üblich von"),
        *("Üblich bis", "Im Fall"),
    ]
    by_hour = {row[0]: row[1:] for row in rows[1:]}
    # the lane fell silent on the third day
    assert by_hour["Di 03.03. 00:00"][0] == "234"
    assert by_hour["Di 03.03. 01:00"] == ["–", "–", "–", "–", "ja"]
    assert len(rows) > 24


def test_comparison_needs_weeks(client: TestClient) -> None:
    page = client.get(SITE + DAYS + "&compare=previous").text
    assert "Gegenüber dem Zeitraum davor (22.02.2026 – 24.02.2026) lässt sich" in page
    assert "compare=previous" in page
    assert 'value="previous" selected' in page


@contextmanager
def counted(
    url: str, site: str, quantity: str, volumes: dict[date, int]
) -> Iterator[None]:
    """Store whole days of a site, of years before this one, until the block ends."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into vp.daily_figure (site_id, quantity, direction, day, volume,"
            " volume_normalised, volume_estimated, expected, observed, normalised,"
            " imputed, excluded, valid, method)"
            " select site_id, %s, 'all', day, v, v, v, 1, 1, 0, 0, 0, true, 'daily-5'"
            " from vp.site, unnest(%s::date[], %s::bigint[]) _(day, v) where key = %s",
            [quantity, list(volumes), list(volumes.values()), site],
        )
    try:
        yield
    finally:
        with psycopg.connect(url) as connection:
            connection.execute("delete from vp.daily_figure where day < '2026-01-01'")


def test_comparison_tells_the_change(client: TestClient, url: str) -> None:
    change = date(2025, 9, 29)
    volumes = {
        day: (1000 if day < change else 1100) + 10 * day.isocalendar().week % 3
        for day in days_between(date(2025, 9, 1), date(2025, 10, 26))
    }
    with counted(url, "pariser-strasse", "motor", volumes):
        page = client.get(f"{SITE}?from=2025-09-29&to=2025-10-27&compare=previous").text
    assert re.search(r"Gegenüber dem Zeitraum davor .* \+\d+,\d", page)
    assert re.search(r"Verglichen wurden \d+ Tage, jeder mit seinem Gegenstück", page)


def test_a_calendar_year_is_compared_with_the_same_weeks_of_the_year_before(
    client: TestClient, url: str, app: FastAPI
) -> None:
    """A year of 365 days, 52 weeks after one that ends on its first day."""
    volumes = {
        day: 1000 + 10 * (day.isocalendar().week % 3)
        for day in days_between(date(2023, 12, 25), date(2024, 12, 31))
    }
    volumes |= {
        day + timedelta(days=364): round(volume * 1.1)
        for day, volume in volumes.items()
        if day >= date(2024, 1, 8)
    }
    address = (
        "/towns/kaiserslautern/radweg?from=2025-01-01&to=2026-01-01&compare=last-year"
    )
    app.dependency_overrides[render.now] = lambda: datetime(2026, 3, 1, tzinfo=UTC)
    try:
        with counted(url, "radweg", "bicycle", volumes):
            german = client.get(f"/de{address}").text
            english = client.get(f"/en{address}").text
            quarter = client.get(
                f"/de{address.replace('2025-01-01', '2024-06-01')}&quantity=bicycle"
            ).text
    finally:
        app.dependency_overrides[render.now] = lambda: NOW
    assert "überschneiden" not in german
    assert re.search(r"Gegenüber denselben Wochen .*\+\d+,\d", german)
    paired = re.search(r"Verglichen wurden (\d+) Tage", german)
    assert paired
    assert 280 <= int(paired[1]) <= 364
    assert "each with its partner of the same weekday" in english
    # nineteen months against themselves
    assert "überschneiden" in quarter


@pytest.mark.parametrize(
    ("language", "heading"),
    [("de", "Etwas ist schiefgegangen"), ("en", "Something went wrong")],
)
def test_a_fault_of_the_program_is_not_told_as_a_lost_database(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, language: str, heading: str
) -> None:
    def fail(*_: object) -> None:
        pl.DataFrame({"x": [1, 1], "y": [1, 1], "z": [1, 2]}).pivot(
            on="x", index="y", values="z"
        )

    monkeypatch.setattr(view, "corridor_page", fail)
    # of a day for which no other test asks: pages are cached
    address = f"/{language}{CORRIDOR.removeprefix('/de')}"
    response = client.get(address, params={"day": "2026-02-27"})
    assert response.status_code == 500
    assert heading in response.text
    assert "retry-after" not in response.headers


def test_what_is_not_there_is_not_compared(client: TestClient) -> None:
    assert client.get(SITE + DAYS + "&compare=site:hof").status_code == 422


def test_heavy_traffic_is_told_only_where_the_class_scheme_tells_it(
    client: TestClient, url: str
) -> None:
    """Of two classes the lorries hold cars with trailer: then no share is a heavy one.

    A page of the newest 24 hours has no figures of days to take it from.
    """

    def count_by(scheme: str | None, others: int | None) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("update vp.sensor set class_scheme = %s", [scheme])
            connection.execute(
                "update vp.volume set truck_trailer = %(others)s,"
                " articulated = %(others)s, bus = %(others)s where car is not null",
                {"others": others},
            )

    def has_heavy_share(query: str) -> tuple[bool, bool]:
        period = {"from": "2026-03-01", "to": "2026-03-04"}
        path = "/api/v1/sites/kaiserslautern/pariser-strasse/figures/classes"
        figures = client.get(path, params=period).json()["figures"]
        share = next(one for one in figures if one["name"] == "heavy_share")
        page = client.get(SITE + query).text
        text = page.partition('id="classes-sentence">')[2].partition("</p>")[0]
        assert "Am häufigsten" in text
        return share["value"] is not None, "Schwerverkehr" in text

    try:
        count_by("length-2", 0)
        assert has_heavy_share("?period=24h") == (False, False)
        count_by("tls-8+1", 0)
        # in other words, because pages are remembered
        assert has_heavy_share("?period=24h&quantity=motor") == (True, True)
    finally:
        count_by(None, None)


CORRIDOR = "/de/corridors/kaiserslautern/nordtangente-ost"


def test_corridor_of_a_silent_station_says_so(client: TestClient) -> None:
    assert f'href="{CORRIDOR}"' in client.get("/de/towns/kaiserslautern").text
    page = client.get(CORRIDOR).text
    assert "1,2 km von Pariser Straße bis Radweg" in page
    assert "Noch keine Daten in diesem Zeitraum." in page
    # the second lane still counted on the day before
    page = client.get(f"{CORRIDOR}?day=2026-03-02").text
    table = Tables(page).found["Wo und wann ist es langsam?"]
    assert table[12][1:] == ["47", "–"]
    assert "Mindestens 10 Werktage" in page


def test_corridor_of_days_without_data_says_nothing_of_bottlenecks(
    client: TestClient,
) -> None:
    def page_text(day: str) -> str:
        page = client.get(f"{CORRIDOR}?day={day}").text
        return page.partition("Wo stockt der Verkehr?")[2].partition("</section>")[0]

    assert "Noch keine Daten in diesem Zeitraum." in page_text("2027-06-01")
    assert "Engp" not in page_text("2027-06-01")
    known = page_text("2026-03-02")
    assert "0 Engpässe dauerten in diesen Wochen" in known
    assert "Geschwindigkeiten gibt es von 5 Tagen" in known


def test_corridor_shows_travel_times(client: TestClient, url: str) -> None:
    first = (
        "update vp.corridor_station set site_id = (select site_id from vp.site"
        " where key = '{}'), direction = '{}' where station = 1"
    )
    back = first.format("radweg", "")
    with changed(url, first.format("pariser-strasse", "west"), back=back):
        page = client.get(f"{CORRIDOR}?day=2026-03-02").text
    # 1.2 km at 47.3 km/h
    assert "mit 1,5 Minuten" in page
    assert len(Tables(page).found["Wie lange dauert die Fahrt?"]) == 1 + 96


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"{CORRIDOR}?day=9999-12-31", 422),
        (f"{CORRIDOR}?day=gestern", 422),
        ("/de/corridors/kaiserslautern/nirgends", 404),
    ],
)
def test_corridor_that_is_not_there(
    client: TestClient, address: str, status: int
) -> None:
    assert client.get(address).status_code == status


def test_devices_are_named(client: TestClient) -> None:
    rows = Tables(client.get(SITE).text).found["Geräte"]
    assert rows[1][:2] == ["Sensor air", "Muster 1"]
    assert len(rows) == 1 + 4


def test_switch_keeps_page_and_query(client: TestClient) -> None:
    page = client.get(SITE + "?period=30d&quantity=motor").text
    wanted = SITE.replace("/de/", "/en/") + "?period=30d&amp;quantity=motor"
    assert f'href="{wanted}"' in page
    assert '<html lang="de">' in page


@pytest.mark.parametrize(
    ("address", "status", "text"),
    [
        ("/de/towns/nirgends", 404, "Hier ist nichts"),
        ("/en/towns/kaiserslautern/hof", 404, "There is nothing here"),
        ("/de/towns/kaiserslautern/BAD", 404, "Hier ist nichts"),
        ("/de/cases/abc", 404, "Hier ist nichts"),
        ("/fr/", 404, "Hier ist nichts"),
        ("/nothing/at/all/here", 404, "Hier ist nichts"),
        (SITE + "?from=gestern", 422, "Tage schreibt man wie 2026-03-01"),
        (SITE + "?from=2026-03-02&to=2026-03-01", 422, "liegt vor dem ersten"),
        (SITE + "?quantity=%3Cscript%3E", 422, "Die Messstelle misst das nicht"),
        (SITE + "?period=nie", 422, f'<a href="{SITE}">'),
        ("/assets/style.0000.css", 404, "Hier ist nichts"),
    ],
)
def test_problems_are_pages_that_say_what_to_do(
    client: TestClient, address: str, status: int, text: str
) -> None:
    response = client.get(address)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert text in response.text
    assert "<script>" not in response.text


@pytest.mark.parametrize(
    "missing",
    [
        "/de/towns/kaiserslautern/nirgends",
        "/de/towns/kaiserslautern/pariser-strasse?quantity=nothing",
    ],
)
def test_page_that_is_not_there_says_that_data_is_simulated(
    client: TestClient, url: str, missing: str
) -> None:
    text = "Simulierte Daten"
    assert text not in client.get(missing).text
    simulated, back = (
        f"update vp.municipality set simulated = {value}" for value in ("true", "false")
    )
    with changed(url, simulated, back=back):
        assert text in client.get(missing).text


def test_database_that_is_away_is_told(app: FastAPI) -> None:
    away = create_web(
        load({"VERKEHRSPULS_DATABASE__URL": "postgresql://vp@127.0.0.1:1/vp"})
    )
    with TestClient(away, raise_server_exceptions=False) as client:
        response = client.get("/de/")
    assert response.status_code == 503
    assert "Die Daten sind nicht erreichbar" in response.text


def test_api_problems_stay_json(client: TestClient) -> None:
    response = client.get("/api/v1/nothing")
    assert response.headers["content-type"] == "application/problem+json"


def test_assets_are_immutable_compressed_and_complete(client: TestClient) -> None:
    page = client.get(SITE).text
    addresses = set(re.findall(r'"(/assets/[^"]+)"', page))
    assert {a.split("/")[-1].split(".")[0] for a in addresses} == {
        "charts",
        "icon",
        "plotly",
        "style",
    }
    for address in addresses:
        response = client.get(address, headers={"accept-encoding": "gzip"})
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["content-encoding"] == "gzip"
        plain = client.get(address, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == response.content


def test_pages_name_no_other_host(client: TestClient) -> None:
    for address in ("/de/", SITE, "/de/about", "/en/accessibility"):
        page = client.get(address).text
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)


@pytest.mark.parametrize("page", ["about", "accessibility"])
def test_texts_stand_in_both_languages(client: TestClient, page: str) -> None:
    german, english = (client.get(f"/{key}/{page}").text for key in ("de", "en"))
    assert german.count("<h2") == english.count("<h2")
    assert german.count("<li>") == english.count("<li>")
    assert german.count("<dt>") == english.count("<dt>")


def test_overview_is_read_anew_after_a_while(
    client: TestClient, app: FastAPI, url: str
) -> None:
    assert "Offene Fälle: 1 der letzten Woche." in client.get("/de/").text
    with psycopg.connect(url) as connection:
        connection.execute(
            "update vp.anomaly_case set state = 'explained' where reason = 'silent'"
        )
    try:
        assert "Offene Fälle: 1 der letzten Woche." in client.get("/de/").text
        app.dependency_overrides[render.now] = lambda: datetime(
            2026, 3, 4, 0, 31, tzinfo=UTC
        )
        assert "Offene Fälle: 1 der letzten Woche." not in client.get("/de/").text
    finally:
        app.dependency_overrides[render.now] = lambda: NOW
        with psycopg.connect(url) as connection:
            connection.execute(
                "update vp.anomaly_case set state = 'suspected' where reason = 'silent'"
            )


def test_language_that_there_is_none_of_is_not_found(client: TestClient) -> None:
    for path in ("/fr/", "/fr/kaiserslautern", "/api/v1/nothing", "/api/v2/sites"):
        assert client.get(path).status_code == 404
    assert client.get("/api/v1/readings").status_code == 405
