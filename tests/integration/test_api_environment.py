"""Environment over HTTP: a station by a road, a background site, a gauge."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from math import log10
from typing import Any

import pytest
from starlette.testclient import TestClient

from dashboards.app import create_web
from tests import parts
from tests.parts import as_web
from tests.suspicion import suspected_until_decided, suspicion
from tests.towns import counter, linz
from verkehrspuls.model import Channel, Site
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage.database import Connection, connect

#: 6 o'clock in Berlin
START = datetime(2026, 11, 2, 5, tzinfo=UTC)
HOURS = 48
PERIOD = {"from": "2026-11-02T05:00:00Z", "to": "2026-11-04T05:00:00Z"}
#: what the channels of the station measure in hour n
STATION: dict[str, Callable[[int], float]] = {
    "no2_ugm3": lambda n: 20 + 0.05 * flow(n),
    "pm10_ugm3": lambda n: 40,
    "humidity_pct": lambda n: 90,
    "laeq_db": lambda n: 65 if 1 <= (n % 24) <= 16 else 55,
    "wind_ms": lambda n: 3,
    "wind_deg": lambda n: 90,
}
TOWN = linz(
    Site(
        key="station",
        name="Station",
        channels=(
            *(Channel(key=k.replace("_", "-"), name=k, quantity=k) for k in STATION),
            Channel(key="cars", name="cars", quantity="motor", direction="in"),
            Channel(key="back", name="back", quantity="motor", direction="out"),
        ),
    ),
    Site(
        key="park",
        name="Park",
        channels=(Channel(key="no2", name="NO₂", quantity="no2_ugm3"),),
    ),
    Site(
        key="pegel",
        name="Pegel",
        channels=(
            Channel(
                key="level",
                name="Wasserstand",
                quantity="water_level_cm",
                thresholds={"Meldestufe 1": 200, "Meldestufe 2": 300},
            ),
        ),
    ),
    sensors=(counter("s", "s", "station", channels=("cars", "back"), interval_s=3600),),
)
CONCENTRATIONS = "no2_ugm3, o3_ugm3, so2_ugm3, pm10_ugm3, pm25_ugm3"
#: in this hour one direction is silent
SILENT = 20


def flow(n: int) -> int:
    return 100 * (1 + n % 12)


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh() as url:
        with connect(url) as connection:
            register(connection, TOWN)
            _fill(connection)
        yield url


def _fill(connection: Connection) -> None:
    ids = dict(
        connection.execute(
            "select s.key || '/' || c.quantity || c.direction, channel_id"
            " from vp.channel c join vp.site s using (site_id)"
        ).fetchall()
    )
    for name in ("environment_hour", "volume"):
        connection.execute(
            "select vp.ensure_range(%s, %s, %s)",
            [name, START, START + timedelta(hours=HOURS)],
        )
    made: dict[str, Callable[[int], float]] = {
        **{f"station/{quantity}": value for quantity, value in STATION.items()},
        "park/no2_ugm3": lambda n: 20,
        "pegel/water_level_cm": lambda n: 150 + 2 * n,
    }
    for n in range(HOURS):
        time = START + timedelta(hours=n)
        for key, value in made.items():
            connection.execute(
                "insert into vp.environment_hour values (%s, %s, 3600, %s, 0, 0)",
                [ids[key], time, value(n)],
            )
        for direction, share in (("in", 0.25), ("out", 0.75)):
            if n == SILENT and direction == "out":
                continue
            connection.execute(
                "insert into vp.volume (channel_id, interval_s, time, observed_s,"
                " volume, car, truck, speed_kmh)"
                " values (%s, 3600, %s, 3600, %s, %s, 0, 50)",
                [ids[f"station/motor{direction}"], time, *2 * [share * flow(n)]],
            )
    connection.commit()


def ask(client: TestClient, path: str, **query: str) -> Any:
    response = client.get(f"/api/v1/sites/linz/{path}", params=PERIOD | query)
    assert response.status_code == 200, response.text
    return response.json()


def test_air_is_judged_and_called_indicative(client: TestClient) -> None:
    found = ask(client, "station/air")
    assert found["status"] == "indicative"
    first = found["index"]["hours"][0]
    # NO2 25 is good, PM10 40 is moderate; the others are not measured
    assert (first["level"], first["decides"]) == (2, "pm10_ugm3")
    assert first["missing"] == ["o3_ugm3", "pm25_ugm3", "so2_ugm3"]
    hourly = next(
        row
        for row in found["comparison"]
        if (row["standard"], row["quantity"], row["kind"], row["average"])
        == ("39-bimschv", "no2_ugm3", "limit", "hour")
    )
    assert (hourly["exceeded"], hourly["judged"], hourly["met"]) == (0, HOURS, None)
    corrected = found["corrected"]["hours"][0]
    assert corrected["corrected"] == pytest.approx(40 / (1 + 0.4 / 1.65 * 9))
    assert found["passport"]["no2_ugm3"]["observed"] == 1


def test_running_means_know_the_hours_before_the_period(client: TestClient) -> None:
    later = {"from": "2026-11-03T05:00:00Z", "index": "european-2017"}
    first = ask(client, "station/air", **later)["index"]["hours"][0]
    assert first["time"] == "2026-11-03T05:00:00Z"
    assert "pm10_ugm3" not in first["missing"]


def test_noise_has_levels_and_what_traffic_explains(client: TestClient) -> None:
    found = ask(client, "station/noise")
    day = found["days"][0]
    expected = 10 * log10((11 * 10**6.5 + 10**5.5) / 12)
    assert (day["day"], day["lday"]) == ("2026-11-02", pytest.approx(expected))
    assert found["levels"][0]["days_lden"] == 2
    assert len(found["emission"]["hours"]) == HOURS - 1
    assert 10 < found["emission"]["attenuation_db"] < 30


def test_wind_blows_from_the_east(client: TestClient) -> None:
    (cell,) = ask(client, "station/wind", quantity="pm10_ugm3")["rose"]
    assert (cell["sector"], cell["share"], cell["mean"]) == (4, 1, 40)


def test_gauge_tells_level_trend_and_crossings(client: TestClient) -> None:
    (gauge,) = ask(client, "pegel/water-level")["gauges"]
    assert (gauge["level"], gauge["cm_per_h"]) == (244, pytest.approx(2))
    assert gauge["reached"] == "Meldestufe 1"
    (crossing,) = gauge["crossings"]
    assert (crossing["time"], crossing["reached"]) == ("2026-11-03T06:00:00Z", True)


def test_increment_over_the_background_goes_with_the_flow(client: TestClient) -> None:
    found = ask(client, "station/traffic-and-environment", background="park")
    means = [cell["mean"] for cell in found["by"]["flow"]]
    assert means == sorted(means)
    known = [flow(n) for n in range(HOURS) if n != SILENT]
    assert found["mean"] == pytest.approx(0.05 * sum(known) / len(known))
    assert found["hours"] == HOURS - 1


def test_trap_1_a_silent_direction_is_not_an_empty_street(client: TestClient) -> None:
    found = ask(client, "station/traffic-and-environment")
    assert sum(cell["hours"] for cell in found["by"]["flow"]) == HOURS - 1
    hours = ask(client, "station/noise")["emission"]["hours"]
    silent = START + timedelta(hours=SILENT)
    assert f"{silent:%Y-%m-%dT%H:%M:%SZ}" not in {row["time"] for row in hours}


@pytest.mark.parametrize(
    ("site", "path", "quantity"),
    [
        ("station", "air", "no2_ugm3"),
        ("station", "air", "pm10_ugm3"),
        ("station", "noise", "laeq_db"),
        ("station", "wind", "wind_ms"),
        ("pegel", "water-level", "water_level_cm"),
        ("station", "traffic-and-environment", "no2_ugm3"),
    ],
)
def test_what_a_stuck_sensor_touches_is_told_without_it_as_well(
    client: TestClient, url: str, site: str, path: str, quantity: str
) -> None:
    """Of two days the last twelve hours: from there on a gauge rises further."""
    ended = START + timedelta(hours=HOURS)
    began = ended - timedelta(hours=12)
    found, trusted = suspected_until_decided(
        lambda: ask(client, f"{site}/{path}"), url, site, quantity, began, ended
    )
    assert found["passport"][quantity]["suspected"] == pytest.approx(1 / 4)
    if path == "water-level":
        (gauge,), (sure,) = found["gauges"], trusted["gauges"]
        assert (gauge["level"], sure["level"]) == (244, 150 + 2 * 35)
    if path == "noise":
        (levels,), (sure,) = found["levels"], trusted["levels"]
        assert (levels["days_lnight"], sure["days_lnight"]) == (2, 1)
    if quantity == "no2_ugm3" and path == "air":
        judged = {
            (row["standard"], row["average"], row["kind"]): row["judged"]
            for row in trusted["comparison"]
            if row["quantity"] == quantity
        }
        assert judged["39-bimschv", "hour", "limit"] == HOURS - 12


@pytest.mark.parametrize(
    ("site", "quantity", "charts"),
    [
        ("station", "pm10_ugm3", {"air", "pm10-ugm3"}),
        # another quantity decides the class of the index in each hour
        ("station", "no2_ugm3", {"limits", "no2-ugm3"}),
        ("station", "laeq_db", {"noise", "laeq-db"}),
        ("pegel", "water_level_cm", {"water-level-cm"}),
    ],
)
def test_a_page_says_beside_each_figure_what_it_is_without_a_stuck_sensor(
    url: str, site: str, quantity: str, charts: set[str]
) -> None:
    path = f"/de/towns/linz/{site}?from=2026-11-02&to=2026-11-04"
    ended = START + timedelta(hours=HOURS)

    def suspected_charts(page: str) -> set[str]:
        return {
            part.partition("-heading")[0]
            for part in page.split('<section class="chart" aria-labelledby="')[1:]
            if "in denen ein Fehler vermutet wird" in part
        }

    with TestClient(
        create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    ) as web:
        assert suspected_charts(web.get(path).text) == set()
        with suspicion(
            url, site, quantity, ended - timedelta(hours=12), ended
        ) as decide:
            assert suspected_charts(web.get(path).text) == charts
            decide(state="rejected")
            assert suspected_charts(web.get(path).text) == set()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("station/noise", {}),
        ("station/traffic-and-environment", {}),
        ("station/traffic-and-environment", {"background": "park"}),
    ],
)
def test_what_is_set_beside_a_value_is_told_without_a_fault_too(
    client: TestClient, url: str, path: str, query: dict[str, str]
) -> None:
    ended = START + timedelta(hours=HOURS)
    beside = ("park", "no2_ugm3") if query else ("station", "motor")
    with suspicion(url, *beside, ended - timedelta(hours=6), ended):
        found = ask(client, path, **query)
    hours, sure = (
        len(of["emission"]["hours"]) if "emission" in of else of["hours"]
        for of in (found, found["without_suspected"])
    )
    assert hours - sure == 6


def test_a_fault_just_before_the_period_touches_running_means_only(
    client: TestClient, url: str
) -> None:
    later = {"from": "2026-11-03T05:00:00Z"}
    ended = START + timedelta(hours=20)
    with suspicion(url, "station", "pm10_ugm3", START, ended):
        air = ask(client, "station/air", **later)
        wind = ask(client, "station/wind", **later, quantity="pm10_ugm3")
    assert air["passport"]["pm10_ugm3"]["suspected"] == 0
    assert air["without_suspected"] is not None
    assert wind["without_suspected"] is None


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("station/wind", {"quantity": "laeq_db"}),
        ("station/air", {"index": "moon"}),
        ("station/air", {"from": "2020-01-01"}),
        ("station/noise", {"from": "2026-11-05"}),
    ],
)
def test_what_cannot_be_asked_is_refused(
    client: TestClient, path: str, query: dict[str, str]
) -> None:
    response = client.get(f"/api/v1/sites/linz/{path}", params=PERIOD | query)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("wrong", ["quatsch", "", "motor", "laeq_db"])
@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("air", "index", "uba-2025, european-2025, european-2017"),
        ("wind", "quantity", CONCENTRATIONS),
        ("traffic-and-environment", "quantity", CONCENTRATIONS),
    ],
)
def test_what_is_none_of_a_few_is_refused_with_their_names(
    client: TestClient, path: str, name: str, values: str, wrong: str
) -> None:
    address = f"/api/v1/sites/linz/station/{path}"
    answer = client.get(address, params=PERIOD | {name: wrong})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": f"#/query/{name}", "detail": f"It must be one of {values}"}
    ]


def test_background_that_is_not_there_is_not_found(client: TestClient) -> None:
    path = "/api/v1/sites/linz/station/traffic-and-environment"
    response = client.get(path, params=PERIOD | {"background": "moon"})
    assert response.status_code == 404
