"""Limits a minute over HTTP: who is refused, who is not, and what servers share."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, Final

import psycopg
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from api.database import Database
from api.errors import TooFast
from api.pace import Pace
from dashboards.app import create_web
from tests import people
from tests.parts import as_web, free_port
from tests.people import ANNE, TOWN
from tests.unit.api.test_pace import HOME, LIMIT, Clock, taken
from verkehrspuls.access import tokens
from verkehrspuls.metrics import Metrics
from verkehrspuls.settings import Api, load
from verkehrspuls.storage.database import connect

SITES: Final = "/api/v1/sites"
AWAY: Final = f"postgresql://vp_web@127.0.0.1:{free_port()}/vp"

Serve = Callable[..., TestClient]


@contextmanager
def serving(database: str, **limits: object) -> Iterator[Serve]:
    """Start a web server; return what makes a client of it at an address."""
    environment = {"VERKEHRSPULS_DATABASE__URL": database} | {
        f"VERKEHRSPULS_API__{name.upper()}": str(value)
        for name, value in limits.items()
    }
    app = create_web(load(environment))
    with TestClient(app):
        yield lambda address=HOME: TestClient(
            app,
            client=(address, 1),
            follow_redirects=False,
            headers={"sec-fetch-site": "same-origin"},
        )


def problem(answer: Response, allowed: str) -> None:
    """Check that a program is told what is allowed, and when to come back."""
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["type"].endswith("#too-fast")
    assert allowed in found["detail"]
    assert str(found["retry_s"]) == answer.headers["retry-after"]
    assert 1 <= found["retry_s"] <= 60


def test_an_address_has_a_limit_for_reading_and_one_for_changing(url: str) -> None:
    limits = {LIMIT: 4, "address_changes_per_minute": 2}
    with serving(as_web(url), **limits) as client:
        home = client()
        assert [home.get(SITES).status_code for _ in range(2)] == [200, 200]
        assert [home.get("/de/").status_code for _ in range(2)] == [200, 200]
        problem(home.get(SITES), "4 requests of an address")
        assert home.head(SITES).status_code == 429
        for _ in range(2):
            assert home.post("/api/v1/readings", json=[]).status_code == 401
        problem(home.post("/api/v1/readings", json=[]), "2 changes of an address")
        # others are served; of IPv6 a network counts as one
        assert client("203.0.113.8").get(SITES).status_code == 200
        there = client("2001:db8:1:2::1")
        assert [there.get(SITES).status_code for _ in range(4)] == [200] * 4
        assert client("2001:db8:1:2::2").get(SITES).status_code == 429
        metrics = client("203.0.113.9").get("/metrics").text
        name = f'verkehrspuls_refused_requests_total{{limit="{LIMIT}"}} 3.0'
        assert name in metrics


@pytest.mark.parametrize(
    ("path", "words", "advice", "again"),
    [
        ("/de/", "Zu viele Anfragen", "Aus Ihrem Netz", "in 60 Sekunden noch einmal"),
        ("/en/", "Too many requests", "from your network", "in 60 seconds"),
    ],
)
def test_people_get_a_page_that_says_when_to_come_back(
    url: str, path: str, words: str, advice: str, again: str
) -> None:
    with serving(as_web(url), **{LIMIT: 1}) as client:
        assert client().get(SITES).status_code == 200
        page = client().get(path)
    assert page.status_code == 429
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["retry-after"] == "60"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert f"<h1>{words}</h1>" in page.text
    assert advice in page.text
    assert again in page.text


def test_who_is_not_limited(url: str) -> None:
    limits = {LIMIT: 1, "unlimited_addresses": "198.51.100.0/24"}
    with serving(as_web(url), **limits) as client:
        # monitoring; a proxy that names nobody; the machine itself
        for address in ("198.51.100.9", "::ffff:198.51.100.9", "127.0.0.1", "::1"):
            assert [client(address).get(SITES).status_code for _ in range(3)] == [
                *(200, 200, 200)
            ]
        home = client()
        app: Any = home.app
        styles = app.state.assets.addresses["style.css"]
        assert home.get("/de/").status_code == 200
        assert home.get("/de/").status_code == 429
        for path in ("/healthz", "/readyz", styles):
            assert [home.get(path).status_code for _ in range(3)] == [200, 200, 200]


def test_an_account_has_a_limit_wherever_it_is_used(url: str) -> None:
    limits = {"account_requests_per_minute": 4, "account_changes_per_minute": 1}
    with people.of(url) as them, serving(as_web(url), **limits) as client:
        them.put(ANNE, ("planner", TOWN))
        browsers = [client("127.0.0.1"), client(HOME)]
        for browser in browsers:
            browser.cookies.set("session", them.log_in())
            assert browser.get("/de/account").status_code == 200
            assert browser.get(SITES).status_code == 200
        for browser in browsers:
            problem(browser.get(SITES), "4 requests of an account")
            page = browser.get("/de/account")
            assert page.status_code == 429
            assert page.headers["cache-control"] == "no-store"
            # who is logged in stays so
            assert ANNE in page.text or "Anne Muster" in page.text
            assert browser.get("/readyz").status_code == 200
        assert browsers[0].post("/de/account/password", data={}).status_code != 429
        page = browsers[1].post("/de/account/password", data={})
        assert page.status_code == 429
        assert "Das Formular wurde nicht angenommen" in page.text
        browsers[0].cookies.clear()
        assert browsers[0].get(SITES).status_code == 200


def test_a_token_has_a_limit(url: str) -> None:
    with connect(url) as connection:
        one, other = (
            tokens.create(connection, TOWN, permissions=["view", "cases"])
            for _ in range(2)
        )
    limits = {"account_requests_per_minute": 2, "account_changes_per_minute": 1}
    with serving(as_web(url), **limits) as client:

        def ask(token: str, path: str = SITES, **more: Any) -> Response:
            method = more.pop("method", "GET")
            headers = {"Authorization": f"Bearer {token}"}
            return client().request(method, path, headers=headers, **more)

        assert [ask(one).status_code for _ in range(2)] == [200, 200]
        problem(ask(one), "2 requests of an account or token")
        comment = {"method": "POST", "json": {"comment": "Gesehen"}}
        path = "/api/v1/cases/999999/comments"
        assert ask(one, path, **comment).status_code == 404
        problem(ask(one, path, **comment), "1 changes of an account or token")
        assert ask(other).status_code == 200
        assert client().get(SITES).status_code == 200


def test_without_a_database_a_server_goes_on_with_its_own_counts() -> None:
    with serving(AWAY, **{LIMIT: 3}) as client:
        assert [client().get(SITES).status_code for _ in range(3)] == [503] * 3
        problem(client().get(SITES), "3 requests")
        assert client().get("/de/").status_code == 429


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url, size=1)
    database.open()
    with closing(database):
        yield database


def paces(clock: Clock, most: int) -> list[Pace]:
    """Return the buckets of two servers."""
    settings = Api(address_requests_per_minute=most)
    return [Pace(settings, Metrics(), clock=clock) for _ in range(2)]


def test_servers_share_a_limit(database: str) -> None:
    clock = Clock()
    one, other = paces(clock, 20)
    with opened(as_web(database)) as web:
        assert (taken(one, 15), taken(other, 5)) == (15, 5)
        one.share(web)
        other.share(web)
        assert taken(other, 5) == 0
        # the first one learns of the other when it shares again
        assert taken(one, 2) == 2
        one.share(web)
        assert taken(one, 5) == 0
        with pytest.raises(TooFast) as refused:
            one.take(LIMIT, HOME)
        # 22 were taken
        assert 7 <= refused.value.retry_s <= 9
        clock.now += refused.value.retry_s
        assert taken(one, 1) == 1


def test_what_nobody_counted_elsewhere_is_not_stored(plain_database: str) -> None:
    one, _ = paces(Clock(), 100)
    with opened(as_web(plain_database)) as web:
        taken(one, 9)
        one.share(web)
        assert stored(plain_database) == []
        taken(one, 2)
        one.share(web)
        one.share(web)
        assert stored(plain_database) == [0.11]
    with connect(plain_database) as connection:
        told = str(connection.execute("select * from vp.bucket").fetchall())
    assert HOME not in told


def test_what_could_not_be_shared_is_shared_later(plain_database: str) -> None:
    clock = Clock()
    one, other = paces(clock, 20)
    taken(one, 20)
    with opened(AWAY) as web:
        one.share(web)
    clock.now += 6
    assert taken(one, 5) == 2
    with opened(as_web(plain_database)) as web:
        one.share(web)
        assert stored(plain_database) == [1.0]
        taken(other, 2)
        other.share(web)
        assert taken(other, 1) == 0


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_leaves_nothing(plain_database: str, hours: int) -> None:
    one, _ = paces(Clock(), 10)
    with opened(as_web(plain_database)) as web:
        for number in range(3):
            taken(one, 10, who=f"203.0.113.{number}")
        one.share(web)
        with connect(plain_database) as connection:
            connection.execute(
                "update vp.bucket set filled_at = filled_at + %s",
                [timedelta(hours=hours)],
            )
        taken(one, 1, who="203.0.113.9")
        one.share(web)
    assert stored(plain_database) == [0.1]


def test_whatever_is_added_a_bucket_stays_one(plain_database: str) -> None:
    fill = "select fill from shown.fill_buckets(%s, %s)"
    with opened(as_web(plain_database)) as web, web.writing() as connection:
        for added in (float("inf"), float("nan"), 1e300):
            given = [["a", "b"], [added, 0.5]]
            rows = connection.execute(fill.encode(), given).fetchall()
            assert rows[0] == (1000,)
    with (
        opened(as_web(plain_database)) as web,
        web.writing() as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(fill.encode(), [["c"], [-1.0]])


def stored(url: str) -> list[float]:
    """Return how full the buckets are that servers share."""
    with connect(url) as connection:
        rows = connection.execute("select fill from vp.bucket").fetchall()
    return [round(fill, 2) for (fill,) in rows]
