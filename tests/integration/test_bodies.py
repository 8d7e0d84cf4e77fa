"""No body is read beyond its limit, whatever it says of itself and wherever it goes."""

import json
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.bodies import MAX_BODY_BYTES
from dashboards.app import create_web
from tests import parts, world
from tests.parts import as_web
from verkehrspuls.settings import load

SHORT_COUNT = "/api/v1/municipalities/kaiserslautern/short-count"
CHUNK = bytes(16_384)


@pytest.fixture(scope="module")
def client(_plain: parts.Databases) -> Iterator[TestClient]:
    with _plain.fresh(world.build) as url:
        app = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
        with TestClient(app) as client:
            yield client


def chunks(size: int) -> Iterator[bytes]:
    """A body without Content-Length."""
    for _ in range(0, size, len(CHUNK)):
        yield CHUNK


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/x-www-form-urlencoded"},
        {},
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", SHORT_COUNT, 413),
        # the token is asked for first
        ("PATCH", "/api/v1/cases/1", 401),
        ("POST", "/api/v1/cases/1/comments", 401),
        ("POST", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/sites", 405),
        ("POST", "/de/", 405),
        ("GET", "/api/v1/sites", 413),
        ("GET", "/healthz", 413),
        ("GET", "/de/towns/kaiserslautern", 413),
        ("HEAD", "/assets/nothing", 413),
    ],
)
def test_a_body_that_is_too_large_is_refused_unread(
    client: TestClient, method: str, path: str, status: int, headers: dict[str, str]
) -> None:
    body = bytes(MAX_BODY_BYTES + 1)
    response = client.request(method, path, content=body, headers=headers)
    assert response.status_code == status
    assert "content-security-policy" in response.headers
    if status != 413:
        return
    if path.startswith(("/api", "/healthz")):
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"].endswith("#too-many")
        assert f"{MAX_BODY_BYTES} bytes" in response.json()["detail"]
    else:
        assert response.headers["content-type"].startswith("text/html")


def test_a_body_of_unknown_length_is_counted_as_it_comes(client: TestClient) -> None:
    response = client.post(
        SHORT_COUNT,
        content=chunks(4 * MAX_BODY_BYTES),
        headers={"content-type": "application/json"},
    )
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


def test_the_largest_body_is_still_read(client: TestClient) -> None:
    count = {"hours": [{"time": "2026-03-03T06:00:00Z", "volume": 412}]}
    body = json.dumps(count).encode().ljust(MAX_BODY_BYTES)
    headers = {"content-type": "application/json"}
    assert client.post(SHORT_COUNT, content=body, headers=headers).status_code == 200
    assert client.post(SHORT_COUNT, content=body + b" ").status_code == 413


@pytest.mark.parametrize(
    "hours", [[{}], [{"x": "y" * 50}], [None], [[]], [{"time": "2026", "volume": []}]]
)
def test_what_is_wrong_is_not_told_without_end(
    client: TestClient, hours: list[object]
) -> None:
    for many in (500, MAX_BODY_BYTES // (len(json.dumps(hours)) + 2) - 10):
        response = client.post(SHORT_COUNT, json={"hours": hours * many})
        assert response.status_code == 422
        assert len(response.content) < 10_000


@pytest.mark.parametrize("sign", ["[", '{"hours":['])
def test_a_body_that_is_nested_deeply_is_refused(client: TestClient, sign: str) -> None:
    body = sign * (MAX_BODY_BYTES // len(sign))
    headers = {"content-type": "application/json"}
    response = client.post(SHORT_COUNT, content=body, headers=headers)
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


def test_a_query_of_many_words_is_not_told_without_end(client: TestClient) -> None:
    words = "&".join(f"{name}={'9' * 9000}" for name in ("weeks", "middle", "quantity"))
    path = "/api/v1/municipalities/kaiserslautern/ranking"
    response = client.get(f"{path}?{words}")
    assert response.status_code == 422
    assert len(response.content) < 10_000
