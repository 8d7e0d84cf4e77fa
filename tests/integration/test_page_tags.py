"""Which pages are made anew, and which are not: by what they are made of."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from dashboards.pages.corridor import view as corridor_view
from dashboards.pages.site import view as site_view
from tests import parts, people, served

SITE = "/de/towns/kaiserslautern/pariser-strasse"
CORRIDOR = "/de/corridors/kaiserslautern/nordtangente-ost"
TABLE = f"{SITE}/table?quantity=motor&from=2026-03-01&to=2026-03-04"
PAGES = (
    SITE,
    CORRIDOR,
    TABLE,
    "/de/",
    "/de/towns/kaiserslautern",
    "/de/cases/1",
    "/de/about",
)
NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)


@pytest.fixture
def app(plain_world: str) -> FastAPI:
    return served.web(plain_world, NOW)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, follow_redirects=False) as client:
        yield client


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was computed."""
    found: list[str] = []
    for module, name in ((site_view, "content"), (corridor_view, "corridor_page")):
        compute = getattr(module, name)

        def counted(
            *values: Any, _compute: Any = compute, _name: str = name, **more: Any
        ) -> Any:
            found.append(_name)
            return _compute(*values, **more)

        monkeypatch.setattr(module, name, counted)
    return found


def tag(client: TestClient, path: str = SITE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return str(response.headers["etag"])


def change(url: str, statement: LiteralString) -> None:
    with psycopg.connect(url) as connection:
        assert connection.execute(statement).rowcount


CHANGES: dict[str, LiteralString] = {
    "hours": "update vp.volume set volume = volume + 1 where interval_s = 3600",
    "days": "update vp.daily_figure set volume = volume + 1",
    "air": "update vp.environment_hour set mean = mean + 1",
    "a decision": "update vp.anomaly_case set state = 'confirmed'",
    "a finding": "update vp.case_member set withdrawn_at = now()",
    "a name": "update vp.site set name = 'Anderswo'",
    "a removal": "delete from vp.corridor_station where station = 1",
    "a message": "update vp.ledger set last_received_at = last_received_at"
    " + interval '20 s', hour = hour + interval '1 hour' where sensor_id is not null",
    "an ambiguous hour": "insert into vp.ambiguous_reading (channel_id, time, why)"
    " select channel_id, now(), 'once' from vp.channel",
    "a status": "insert into vp.sensor_status (sensor_id, state, since)"
    " select sensor_id, 'online', now() from vp.sensor",
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_site_is_another_page_as_soon_as_something_changed(
    client: TestClient, plain_world: str, what: str
) -> None:
    before = tag(client)
    assert tag(client) == before
    change(plain_world, CHANGES[what])
    assert tag(client) != before


@pytest.mark.parametrize("path", [SITE, CORRIDOR, "/de/"])
def test_a_page_is_another_as_soon_as_an_ambiguous_reading_is_certain(
    client: TestClient, app: FastAPI, plain_world: str, path: str
) -> None:
    change(plain_world, CHANGES["an ambiguous hour"])
    before = tag(client, path)
    # what no batch of ingest finds changes nothing
    with psycopg.connect(plain_world) as connection:
        connection.execute("delete from vp.ambiguous_reading where channel_id < 0")
    assert tag(client, path) == before
    change(plain_world, "delete from vp.ambiguous_reading")
    app.state.standing = None
    assert tag(client, path) != before


@pytest.mark.parametrize("path", PAGES)
def test_all_processes_give_the_same_tag(
    client: TestClient, plain_world: str, path: str
) -> None:
    with TestClient(served.web(plain_world, NOW)) as other:
        assert tag(other, path) == tag(client, path)


@pytest.mark.parametrize("path", [SITE, CORRIDOR])
def test_who_holds_a_page_lets_nothing_be_computed(
    client: TestClient, plain_world: str, made: list[str], path: str
) -> None:
    first = tag(client, path)
    assert len(made) == 1
    # nor in a process that has not made it
    with TestClient(served.web(plain_world, NOW)) as other:
        for reader in (client, other):
            for method in ("GET", "HEAD"):
                again = reader.request(method, path, headers={"if-none-match": first})
                assert (again.status_code, again.content) == (304, b"")
    assert len(made) == 1


def test_what_eight_ask_for_at_once_is_computed_once(
    client: TestClient, made: list[str]
) -> None:
    together = threading.Barrier(8)

    def ask() -> bytes:
        together.wait(parts.PATIENCE_S)
        return client.get(SITE).content

    with ThreadPoolExecutor(8) as people:
        answers = [people.submit(ask) for _ in range(8)]
        assert len({answer.result(parts.PATIENCE_S) for answer in answers}) == 1
    assert made == ["content"]


def test_a_page_shows_what_changed_while_others_hold_the_old_one(
    client: TestClient, plain_world: str
) -> None:
    first = tag(client)
    change(plain_world, CHANGES["a name"])
    answer = client.get(SITE, headers={"if-none-match": first})
    assert answer.status_code == 200
    assert "Anderswo" in answer.text


def test_what_is_not_committed_is_on_no_page_and_in_no_tag(
    client: TestClient, plain_world: str
) -> None:
    first = tag(client)
    with psycopg.connect(plain_world) as connection:
        connection.execute(CHANGES["a name"])
        assert tag(client) == first
        # another one commits meanwhile
        change(plain_world, CHANGES["days"])
        second = tag(client)
        assert second != first
    assert tag(client) not in (first, second)


def test_changes_that_were_undone_are_none(
    client: TestClient, plain_world: str
) -> None:
    first = tag(client)
    with psycopg.connect(plain_world) as connection:
        connection.execute(CHANGES["a name"])
        connection.rollback()
    assert tag(client) == first
    with psycopg.connect(plain_world) as connection:
        connection.execute("savepoint before")
        connection.execute(CHANGES["days"])
        connection.execute("rollback to before")
        connection.execute(CHANGES["a name"])
    assert tag(client) != first


def test_each_language_query_and_minute_is_a_page_of_its_own(
    client: TestClient, plain_world: str
) -> None:
    tags = {
        tag(client, path) for path in (SITE, f"{SITE}?period=30d", f"/en{SITE[3:]}")
    }
    assert len(tags) == 3
    with TestClient(served.web(plain_world, NOW + timedelta(seconds=59))) as later:
        assert tag(later) in tags
    with TestClient(served.web(plain_world, NOW + timedelta(seconds=60))) as later:
        assert tag(later) not in tags


def test_what_others_appended_makes_no_other_page(client: TestClient) -> None:
    first = client.get(SITE)
    shared = client.get(f"{SITE}?fbclid=secret&utm_source=x")
    assert shared.headers["etag"] == first.headers["etag"]
    assert "secret" not in shared.text


def test_an_error_is_not_remembered(client: TestClient) -> None:
    wrong = f"{SITE}?from=gestern"
    for _ in range(2):
        answer = client.get(wrong, headers={"if-none-match": "*"})
        assert (answer.status_code, "etag" in answer.headers) == (422, False)


@pytest.mark.parametrize("path", ["/", "/de/", f"/en{SITE[3:]}", "/nothing/here"])
def test_what_is_public_sets_no_cookie(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"accept-language": "de", "cookie": "session=x"})
    assert "set-cookie" not in answer.headers


def test_a_page_that_somebody_saw_is_not_shown_to_others(
    plain_world: str, client: TestClient
) -> None:
    with people.of(plain_world) as them:
        them.put(people.ANNE, ("viewer", "kaiserslautern"))
        own = {"cookie": f"session={them.log_in()}"}
    # the site's page offers to compare it with the others
    others = (SITE, "/de/", "/de/towns/kaiserslautern")
    for path in (*PAGES, *reversed(PAGES)):
        mine = client.get(path, headers=own).text
        assert ("Bauhof" in mine) == (path in others), path
        assert "Bauhof" not in client.get(path).text, path
