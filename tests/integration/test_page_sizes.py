"""How large pages are that show long histories, and where their rows are then."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from analytics.volumes.daily import METHOD
from benchmarks import pages
from dashboards import render
from tests import parts, served
from tests.integration.test_pages import Tables
from verkehrspuls.model import (
    Channel,
    Corridor,
    Installation,
    Sensor,
    Site,
    Station,
    Town,
)
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import Connection, connect

#: of a page, without the files that it loads
MAX_PAGE_BYTES = 400_000
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
BEGAN = datetime(2024, 12, 31, 23, tzinfo=UTC)
DIRECTIONS = ("nord", "ost", "sued", "west")
GAUGE = "water_level_cm"
SCHEMES = {"motor": "tls-8+1", "bicycle": "bicycle", "pedestrian": "pedestrian"}
AIR = tuple(key for key in ENVIRONMENT if key != GAUGE)


def site(key: str, *channels: Channel) -> Site:
    return Site(
        key=key,
        name=f"Messstelle {key}",
        road="Kaiserstraße",
        latitude=49.44,
        longitude=7.77,
        speed_limit_kmh=50,
        channels=channels,
    )


def channel(quantity: str, direction: str = "", kind: str = "") -> Channel:
    key = "-".join(filter(None, (quantity.replace("_", "-"), direction)))
    return Channel(
        key=key,
        name=key,
        quantity=quantity,
        direction=direction,
        direction_name=f"Richtung {direction.title()}{kind}" if direction else "",
    )


SITES = (
    site("kreuzung", *(channel("motor", direction) for direction in DIRECTIONS)),
    site("radweg", *(channel(q, d) for q in ("bicycle", "pedestrian") for d in "ab")),
    site("luft", *(channel(quantity) for quantity in AIR)),
    site("laerm", channel("laeq_db")),
    site("pegel", channel(GAUGE)),
)
LONG = Town(
    key="langenau",
    name="Langenau",
    state="RP",
    sites=SITES,
    sensors=tuple(
        Sensor(
            key=f"{place.key}-{number}",
            name="Zähler",
            interval_s=900,
            class_scheme=SCHEMES.get(of.quantity),
            installations=(
                Installation(
                    site=place.key,
                    channel=of.key,
                    output="1" if not of.direction else of.direction,
                    since=BEGAN,
                ),
            ),
        )
        for place in SITES
        for number, of in enumerate(place.channels)
    ),
    corridors=(
        Corridor(
            key="achse",
            name="Achse",
            stations=(
                Station(site="kreuzung", direction="nord", chainage_m=0),
                Station(site="kreuzung", direction="ost", chainage_m=900),
                Station(site="kreuzung", direction="west", chainage_m=1900),
            ),
        ),
    ),
)


def _fill(connection: Connection) -> None:
    """Fourteen months of hours, some quarter-hours, ten years of days.

    Of the towns with many sites, whose pages show the newest figures, three weeks.
    """
    span = {"since": BEGAN, "until": NOW}
    connection.execute(
        "create temporary view filled as select channel.*, case municipality.key"
        " when 'langenau' then '-infinity' else '2026-02-08'::timestamptz end as began"
        " from vp.channel join vp.site using (site_id)"
        " join vp.municipality using (municipality_id)"
    )
    for table in ("volume", "environment_hour"):
        connection.execute(
            f"select vp.ensure_range('{table}', %(since)s, %(until)s)", span
        )
    for seconds, since in (
        (3600, BEGAN),
        (900, NOW - timedelta(days=20)),
    ):
        connection.execute(
            "insert into vp.volume (channel_id, interval_s, time, observed_s, volume,"
            " car, truck, bus, bicycle, pedestrian, speed_kmh, usual, usual_spread,"
            " gap_s, valid) select channel_id, %(seconds)s, time,"
            " %(seconds)s - 60 * (extract(day from time)::int %% 3), 1000 + n, 900 + n,"
            " 70, 30, 1000 + n, 1000 + n, 47.3 + n %% 7, 1000.5 + n, 30.3, 0, true"
            " from filled, lateral (select time, (random() * 900)::int as n from"
            " generate_series(greatest(%(since)s, began), %(until)s,"
            " make_interval(secs => %(seconds)s)) as time) made"
            " where quantity in ('motor', 'bicycle', 'pedestrian')",
            {"seconds": seconds, "since": since, "until": NOW - timedelta(hours=1)},
        )
    connection.execute(
        "insert into vp.environment_hour select channel_id, time, 3000,"
        " 20 + random() * 30, 10 + random(), 60 + random() * 10 from filled,"
        " generate_series(greatest(%(since)s, began), %(until)s, '1 hour') as time"
        " where quantity not in ('motor', 'bicycle', 'pedestrian')",
        span,
    )
    connection.execute(
        "insert into vp.newest_reading select channel_id, max(time) from"
        " (select channel_id, time from vp.volume union all"
        " select channel_id, time from vp.environment_hour) read group by channel_id"
    )
    connection.execute(
        "insert into vp.daily_figure (site_id, quantity, direction, day, volume,"
        " volume_normalised, heavy, speed_kmh, peak_hour, peak_volume, expected,"
        " observed, normalised, imputed, excluded, valid, method) select distinct"
        " site_id, quantity, d, day, 24000, 24100.5, 2400, 47.3, day + time '16:15',"
        " 1900, 1, 0.97, 0.03, 0, 0, true, %(method)s from filled,"
        " unnest(array[direction, 'all']) as d,"
        " generate_series(greatest('2016-03-01', began), %(until)s, '1 day') as day"
        " where quantity in ('motor', 'bicycle', 'pedestrian')",
        span | {"method": METHOD},
    )
    _open_cases(connection)


def _open_cases(connection: Connection) -> None:
    """A thousand at one site in a year, and one with a thousand findings."""
    connection.execute(
        "insert into vp.anomaly_case (site_id, channel_id, detector, began, ended,"
        " observed, usual, score, reason) select site_id, channel_id,"
        " 'unusual-volume', began, began + interval '3 hours', 300, 900.5, 6.25,"
        " 'below-usual' from vp.channel, generate_series(%(until)s::timestamptz"
        " - interval '360 days', %(until)s, interval '8 hours 30 minutes') as began"
        " where key = 'motor-nord'",
        {"until": NOW},
    )
    connection.execute(
        "insert into vp.case_member (anomaly_case_id, channel_id, detector, began,"
        " ended, observed, usual, score, reason) select anomaly_case_id, channel_id,"
        " detector, began, ended, observed, usual, score, reason from vp.anomaly_case"
    )
    connection.execute(
        "insert into vp.case_member (anomaly_case_id, channel_id, detector, began,"
        " ended, observed, usual, score, reason) select (select min(anomaly_case_id)"
        " from vp.anomaly_case), channel_id, 'incident', began, began + interval"
        " '1 hour', 300, 900.5, 6.25, 'incident' from vp.channel,"
        " generate_series(%(until)s::timestamptz - interval '1000 hours', %(until)s,"
        " interval '1 hour') as began where key = 'motor-ost'",
        {"until": NOW},
    )


@pytest.fixture(scope="module")
def app(_plain: parts.Databases) -> Iterator[FastAPI]:
    with _plain.fresh() as url:
        with connect(url) as connection:
            register(connection, LONG)
            for number, sites in enumerate((200, 5)):
                register(connection, pages.town(number, sites))
            _fill(connection)
            connection.commit()
        yield served.web(url, NOW)


PERIODS = {
    "year": "from=2025-02-28&to=2026-02-28",
    "ten years": "from=2016-03-05&to=2026-03-01",
    "three years": "from=2023-03-01&to=2026-02-28",
    "quarter by hours": "from=2025-11-28&to=2026-03-01&bin=PT1H",
    "month by hours": "from=2026-01-29&to=2026-03-01&bin=PT1H",
    "fortnight by quarters": "from=2026-02-15&to=2026-03-01&bin=PT15M",
    "autumn": "from=2025-09-01&to=2025-11-30&bin=PT1H",
    "default": "",
}


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("key", [place.key for place in SITES])
def test_a_site_of_long_history_is_a_small_page(
    client: TestClient, key: str, period: str
) -> None:
    response = client.get(f"/de/towns/langenau/{key}?{PERIODS[period]}")
    assert response.status_code == 200
    assert len(response.content) < MAX_PAGE_BYTES
    rows = max(map(len, Tables(response.text).found.values()))
    assert rows <= 202, "a head and a line of means besides"


@pytest.mark.parametrize(
    "path",
    [
        "/de/",
        "/de/towns/langenau",
        "/de/towns/town-0",
        "/de/corridors/langenau/achse",
        "/de/cases/1",
    ],
)
def test_other_pages_are_small(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert len(response.content) < MAX_PAGE_BYTES


@pytest.mark.parametrize("key", [place.key for place in SITES])
@pytest.mark.parametrize("period", PERIODS)
def test_all_rows_are_one_click_away(client: TestClient, key: str, period: str) -> None:
    page = client.get(f"/de/towns/langenau/{key}?{PERIODS[period]}").text
    links = [unescape(a) for a in re.findall(r'href="([^"]+/table\?[^"]+)"', page)]
    assert links or period in ("default",), "a table is shortened"
    for link in links:
        response = client.get(link)
        assert response.status_code == 200
        assert len(response.content) < MAX_PAGE_BYTES
        (table,) = Tables(response.text).found.values()
        assert 200 < len(table) - 1 <= 500


def test_each_hour_is_on_one_of_the_pages_of_a_table(client: TestClient) -> None:
    address = "/de/towns/langenau/pegel/table?from=2025-02-28&to=2026-02-28"
    seen: list[str] = []
    path: str | None = address
    while path:
        page = client.get(path).text
        (table,) = Tables(page).found.values()
        seen += [row[0] for row in table[1:]]
        found = re.search(r'href="([^"]+)" rel="next"', page)
        path = address.partition("?")[0] + unescape(found[1]) if found else None
    # the hour that comes twice is two
    assert (len(seen), len(set(seen))) == (365 * 24, 365 * 24)
    assert seen[0].startswith("Fr 28.02.2025 00:00")


def test_months_add_up_to_what_was_counted(client: TestClient) -> None:
    page = client.get("/de/towns/langenau/kreuzung?from=2025-01-01&to=2026-01-01").text
    table = Tables(page).found["Tag für Tag"]
    assert [row[0] for row in table[1:3]] == ["Januar 2025", "Februar 2025"]
    assert [row[1] for row in table[1:3]] == ["744.000", "672.000"]
    assert table[1][7] == "31 von 31 Tagen"
    assert table[1][3].startswith("10,0")


def test_levels_of_months_are_energetic_means(client: TestClient) -> None:
    page = client.get("/de/towns/langenau/laerm?from=2025-02-01&to=2026-01-01").text
    tables = Tables(page).found
    levels = tables["Wie laut sind Tag, Abend und Nacht?"]
    # a night belongs to the day before
    assert [row[0] for row in levels[1:3]] == ["Januar 2025", "Februar 2025"]
    # of levels from 20 to 50, evenly: 41.6 dB(A), the arithmetic mean is 35
    assert all(40 < float(row[2].replace(",", ".")) < 43 for row in levels[2:13])


def test_a_case_with_many_findings_tells_the_first_of_them(client: TestClient) -> None:
    page = client.get("/de/cases/1").text
    (table,) = (rows for name, rows in Tables(page).found.items() if "spricht" in name)
    assert len(table) == 201
    assert client.get("/api/v1/cases/1").status_code == 200
    assert '<a href="/api/v1/cases/1">Alle Zeilen' in page


def test_a_table_that_is_not_there_is_told(client: TestClient) -> None:
    assert client.get("/de/towns/langenau/pegel/table?of=zzz").status_code == 422
    assert client.get("/de/towns/langenau/pegel/table?page=0").status_code == 422
    assert client.get("/de/towns/langenau/nirgends/table").status_code == 404
    assert client.get("/de/towns/langenau/pegel/table?page=999999").status_code == 200


def test_a_station_that_ended_opens_with_its_newest_days(
    app: FastAPI, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = NOW + timedelta(days=200)
    monkeypatch.setitem(app.dependency_overrides, render.now, lambda: later)
    page = client.get("/de/towns/langenau/pegel").text
    assert "23.02.2026 – 01.03.2026" in page
    assert "Noch keine Daten in diesem Zeitraum" not in page
