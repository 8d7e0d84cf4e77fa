"""Twice the sites take less than three times the rows that the database looks at."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from benchmarks import pages
from dashboards.app import create_web
from tests import parts
from tests.parts import as_web
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage.database import Connection, connect
from verkehrspuls.storage.named import queries

#: fewer are in a few pages of each table, which are then read as a whole
SITES = 800
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def urls(_plain: parts.Databases) -> Iterator[list[str]]:
    """A town, and one with twice the sites."""
    with ExitStack() as stack:
        found = []
        for sites in (SITES, 2 * SITES):
            url = stack.enter_context(_plain.fresh())
            with connect(url) as connection:
                register(connection, pages.town(0, sites))
                pages.fill(connection, NOW)
                connection.execute(
                    "insert into ledger_reject (slot, sensor_id, hour, reason,"
                    " messages, kept, readings) select slot, sensor_id, hour,"
                    " 'unreadable', 1, 0, 0 from ledger"
                )
                connection.execute("analyze")
                connection.commit()
            found.append(url)
        yield found


@pytest.fixture(scope="module")
def towns(urls: list[str]) -> Iterator[list[Connection]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(url)) for url in urls]


@pytest.fixture(scope="module")
def client(urls: list[str]) -> Iterator[TestClient]:
    app = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(urls[0])}))
    with TestClient(app) as client:
        yield client


ALL: dict[str, Any] = {"municipality": None, "site": None, "sensor": None}
WHOLE = ALL | {"limit": None, "skip": 0}
PERIOD = {"start": NOW - timedelta(days=1), "end": NOW}
VISIBLE = {"visible": ["public"]}


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("list_municipalities", VISIBLE),
        ("list_sites", WHOLE | VISIBLE | {"heard": True}),
        ("list_sites", WHOLE | VISIBLE | {"municipality": "town-0", "heard": True}),
        ("list_sensors", ALL | VISIBLE),
        ("read_latest", VISIBLE | {"now": NOW}),
        ("list_ledger", ALL | VISIBLE | PERIOD | {"silent": False, "limit": 20_001}),
        ("list_ledger", ALL | VISIBLE | PERIOD | {"silent": True, "limit": 20_001}),
        ("read_work", {}),
        ("count_open_cases", {"current_days": 7}),
        ("ledger_of_sensors", ALL | PERIOD),
        ("ledger_sums_differ", {}),
        ("outputs", {}),
    ],
)
def test_queries_grow_with_the_sites(
    towns: list[Connection], query: str, parameters: dict[str, Any]
) -> None:
    once, twice = (rows(town, query, parameters) for town in towns)
    assert once > 0
    assert twice < 3 * once


def test_a_ledger_of_too_many_hours_is_refused_before_they_are_made(
    client: TestClient,
) -> None:
    before = f"{NOW - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
    refused = client.get(f"/api/v1/ledger?silent=true&from={before}")
    assert refused.status_code == 422
    assert "ask for a shorter period or one sensor" in refused.text
    path = f"/api/v1/ledger?silent=true&from={before}&sensor=sensor-1"
    assert client.get(path).status_code == 200


def test_a_ranking_says_which_sites_it_considers(client: TestClient) -> None:
    middle = f"{NOW - timedelta(weeks=8):%Y-%m-%d}"
    path = f"/api/v1/municipalities/town-0/ranking?middle={middle}&weeks=3"
    parts = [client.get(f"{path}&skip={skip}").json() for skip in (0, 500, 800)]
    assert [(part["counting"], part["considered"]) for part in parts] == [
        (SITES, 500),
        (SITES, 300),
        (SITES, 0),
    ]
    assert len({site["site"] for part in parts for site in part["sites"]}) == SITES


def rows(connection: Connection, query: str, parameters: dict[str, Any]) -> float:
    """Count the rows that each node of the plan had to do with."""
    found: Any = connection.execute(
        f"explain (analyze, timing off, format json) {queries()[query]}",
        parameters,
    ).fetchone()
    ((plan,),) = found.values() if isinstance(found, dict) else found
    return _rows(plan["Plan"])


def _rows(node: dict[str, Any]) -> float:
    removed = sum(
        number for name, number in node.items() if name.startswith("Rows Removed by")
    )
    own: float = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return own + sum(map(_rows, node.get("Plans", ())))
