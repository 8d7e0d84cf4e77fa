"""Errors of the API: always problem+json, never the program's inside."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx2
import polars as pl
import psycopg
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.testclient import TestClient

from api import database, guard, problems
from api.app import create_app
from api.reference import example
from tests import walk
from tests.parts import PATIENCE_S, as_web, free_port, wait_for
from verkehrspuls.settings import load
from verkehrspuls.storage import known

SERIES = "/api/v1/sites/kaiserslautern/pariser-strasse/series"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_WAIT_S", 0.5)


@contextmanager
def client_of(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[TestClient]:
    with client_of(
        create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    ) as client:
        yield client


def check(response: httpx2.Response, *, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    problems.Problem.model_validate(body)
    assert body["status"] == status
    assert body["type"] == f"/api/v1/docs#{code}"
    assert code in problems.MEANINGS
    assert re.fullmatch("[0-9a-f]{32}", str(body["trace_id"]))
    for name, value in guard.HEADERS.items():
        assert response.headers[name] == value
    return body


@pytest.mark.parametrize(
    ("path", "status", "code", "text"),
    [
        ("/nothing", 404, "not-found", "nothing at this address"),
        ("/api/v1/sites/kaiserslautern/moon", 404, "unknown-key", "moon"),
        (f"{SERIES}?from=gestern", 422, "invalid", "2026-03-01T00:00:00Z"),
        (f"{SERIES}?from=2026-03-02&to=2026-03-01", 422, "invalid", "before"),
        (f"{SERIES}?bin=PT5M", 422, "invalid", "PT15M"),
        (f"{SERIES}?quantity=bicycle", 422, "invalid", "motor, no2_ugm3"),
        (f"{SERIES}?direction=nord", 422, "invalid", "all, ost, west"),
        (f"{SERIES}?direction=Ost", 422, "invalid", "lower-case letters"),
        (f"{SERIES}?format=xlsx", 422, "invalid", "csv-de"),
        (
            f"{SERIES}?bin=PT15M&from=2024-01-01&to=2026-01-01",
            *(422, "too-long", "at most 366 days"),
        ),
        ("/api/v1/sites?municipality=%00", 422, "invalid", "the character NUL"),
        ("/api/v1/cases?limit=0", 422, "invalid", "greater than"),
        ("/api/v1/ledger?from=2020-01-01", 422, "too-long", "31 days"),
        ("/api/v1/rejects?from=2020-01-01", 422, "too-long", "366 days"),
        ("/api/v1/ledger?from=2026-03-02&to=2026-03-01", 422, "invalid", "before"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    client: TestClient, path: str, status: int, code: str, text: str
) -> None:
    response = client.get(path)
    problem = check(response, status=status, code=code)
    assert text in response.text
    if status == 422:
        pointers = [error["pointer"] for error in problem["errors"]]
        assert all(pointer.startswith("#/query/") for pointer in pointers)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "sites/kaiserslautern/parriser-strasse",
            "There is no site kaiserslautern/parriser-strasse; "
            "did you mean kaiserslautern/pariser-strasse?",
        ),
        (
            "sites/kaiserlautern/radweg/series",
            "There is no site kaiserlautern/radweg; "
            "did you mean kaiserslautern/radweg?",
        ),
        *(
            (
                f"{path}?municipality=kaiserlautern",
                "There is no municipality kaiserlautern; did you mean kaiserslautern?",
            )
            for path in (
                *("sites", "sites.geojson", "cases", "ledger", "rejects"),
                *("corridors", "junctions"),
            )
        ),
        (
            "cases?municipality=kaiserslautern&site=radwege",
            "There is no site kaiserslautern/radwege; "
            "did you mean kaiserslautern/radweg?",
        ),
        ("cases?site=radwege", "There is no site radwege; did you mean radweg?"),
        (
            "ledger?municipality=kaiserslautern&sensor=camara",
            "There is no sensor kaiserslautern/camara; "
            "did you mean kaiserslautern/camera?",
        ),
        # what is not to be seen is neither there nor named
        ("sites/kaiserslautern/hoff", "There is no site kaiserslautern/hoff."),
        ("sites?municipality=verborgen", "There is no municipality verborgen."),
        ("sites?municipality=verborgenn", "There is no municipality verborgenn."),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(
    client: TestClient, path: str, text: str
) -> None:
    response = client.get(f"/api/v1/{path}")
    problem = check(response, status=404, code="unknown-key")
    assert problem["detail"] == text


@pytest.mark.parametrize(
    "query", ["cases?site=radweg", "cases?municipality=kaiserslautern&site=radweg"]
)
def test_a_key_is_known_however_many_there_are(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """More than are compared with a misspelt one."""
    monkeypatch.setattr(known, "MAX_KEYS_COMPARED", 1)
    assert client.get(f"/api/v1/{query}").status_code == 200


def test_dates_are_those_of_the_town_that_is_named(client: TestClient) -> None:
    """A day begins an hour earlier in Kaiserslautern than in UTC."""

    def begins(query: str) -> str:
        period = "from=2026-03-04&to=2026-03-05"
        answer = client.get(f"/api/v1/{query}&{period}").json()
        return str(answer["from"])

    for path in ("ledger", "rejects"):
        there = begins(f"{path}?municipality=kaiserslautern")
        assert there == "2026-03-03T23:00:00Z"
        assert begins(f"{path}?") == "2026-03-04T00:00:00Z"


def test_what_is_known_and_has_nothing_is_empty(client: TestClient) -> None:
    town = "municipality=kaiserslautern"
    period = "from=2026-06-01&to=2026-06-02"
    for path in (f"ledger?{town}&{period}", f"rejects?{town}&{period}"):
        assert client.get(f"/api/v1/{path}").status_code == 200


def test_each_wrong_parameter_is_named(client: TestClient) -> None:
    response = client.get(f"{SERIES}?from=x&to=y&bin=z")
    problem = check(response, status=422, code="invalid")
    assert [error["pointer"] for error in problem["errors"]] == [
        "#/query/from",
        "#/query/to",
        "#/query/bin",
    ]


def enumerated(app: FastAPI) -> Iterator[tuple[str, str, list[str]]]:
    """Address, name and values of each query parameter that takes only some values."""
    for path, operation in walk.open_reads(app):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query" and "enum" in parameter["schema"]:
                address = example(path, operation).partition("?")[0]
                yield address, parameter["name"], parameter["schema"]["enum"]


def test_an_unknown_value_is_refused_with_the_ones_that_there_are(
    url: str, client: TestClient
) -> None:
    app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    found = list(enumerated(app))
    assert len(found) > 15
    any_values = {value for _, _, values in found for value in values}
    for address, name, values in found:
        for wrong in ("quatsch", ""):
            response = client.get(address, params={name: wrong})
            problem = check(response, status=422, code="invalid")
            details = {one["pointer"]: one["detail"] for one in problem["errors"]}
            detail = details[f"#/query/{name}"]
            assert "pattern" not in detail, (address, name)
            # of those perhaps only what the site measures, and no others
            named = set(re.findall("[A-Za-z0-9_-]+", detail)) & any_values
            assert named, (address, detail)
            assert named <= set(values), (address, detail)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_writing_is_not_allowed(client: TestClient, method: str) -> None:
    response = client.request(method, "/api/v1/sites")
    check(response, status=405, code="method-not-allowed")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("path", "allowed"), [("cases/1", "GET, PATCH"), ("readings", "POST")]
)
def test_all_methods_of_an_address_are_named(
    client: TestClient, path: str, allowed: str
) -> None:
    response = client.delete(f"/api/v1/{path}")
    check(response, status=405, code="method-not-allowed")
    assert response.headers["allow"] == allowed


def test_the_callers_trace_goes_on(client: TestClient) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    header = f"00-{trace}-00f067aa0ba902b7-01"
    response = client.get("/nothing", headers={"traceparent": header})
    assert response.json()["trace_id"] == trace
    forged = client.get("/nothing", headers={"traceparent": "<script>"})
    assert re.fullmatch("[0-9a-f]{32}", forged.json()["trace_id"])


def test_an_unexpected_error_tells_nothing_of_the_inside(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))

    @app.get("/api/v1/broken")
    def broken() -> None:
        raise RuntimeError("password=hunter2")

    with client_of(app) as client:
        response = client.get("/api/v1/broken")
    problem = check(response, status=500, code="internal")
    assert "hunter2" not in response.text
    assert "Runtime" not in response.text
    assert problem["trace_id"] in [
        getattr(record, "trace_id", None) for record in caplog.records
    ]


def test_people_get_a_page_where_the_application_has_one(url: str) -> None:
    app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))

    def page(_: Request, problem: problems.Problem) -> Response:
        return HTMLResponse(f"<h1>{problem.status}</h1>", status_code=problem.status)

    app.state.problem_page = page
    with client_of(app) as client:
        assert client.get("/de/towns/nothing").text == "<h1>404</h1>"
        check(client.get("/api/v1/nothing"), status=404, code="not-found")


def test_a_database_that_is_not_set_up_is_503(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create database empty_for_api")
    parameters: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(url) | {
        "dbname": "empty_for_api"
    }
    empty = psycopg.conninfo.make_conninfo(**parameters)
    try:
        app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(empty)}))
        with client_of(app) as client:
            response = client.get("/api/v1/sites")
            check(response, status=503, code="not-migrated")
            health = client.get("/readyz")
            assert health.status_code == 503
            assert health.json()["checks"]["migrations"][0]["status"] == "fail"
            assert "verkehrspuls_database_up 0.0" in client.get("/metrics").text
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("drop database empty_for_api with (force)")


@pytest.mark.usefixtures("_impatient")
def test_the_service_is_back_when_the_database_is(url: str) -> None:
    """Away at the start: 503 that says when to ask again; served once it is there."""
    port = free_port()
    parameters: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(url)
    away = psycopg.conninfo.make_conninfo(
        **parameters | {"host": "127.0.0.1", "port": port}
    )
    app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(away)}))
    with client_of(app) as client:

        def found(address: str) -> bool:
            return client.get(address).status_code == 200

        response = client.get("/api/v1/sites")
        check(response, status=503, code="database-unavailable")
        assert response.headers["retry-after"] == "5"
        assert str(port) not in response.text
        health = client.get("/readyz")
        assert (health.status_code, health.json()["status"]) == (503, "fail")
        assert client.get("/healthz").status_code == 200
        assert "verkehrspuls_database_up 0.0" in client.get("/metrics").text
        with forwarded(port, to=parameters):
            for address in ("/readyz", "/api/v1/sites"):
                wait_for(partial(found, address))
        response = client.get(SERIES)
        check(response, status=503, code="database-unavailable")


def test_a_query_that_takes_too_long_is_called_off(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = f"{database._SESSION} -c statement_timeout=300"
    monkeypatch.setattr(database, "_SESSION", quick)
    app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    with client_of(app) as client, psycopg.connect(url) as blocker:
        blocker.execute("lock table vp.volume in access exclusive mode")
        response = client.get(SERIES)
        check(response, status=503, code="too-slow")
        blocker.execute("lock table vp.municipality in access exclusive mode")
        response = client.get("/api/v1/municipalities")
        check(response, status=503, code="too-slow")


def test_the_server_cannot_write(url: str) -> None:
    store = database.Database(as_web(url), size=1)
    store.open()
    try:
        with (
            store.connection() as connection,
            pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        ):
            connection.execute("delete from vp.anomaly_case")
    finally:
        store.close()


@contextmanager
def forwarded(port: int, *, to: dict[str, Any]) -> Iterator[None]:
    """Listen on a port and pass everything on to the database server."""
    stopped = threading.Event()
    sockets: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass

    def accept(listening: socket.socket) -> None:
        while not stopped.is_set():
            try:
                near, _ = listening.accept()
            except OSError:
                return
            host, number = str(to["host"]), int(str(to.get("port", 5432)))
            if host.startswith("/"):
                far = socket.socket(socket.AF_UNIX)
                far.connect(f"{host}/.s.PGSQL.{number}")
            else:
                far = socket.create_connection((host, number))
            sockets.extend((near, far))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=accept, args=(listening,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            listening.shutdown(socket.SHUT_RDWR)
            for one in sockets:
                one.close()
            thread.join(PATIENCE_S)


@pytest.mark.parametrize(
    "fault",
    [
        pl.exceptions.ComputeError("the database is lost: 2 values, one is wanted"),
        pl.exceptions.ColumnNotFoundError("statement timeout"),
        KeyError("libpq"),
        ZeroDivisionError("division by zero"),
        MemoryError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("lend", ["frames", "connection"])
def test_an_error_of_the_program_is_no_lost_database(
    url: str, fault: Exception, lend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told as one of the server, and its trace is logged; others are served."""
    app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))

    def work() -> None:
        raise fault

    def fail(request: Request) -> None:
        with getattr(request.app.state.database, lend)():
            try:
                psycopg.connect("host=127.0.0.1 port=1 connect_timeout=1")
            except psycopg.OperationalError:
                # another one is taken, and what it reads is worked on
                work()

    app.get("/fails")(fail)
    with client_of(app) as client:
        check(client.get("/fails"), status=500, code="internal")
        logged = [record for record in caplog.records if record.exc_info]
        assert type(fault).__name__ in caplog.text
        assert "in fail" in caplog.text
        assert logged
        assert client.get(SERIES).status_code == 200
