"""Every page and every answer with a period, on the days of 23 and 25 hours."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from analytics.volumes.daily import METHOD
from dashboards import render
from dashboards.app import create_web
from tests import parts, walk
from tests.cases import Finding, open_case
from tests.integration.test_pages import Tables
from tests.parts import as_web
from tests.towns import corridor, junction, linz
from verkehrspuls.calendar import day_end, day_length_h, day_start
from verkehrspuls.model import Channel, Site
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage.database import Connection, connect

ZONE: Final = "Europe/Berlin"
DAYS: Final = [
    date(2025, 3, 30),
    date(2025, 10, 26),
    date(2026, 3, 29),
    date(2026, 10, 25),
]
#: what the sites measure
SITES: Final = {
    "a": ("motor",),
    "b": ("motor",),
    "radweg": ("bicycle",),
    "station": (
        *("no2_ugm3", "pm10_ugm3", "laeq_db", "wind_ms", "wind_deg"),
        *("temperature_c", "motor"),
    ),
    "pegel": ("water_level_cm",),
}
TOWN: Final = linz(
    *(
        Site(
            key=key,
            name=key,
            channels=tuple(
                Channel(
                    key=quantity.replace("_", "-"),
                    name=quantity,
                    quantity=quantity,
                    direction="in" if quantity == "motor" else "",
                )
                for quantity in quantities
            ),
        )
        for key, quantities in SITES.items()
    ),
    corridors=(corridor("road", ("a", "in", 0), ("b", "in", 1000)),),
    junctions=(junction("crossing", ("a", "in", "in"), ("b", "in", "out")),),
)

#: what stands in a path, in turn
PLACES: Final = {
    "municipality": ["linz"],
    "site": ["station", "radweg"],
    "corridor": ["road"],
    "junction": ["crossing"],
    "number": ["1"],
    "kind": [
        *("means", "aadt", "peaks", "design-hour", "classes", "speeds", "service"),
        *("noise-flows", "day-profile", "week-profile", "year-profile"),
    ],
}
#: of these the period is not long enough, or the site does not measure it
CANNOT: Final = {404, 422}


@pytest.fixture(scope="module")
def app(_plain: parts.Databases) -> Iterator[FastAPI]:
    with _plain.fresh() as url:
        with connect(url) as connection:
            register(connection, TOWN)
            for day in DAYS:
                _measure(connection, day)
        yield create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def hours_of(day: date) -> list[datetime]:
    start = day_start(day, ZONE)
    return [start + timedelta(hours=n) for n in range(round(day_length_h(day, ZONE)))]


def _measure(connection: Connection, day: date) -> None:
    """Whole days: the one on which clocks change, and those beside it."""
    span = (day_start(day - timedelta(days=1), ZONE), day_end(day, ZONE))
    for table in ("volume", "environment_hour"):
        connection.execute("select vp.ensure_range(%s, %s, %s)", [table, *span])
    connection.execute(
        "insert into vp.volume (channel_id, interval_s, time, observed_s, volume,"
        " car, truck, bicycle, speed_kmh, gap_s, valid)"
        " select channel_id, s, t, s, s / 36,"
        " case quantity when 'motor' then s / 36 - 2 end,"
        " case quantity when 'motor' then 2 end,"
        " case quantity when 'bicycle' then s / 36 end, 40, 0, true"
        " from vp.channel, unnest(array[900, 3600]) s,"
        " generate_series(%s, %s, s * interval '1 second') t"
        " where quantity in ('motor', 'bicycle')",
        [span[0], span[1] - timedelta(minutes=15)],
    )
    connection.execute(
        "insert into vp.environment_hour select channel_id, t, 3600, 50, 40, 60"
        " from vp.channel, generate_series(%s, %s, interval '1 hour') t"
        " where quantity not in ('motor', 'bicycle')",
        [span[0], span[1] - timedelta(hours=1)],
    )
    connection.execute(
        "insert into vp.daily_figure (site_id, quantity, direction, day, volume,"
        " volume_normalised, volume_estimated, expected, observed, normalised,"
        " imputed, excluded, valid, peak_hour, peak_volume, method)"
        " select distinct site_id, quantity, d, day, 2400, 2400, 2400, 1, 1, 0, 0, 0,"
        " true, day::date + interval '1 hour', 100, %s"
        " from vp.channel, unnest(array['all', direction]) d,"
        " generate_series(%s::date - 1, %s::date, interval '1 day') day"
        " where quantity in ('motor', 'bicycle')",
        [METHOD, day, day],
    )
    open_case(
        connection,
        Finding("a", "motor", "below-usual", *span, score=6, observed=10, usual=100),
    )
    connection.commit()


def paths(app: FastAPI) -> list[tuple[str, dict[str, Any]]]:
    """All addresses of the API that everybody may read, with their parameters."""
    found: list[tuple[str, dict[str, Any]]] = []
    for path, operation in walk.open_reads(app):
        known = {
            parameter["name"]: parameter
            for parameter in operation.get("parameters", ())
        }
        filled = [path]
        for name, places in PLACES.items():
            filled = [
                one.replace(f"{{{name}}}", place)
                for one in filled
                for place in (places if f"{{{name}}}" in path else [""])
            ]
        found += [(one, known) for one in filled]
    return found


def queries(path: str, day: date, known: dict[str, Any]) -> list[dict[str, str]]:
    """The day alone, as each step; and the month around it, of one site and a road."""
    if "from" in known:
        spans = [(0, 1)]
        if "/station" in path or "/corridors" in path:
            spans.append((-14, 14))
        asked = [
            {
                "from": str(day + timedelta(days=first)),
                "to": str(day + timedelta(days=to)),
            }
            for first, to in spans
        ]
        bins = known.get("bin", {}).get("schema", {}).get("enum", [None])
        asked = [
            {**one, **({"bin": step} if step else {})}
            for step in bins
            for one in asked[: 1 if step else None]
        ]
        if "known_at" in known:
            asked = [{**one, "known_at": f"{day}T12:00:00Z"} for one in asked]
        return asked
    if "first" in known:
        return [
            {
                "first": str(day),
                "last": str(day + timedelta(days=6)),
                "with_first": str(day - timedelta(days=364)),
                "with_last": str(day - timedelta(days=358)),
            }
        ]
    for name in ("measure", "middle"):
        if name in known:
            return [{name: str(day)}]
    return [{}]


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_api_answers_on_a_day_on_which_clocks_change(
    app: FastAPI, client: TestClient, day: date
) -> None:
    answered = 0
    for path, known in paths(app):
        for query in queries(path, day, known):
            response = client.get(path, params=query)
            assert response.status_code in {200, *CANNOT}, (path, query, response.text)
            answered += response.status_code == 200
    assert answered > 40


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("site", ["a", "radweg"])
def test_a_series_has_the_hours_of_its_day(
    client: TestClient, day: date, site: str
) -> None:
    """From local midnight to local midnight, in each of its formats and steps."""
    address = f"/api/v1/sites/linz/{site}/series"
    period = {"from": str(day), "to": str(day + timedelta(days=1))}
    hours = hours_of(day)
    for step, count in (("PT1H", len(hours)), ("PT15M", 4 * len(hours)), ("P1D", 1)):
        key = "day" if step == "P1D" else "time"
        query = period | {"bin": step, "direction": "all"}
        rows = client.get(f"{address}.json", params=query).json()["rows"]
        assert len(rows) == count
        assert len({row[key] for row in rows}) == count
        assert sum(row["volume"] for row in rows) == (
            2400 if step == "P1D" else 100 * len(hours)
        )
        text = client.get(f"{address}.csv", params=query).text
        assert len(text.strip().splitlines()) == count + 1


@pytest.mark.parametrize(
    ("language", "day"),
    [*(("de", day) for day in DAYS), *(("en", day) for day in DAYS[-2:])],
    ids=str,
)
def test_pages_show_all_hours_of_a_day_on_which_clocks_change(
    app: FastAPI, client: TestClient, language: str, day: date
) -> None:
    app.dependency_overrides[render.now] = lambda: (
        day_start(day, ZONE) + timedelta(hours=2, minutes=40)
    )
    app.state.standing = None
    period = f"?from={day}&to={day + timedelta(days=1)}"
    count = len(hours_of(day))
    addresses = [
        *("about", "accessibility", "", "towns/linz", "cases/1", "corridors/linz/road"),
        *(f"towns/linz/{site}" for site in SITES),
        *(
            f"towns/linz/{site}?period={preset}"
            for site in SITES
            for preset in ("24h", "7d")
        ),
        f"towns/linz/a?from={day}&to={day + timedelta(days=7)}&compare=last-year",
    ]
    for address in addresses:
        response = client.get(f"/{language}/{address}")
        assert response.status_code == 200, (address, response.text)
    whole = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=2)
    app.dependency_overrides[render.now] = lambda: whole
    for site in SITES:
        found = Tables(
            client.get(f"/{language}/towns/linz/{site}{period}&bin=PT1H").text
        )
        lengths = {len(rows) - 1 for rows in found.found.values()}
        assert count in lengths, (site, lengths)
    road = client.get(f"/{language}/corridors/linz/road?day={day}")
    lengths = {len(rows) - 1 for rows in Tables(road.text).found.values()}
    assert {count, 4 * count} <= lengths
