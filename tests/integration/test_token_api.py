"""What the API answers to tokens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests import served
from tests.people import OTHER, TOWN
from verkehrspuls.access import tokens
from verkehrspuls.storage.database import connect

SITES = "/api/v1/sites"
HIDDEN = f"{SITES}/{TOWN}/hof"
AUTHENTICATE = "www-authenticate"
SCOPE = "insufficient-scope"


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, datetime(2026, 3, 4, tzinfo=UTC))


def made(url: str, *permissions: str, town: str | None = TOWN, **more: Any) -> str:
    with connect(url) as connection:
        return tokens.create(connection, town, permissions=permissions, **more)


def ask(client: TestClient, path: str, token: str, **more: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return client.request(more.pop("method", "GET"), path, headers=headers, **more)


def problem(response: httpx2.Response, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"].endswith(f"#{code}")
    return str(response.json()["detail"])


def test_view_shows_what_is_not_public_in_its_town(
    url: str, client: TestClient
) -> None:
    assert client.get(HIDDEN).status_code == 404
    shown = ask(client, HIDDEN, made(url, "view"))
    assert shown.status_code == 200
    assert shown.headers["cache-control"] == "private, no-cache"
    assert "Authorization" in shown.headers["vary"]
    for path in (f"{HIDDEN}/series", f"{HIDDEN}/series.csv"):
        period = "?from=2026-03-02&to=2026-03-03&bin=PT1H"
        assert client.get(path + period).status_code == 404
        answer = ask(client, path + period, made(url, "view"))
        assert answer.status_code == 200, answer.text
    # another town's shows nothing of it, nor does one for something else
    for token in (made(url, "view", town=OTHER), made(url, "cases", "readings")):
        problem(ask(client, HIDDEN, token), 404, "unknown-key")
        assert ask(client, f"{SITES}/{TOWN}/pariser-strasse", token).is_success
    listed = ask(client, SITES, made(url, "view", town=OTHER)).json()["sites"]
    assert {(each["municipality"], each["key"]) for each in listed} == {
        *((TOWN, "pariser-strasse"), (TOWN, "radweg"), (OTHER, "hof"))
    }


def test_what_is_wrong_with_a_token_is_not_told(url: str, client: TestClient) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    valid, revoked = made(url, "view"), made(url, "view")
    with connect(url) as connection:
        tokens.revoke(connection, revoked)
    answers = {
        (answer.status_code, answer.json()["detail"], answer.headers[AUTHENTICATE])
        for answer in (
            ask(client, path, token, method=method)
            for token in (
                *(revoked, made(url, "view", expires_at=past)),
                *(f"{valid}x", valid[:-1] + "~", valid[:11], f"xx_{valid[3:]}", ""),
                f"vp_00000000_{'x' * 43}",
            )
            for method, path in (
                ("GET", SITES),
                ("GET", "/metrics"),
                ("POST", "/api/v1/readings"),
                ("PATCH", "/api/v1/cases/1"),
            )
        )
    }
    assert answers == {(401, "A valid token is needed.", 'Bearer realm="verkehrspuls"')}


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("POST", "/api/v1/readings", "readings"),
        ("PATCH", "/api/v1/cases/1", "cases"),
        ("POST", "/api/v1/cases/1/comments", "cases"),
    ],
)
def test_a_missing_permission_is_named(
    url: str, client: TestClient, method: str, path: str, permission: str
) -> None:
    others = [each for each in ("view", "cases", "readings") if each != permission]
    answer = ask(client, path, made(url, *others), method=method, json={})
    detail = problem(answer, 403, SCOPE)
    assert f"`{permission}` in {TOWN}" in detail
    assert answer.headers[AUTHENTICATE] == (
        f'Bearer realm="verkehrspuls", error="insufficient_scope", scope="{permission}"'
    )


def test_a_case_is_decided_in_the_tokens_town_only(
    url: str, client: TestClient
) -> None:
    case = client.get("/api/v1/cases?open=false").json()["cases"][0]
    path = f"/api/v1/cases/{case['anomaly_case_id']}/comments"
    remark = {"method": "POST", "json": {"comment": "Baustelle"}}
    elsewhere = made(url, "cases", "view", town=OTHER)
    problem(ask(client, path, elsewhere, **remark), 404, "unknown-key")
    named = made(url, "cases", name="Leitstelle")
    answer = ask(client, path, named, **remark)
    assert answer.status_code == 201, answer.text
    assert answer.json()["history"][-1]["who"] == "Leitstelle"


def test_other_credentials_are_none(client: TestClient) -> None:
    """A proxy may ask for a password, and pass it on."""
    headers = {"Authorization": "Basic dmVyOmtlaHI="}
    assert client.get(SITES, headers=headers).status_code == 200
    assert "private" not in client.get(SITES, headers=headers).headers["cache-control"]


def test_pages_take_no_token(url: str, client: TestClient) -> None:
    token = made(url, "view")
    towns = f"/de/towns/{TOWN}"
    assert ask(client, f"{towns}/pariser-strasse", token).status_code == 200
    assert ask(client, f"{towns}/hof", token).status_code == 404


def test_metrics_of_the_installation_are_of_all_towns(
    url: str, client: TestClient
) -> None:
    sum_of = f'verkehrspuls_messages_total{{municipality="{OTHER}",outcome="accepted"}}'
    assert sum_of not in client.get("/metrics").text
    token = made(url, "installation", town=None)
    assert sum_of in ask(client, "/metrics", token).text
    detail = problem(ask(client, "/metrics", made(url, "view")), 403, SCOPE)
    assert f"`installation` in {TOWN}" in detail
    # and it shows nothing else
    problem(ask(client, HIDDEN, token), 404, "unknown-key")


def test_use_is_written_once_a_minute(url: str, client: TestClient) -> None:
    token = made(url, "view")

    def written() -> Any:
        with connect(url) as connection:
            return connection.execute(
                "select xmin::text, last_used_at is not null from vp.api_token"
                " where prefix = %s",
                [token[:11]],
            ).fetchone()

    first = written()
    assert ask(client, SITES, token).is_success
    second = written()
    assert ask(client, SITES, token).is_success
    assert (first[1], second[1]) == (False, True)
    assert written() == second
