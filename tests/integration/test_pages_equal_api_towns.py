"""Every figure that the overviews show of sites is the API's."""

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from dashboards import render
from dashboards.app import create_web
from tests import parts, shown, world
from tests.integration import test_pages_equal_api_environment as station
from tests.parts import as_web
from verkehrspuls.language import Language
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage.database import connect

DE = Language("de")
ZONE = "Europe/Berlin"
#: when figures of the sites that count are new, and when those of the station are
SPRING = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
AUTUMN = datetime(2026, 11, 4, 22, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def app(_plain: parts.Databases) -> Iterator[FastAPI]:
    with _plain.fresh() as url:
        with connect(url) as connection:
            register(connection, station.TOWN)
            station.fill(connection)
        world.build(url)
        yield create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))


@pytest.fixture(scope="module")
def web(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as web:
        yield web


def overview(app: FastAPI, web: TestClient, now: datetime) -> dict[str, dict[str, str]]:
    """What is told of each site, by the key of the site."""
    app.state.standing = None
    app.dependency_overrides[render.now] = lambda: now
    page = web.get("/de/").text
    rows = re.findall(
        r'<a class="name" href="/de/towns/[^/]+/([^"]+)">.*?'
        r'<span class="state">(.*?)</span>\s*<span class="newest">(.*?)</span>',
        page,
        re.DOTALL,
    )
    return {
        key: {
            "state": html.unescape(re.sub(r"<[^>]+>", "", state)),
            "newest": html.unescape(newest),
        }
        for key, state, newest in rows
    }


def ask(web: TestClient, path: str, **query: str) -> Any:
    found = web.get(f"/api/v1/{path}", params=query)
    assert found.status_code == 200, found.text
    return found.json()


@pytest.mark.parametrize("site", ["pariser-strasse", "radweg"])
def test_newest_hour_and_its_share_of_usual_are_the_apis(
    app: FastAPI, web: TestClient, site: str
) -> None:
    figures = overview(app, web, SPRING)[site]
    rows = ask(
        web,
        f"sites/kaiserslautern/{site}/series",
        **{"from": "2026-03-03T00:00:00Z", "to": "2026-03-04T00:00:00Z"},
        bin="PT1H",
        direction="all",
    )["rows"]
    newest = rows[-1]
    hour = datetime.fromisoformat(newest["time"])
    assert figures["newest"].startswith(f"{shown.german(newest['volume_normalised'])} ")
    assert DE.hours((hour + timedelta(hours=1)).hour) in figures["newest"]
    if "üblich" in figures["state"] and newest["usual"]:
        share = newest["volume_normalised"] / newest["usual"]
        assert DE.percent(share) in figures["state"]


def test_index_of_a_station_is_the_apis(app: FastAPI, web: TestClient) -> None:
    figures = overview(app, web, AUTUMN)["station"]["newest"]
    index = ask(
        web,
        "sites/linz/station/air",
        **{"from": "2026-11-03", "to": "2026-11-04T22:00:00Z"},
    )["index"]
    newest = index["hours"][-1]
    level = DE.phrase(index["classes"][newest["level"]])
    symbol = DE.quantity(newest["decides"]).rpartition(" ")[2]
    hour = DE.hours((datetime.fromisoformat(newest["time"]) + timedelta(hours=1)).hour)
    assert figures == f"Luftqualität: {level} ({symbol}), {hour}"


def test_open_cases_are_as_many_as_the_api_counts(
    app: FastAPI, web: TestClient
) -> None:
    overview(app, web, SPRING)
    page = web.get("/de/").text
    counts = ask(web, "cases")["counts"]
    text = re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)
    assert text
    assert counts["current"] + counts["older"] + counts["history"] == 1
    assert shown.numbers(text[1])[-1] == "1"
