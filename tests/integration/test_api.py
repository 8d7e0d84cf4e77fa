"""The API over HTTP, against a small world of figures."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import polars as pl
import psycopg
import pytest
from fastapi import FastAPI
from psycopg import sql
from starlette.testclient import TestClient

from analytics.volumes.daily import METHOD
from api import guard
from api.app import create_app
from api.reference import example
from tests import parts, world
from tests.integration.test_access import TABLE
from tests.parts import as_web
from verkehrspuls.access.permissions import PERMISSIONS
from verkehrspuls.settings import load

SERIES = "/api/v1/sites/kaiserslautern/pariser-strasse/series"
PERIOD = {"from": "2026-03-02T22:00:00Z", "to": "2026-03-03T02:00:00Z"}
GOLDEN = parts.PROJECT / "tests" / "golden"


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def golden(name: str, body: bytes) -> None:
    assert body == (GOLDEN / name).read_bytes()


def test_each_operation_answers_its_example_as_described(
    client: TestClient, document: dict[str, Any]
) -> None:
    for path, operations in document["paths"].items():
        operation = operations.get("get", {})
        # what changes something, or asks for a token, has tests of its own
        if not operation or (operation.get("security") and path != "/metrics"):
            continue
        address = example(path, operation)
        if "/series" in path:
            address += (
                "&" if "?" in address else "?"
            ) + "from=2026-03-01&to=2026-03-04"
        response = client.get(address)
        assert response.status_code == 200, (address, response.text)
        described = operation["responses"]["200"]["content"]
        media_type = response.headers["content-type"].split(";")[0]
        assert media_type in described, address
        schema = described[media_type].get("schema", {})
        if "json" in media_type:
            jsonschema.validate(
                response.json(),
                {**schema, "components": document["components"]},
                format_checker=jsonschema.FormatChecker(),
            )


@pytest.mark.parametrize("token", ["", "vp_00000000_" + "x" * 43])
@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", ""),
        (b"{", "application/json"),
        (b"7", "application/json"),
        (b"\xff", "text/plain"),
        (b"x" * 3_000_000, "application/json"),
    ],
    ids=lambda value: str(value[:20]),
)
def test_token_is_asked_for_before_anything_else(
    client: TestClient,
    document: dict[str, Any],
    token: str,
    body: bytes,
    media_type: str,
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    asked = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            # what is read has no body, so one this large is refused without a look
            if "security" not in operation or (method == "get" and body[1_000_000:]):
                continue
            asked.add(f"{method.upper()} {path}")
            for address in (example(path, operation), path):  # `{number}` is none
                response = client.request(
                    method, address, content=body, headers=headers
                )
                assert response.status_code == 401, (method, address, response.text)
                assert response.json()["type"].endswith("#not-authorised")
                assert response.headers["www-authenticate"].startswith("Bearer")
    assert asked == {
        label.replace(":path", "")
        for label, needs in TABLE.items()
        if needs in PERMISSIONS
        and " /api/" in label
        and not (label.startswith("GET ") and body[1_000_000:])
    }


def test_the_document_is_openapi_3_1_with_names_and_examples(
    document: dict[str, Any],
) -> None:
    assert document["openapi"].startswith("3.1")
    names = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    ]
    assert len(names) == len(set(names))
    text = json.dumps(document)
    for reference in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert reference in document["components"]["schemas"]
    assert "#/$defs" not in text
    assert "HTTPValidationError" not in text


@pytest.mark.parametrize(
    "path",
    [
        *("/healthz", "/readyz", "/metrics", "/api/v1/docs", "/api/v1/openapi.json"),
        *("/api/v1/sites", f"{SERIES}.csv", f"{SERIES}.parquet", "/nothing"),
        *("/api/v1/sites?municipality=%00", "/api/v1/sites/kaiserslautern/moon"),
    ],
)
def test_every_response_is_guarded(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    for name, value in guard.HEADERS.items():
        assert headers[name] == value
    assert "cache-control" in headers
    assert re.search(r"total;dur=\d", headers["server-timing"])
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


def test_head_is_get_without_the_body(client: TestClient) -> None:
    response = client.head("/api/v1/sites")
    assert response.status_code == 200
    assert response.content == b""
    assert int(response.headers["content-length"]) > 100


def test_only_public_sites_are_served(client: TestClient) -> None:
    for path in ("/api/v1/municipalities", "/api/v1/sites", "/api/v1/sites.geojson"):
        text = client.get(path).text
        assert "kaiserslautern" in text
        assert "Bauhof" not in text
        assert "verborgen" not in text
    assert client.get("/api/v1/sites/kaiserslautern/hof").status_code == 404
    hidden = client.get("/api/v1/sites/kaiserslautern/hof/series")
    moon = client.get("/api/v1/sites/kaiserslautern/moon/series")
    assert hidden.status_code == 404
    # nobody learns that it exists
    assert hidden.json()["type"] == moon.json()["type"]
    assert "below-usual" not in client.get("/api/v1/cases?open=false").text
    assert "gate" not in client.get("/api/v1/ledger?from=2026-03-03&to=2026-03-05").text


def test_geojson_is_as_recorded(client: TestClient) -> None:
    response = client.get("/api/v1/sites.geojson")
    assert response.headers["content-type"] == "application/geo+json"
    golden("sites.geojson", response.content)


def test_site_and_town_without_coordinates_are_served(
    url: str, client: TestClient
) -> None:
    with psycopg.connect(url) as connection:
        for table, key in (("site", "radweg"), ("municipality", "kaiserslautern")):
            connection.execute(
                sql.SQL(
                    "update vp.{} set latitude = null, longitude = null where key = %s"
                ).format(sql.Identifier(table)),
                [key],
            )
    try:
        (town,) = client.get("/api/v1/municipalities").json()["municipalities"]
        assert (town["latitude"], town["longitude"]) == (None, None)
        for sites in ("/api/v1/sites", "/api/v1/sites?municipality=kaiserslautern"):
            assert len(client.get(sites).json()["sites"]) == 2
        one = client.get("/api/v1/sites/kaiserslautern/radweg").json()
        assert one["latitude"] is None
        features = client.get("/api/v1/sites.geojson").json()["features"]
        # RFC 7946, 3.2: a feature without place has the geometry null
        assert {f["id"]: f["geometry"] and "there" for f in features} == {
            "kaiserslautern/pariser-strasse": "there",
            "kaiserslautern/radweg": None,
        }
    finally:
        with psycopg.connect(url) as connection:
            for found, table in (
                (world.RADWEG, "site"),
                (world.TOWN, "municipality"),
            ):
                connection.execute(
                    sql.SQL(
                        "update vp.{} set latitude = %s, longitude = %s where key = %s"
                    ).format(sql.Identifier(table)),
                    [found.latitude, found.longitude, found.key],
                )


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("hours.csv", f"{SERIES}.csv", PERIOD),
        ("hours-de.csv", f"{SERIES}.csv", PERIOD | {"format": "csv-de"}),
        (
            "quarters.csv",
            f"{SERIES}.csv",
            PERIOD | {"bin": "PT15M", "direction": "all"},
        ),
        (
            "days.csv",
            f"{SERIES}.csv",
            {"from": "2026-03-01", "to": "2026-03-04", "bin": "P1D"},
        ),
        ("no2.csv", f"{SERIES}.csv", PERIOD | {"quantity": "no2_ugm3"}),
        ("hours.json", SERIES, PERIOD),
    ],
)
def test_figures_are_as_recorded(
    client: TestClient, name: str, path: str, query: dict[str, str]
) -> None:
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    golden(name, response.content)


def test_day_of_25_hours_is_as_recorded(
    _plain: parts.Databases,  # noqa: PT019 - it has a value
) -> None:
    with _plain.fresh(world.build_autumn) as url:
        app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
        with TestClient(app) as client:
            response = client.get(
                "/api/v1/sites/kaiserslautern/radweg/series.csv",
                params={"from": "2026-10-25", "to": "2026-10-26", "format": "csv-de"},
            )
    golden("autumn-de.csv", response.content)


def test_parquet_has_the_rows_of_json(client: TestClient) -> None:
    rows = client.get(f"{SERIES}.json", params=PERIOD).json()["rows"]
    body = client.get(f"{SERIES}.parquet", params=PERIOD).content
    frame = pl.read_parquet(io.BytesIO(body))
    assert frame.height == len(rows) == 8
    assert frame["volume"].to_list() == [row["volume"] for row in rows]


def test_passport_tells_what_is_missing(client: TestClient) -> None:
    passport = client.get(SERIES, params=PERIOD).json()["passport"]
    # two directions, four hours; one lane of two silent in two of them
    assert passport["intervals_expected"] == 8
    assert passport["observed"] == pytest.approx(7 / 8)
    assert [case["reason"] for case in passport["open_cases"]] == ["silent"]
    days = client.get(
        SERIES, params={"from": "2026-03-01", "to": "2026-03-04", "bin": "P1D"}
    ).json()
    assert days["passport"]["method"] == METHOD
    assert days["passport"]["observed"] == pytest.approx((5 + 25 / 48) / 6, abs=1e-4)
    assert days["passport"]["normalised"] == 0


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv", "text/csv"),
        ("application/json;q=0.5, text/*", "text/csv"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("application/json;q=0, */*;q=0.1", "text/csv"),
    ],
)
def test_format_follows_accept(
    client: TestClient, accept: str, media_type: str
) -> None:
    response = client.get(SERIES, params=PERIOD, headers={"accept": accept})
    assert response.headers["content-type"].split(";")[0] == media_type
    assert "Accept" in response.headers["vary"]


@pytest.mark.parametrize(
    "accept", ["image/png", "text/csv;q=0", "application/json;q=x"]
)
def test_format_that_is_not_served_is_406(client: TestClient, accept: str) -> None:
    response = client.get(SERIES, headers={"accept": accept})
    assert response.status_code == 406
    assert "text/csv" in response.json()["detail"]


def test_csv_leads_to_its_description(client: TestClient) -> None:
    response = client.get(f"{SERIES}.csv", params=PERIOD | {"direction": "all"})
    assert response.headers["content-disposition"] == (
        "attachment; filename="
        '"pariser-strasse_2026-03-02T2200Z_2026-03-03T0200Z_PT1H.csv"'
    )
    found = re.search(r'<([^>]+)>; rel="describedby"', response.headers["link"])
    assert found
    described = client.get(found[1]).json()
    assert described["direction"] == "all"
    assert [c["name"] for c in described["columns"]] == response.text.splitlines()[
        0
    ].split(",")
    assert {c["name"]: c["unit"] for c in described["columns"]}["speed_kmh"] == "km/h"


def test_what_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    first = client.get(SERIES, params=PERIOD)
    again = client.get(
        SERIES, params=PERIOD, headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = client.get(
        f"{SERIES}.csv", params=PERIOD, headers={"if-none-match": first.headers["etag"]}
    )
    assert other.status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_large_answers_are_compressed(client: TestClient, coding: str) -> None:
    path = "/api/v1/openapi.json"
    plain, packed = (
        client.get(path, headers={"accept-encoding": kind})
        for kind in ("identity", coding)
    )
    assert packed.headers["content-encoding"] == coding
    assert int(packed.headers["content-length"]) < len(plain.content) / 4


def test_ledger_adds_up(client: TestClient) -> None:
    ledger = client.get("/api/v1/ledger?from=2026-03-03T00:00:00Z&to=2026-03-05").json()
    assert ledger["sums"]["messages_received"] == 26 + 24 + 29 + 4
    assert ledger["sums"]["messages_unknown_sensor"] == 4
    assert ledger["balance"] == {"messages": 0, "readings": 0}
    one = client.get(
        "/api/v1/ledger?from=2026-03-03T00:00:00Z&to=2026-03-05&sensor=camera"
        "&municipality=kaiserslautern"
    ).json()
    assert [row["sensor"] for row in one["rows"]] == ["camera"]
    assert one["sums"]["readings_stored"] == 2 * 24 * 4


def test_ledger_tells_the_silent_hours_too(client: TestClient) -> None:
    period = "from=2026-03-03&to=2026-03-04&sensor=camera"
    rows = client.get(f"/api/v1/ledger?{period}&silent=true").json()["rows"]
    assert len(rows) == 24
    silent = [row for row in rows if row["last_received_at"] is None]
    assert len(silent) >= 23
    assert all(row["readings_expected"] > 0 for row in silent)
    assert all(row["messages_received"] == 0 for row in silent)


def test_rejects_are_counted_and_not_told(client: TestClient) -> None:
    found = client.get("/api/v1/rejects?from=2026-03-03&to=2026-03-05")
    assert {
        (reason["reason"], reason["messages"], reason["kept"])
        for reason in found.json()["reasons"]
    } == {("unreadable", 3, 1), ("unknown-sensor", 4, 1)}
    assert "secret" not in found.text


def test_readiness_warns_when_ingest_is_late(client: TestClient) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/health+json"
    health = response.json()
    assert health["status"] == "warn"
    assert health["checks"]["database"] == [{"status": "pass"}]
    assert health["checks"]["ingest:lag"][0]["observedValue"] > 900


def test_metrics_tell_of_the_database_and_of_requests(client: TestClient) -> None:
    client.get("/api/v1/sites/kaiserslautern/moon")
    text = client.get("/metrics").text
    assert "verkehrspuls_stale_buckets 2.0" in text
    assert 'verkehrspuls_rejected_messages_total{reason="unreadable"} 3.0' in text
    only = 'verkehrspuls_rejected_messages_only_counted_total{reason="unreadable"} 2.0'
    assert only in text
    assert (
        'verkehrspuls_messages_total{municipality="kaiserslautern",outcome="accepted"}'
        " 584.0" in text
    )
    assert 'route="/api/v1/sites/{municipality}/{site}",status="404"' in text
    assert "moon" not in text


def test_reference_lists_every_operation_and_asks_nobody_else(
    client: TestClient, document: dict[str, Any]
) -> None:
    response = client.get("/api/v1/docs")
    assert response.headers["content-type"].startswith("text/html")
    for path, operations in document["paths"].items():
        assert f"<code>{path}</code>" in response.text
        for operation in operations.values():
            assert f'id="{operation["operationId"]}"' in response.text
    assert "<script" not in response.text
    assert not re.search(r'(src|href)="(https?:)?//', response.text)
    assert "curl https://traffic.example.org/api/v1/sites" in response.text
