"""What holds for every address: parameters, tags, languages."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.testclient import TestClient

from api import query
from api.reference import example
from dashboards.app import create_web
from dashboards.pages.old.route import REDIRECTS
from tests import parts, served, walk
from tests.integration.test_access import TABLE
from verkehrspuls.access import tokens
from verkehrspuls.access.permissions import PERMISSIONS
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import connect

SITE = "/de/towns/kaiserslautern/pariser-strasse"
SERIES = "/api/v1/sites/kaiserslautern/pariser-strasse/series"
NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
#: values for the variable parts of addresses
PLACES = {
    "language": "de",
    "municipality": "kaiserslautern",
    "site": "pariser-strasse",
    "corridor": "nordtangente-ost",
    "junction": "knoten",
    "kind": "aadt",
    "key": "pariser-strasse",
    "sensor": "camera",
    "number": "1",
    "name": "style.css",
    "prefix": "vp_00000000",
    "token": "x" * 43,
    "account_id": "1",
    "passkey_id": "1",
    "format": "csv",
    "count": "1",
    "entry": "1",
    "photograph": "1",
    "profile": "telraam",
}
#: lead on with their query, which is judged there
OLD = {"/{language:language}" + path for path in REDIRECTS}
ROUTES = [
    (method, context.path, context.original_route)
    for context in iter_route_contexts(create_web(Settings()).routes)
    for method in sorted(context.methods or ())
    if context.path and context.path not in OLD
]


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    return served.web(url, NOW)


def address(path: str) -> str:
    return re.sub(r"{(\w+)(?::\w+)?}", lambda place: PLACES[place[1]], path)


def needs_token(method: str, path: str) -> bool:
    """Whether it asks over the API in the name of somebody."""
    return path.startswith("/api/") and TABLE.get(f"{method} {path}") in PERMISSIONS


def test_each_route_can_be_asked_what_it_takes() -> None:
    strange = [path for _, path, route in ROUTES if not isinstance(route, APIRoute)]
    assert (strange, len(ROUTES) > 40) == ([], True)


@pytest.mark.parametrize(
    ("method", "path"), [each[:2] for each in ROUTES if each[1] not in query.EXEMPT]
)
def test_no_route_ignores_a_parameter(
    client: TestClient, method: str, path: str
) -> None:
    response = client.request(method, f"{address(path)}?municpality=herbstau")
    # whose token it is comes first
    assert response.status_code == 401 if needs_token(method, path) else 422
    assert needs_token(method, path) or "municpality" in response.text


def test_an_old_address_leads_on_with_what_it_was_asked(client: TestClient) -> None:
    response = client.get("/de/kaiserslautern?municpality=herbstau")
    assert (
        response.headers["Location"] == "/de/towns/kaiserslautern?municpality=herbstau"
    )
    assert client.get(response.headers["Location"]).status_code == 422


@pytest.mark.parametrize("path", sorted(query.PROBES))
@pytest.mark.parametrize("asked", ["?cb=1761443200", "?cb=1&cb=2", "?", "?%00"])
def test_a_load_balancer_may_ask_as_it_likes(
    client: TestClient, path: str, asked: str
) -> None:
    # some append what no cache knows; a refusal would take the server out of service
    assert client.get(path + asked).status_code == client.get(path).status_code


def test_a_sender_is_told_of_a_parameter_too(url: str, client: TestClient) -> None:
    with connect(url) as connection:
        token = f"Bearer {tokens.create(connection, 'kaiserslautern')}"
    response = client.post(
        "/api/v1/readings?dry_rnu=true", headers={"authorization": token}, json=[]
    )
    assert response.status_code == 422
    assert "dry_rnu" in response.text


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        (method, path, name)
        for method, path, route in ROUTES
        if isinstance(route, APIRoute)
        for name in query.taken(route)
    ],
)
def test_no_parameter_may_come_twice(
    client: TestClient, method: str, path: str, name: str
) -> None:
    response = client.request(method, f"{address(path)}?{name}=1&{name}=1")
    if needs_token(method, path):  # whose token it is comes first
        assert response.status_code == 401
        return
    assert response.status_code == 422
    assert name in response.text
    assert ("more than once" in response.text) or ("mehr als einmal" in response.text)


def test_a_value_that_cannot_be_is_refused(client: TestClient) -> None:
    wrong = [
        asked
        for path, operation in walk.open_reads(create_web(Settings()))
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
        # an empty direction is that of channels without one
        for value in ("§", "")
        if value or parameter["name"] != "direction"
        for bare in [example(path, operation).partition("?")[0]]
        for asked in [f"{bare}?{parameter['name']}={value}"]
        if client.get(asked).status_code not in (404, 422)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/api/v1/sites?municpality=x", "did you mean municipality?"),
        ("/api/v1/sites?MUNICIPALITY=x", "did you mean municipality?"),
        ("/api/v1/cases?zzz=1", "There is no parameter zzz; the address takes"),
        ("/api/v1/docs?zzz=1", "There is no parameter zzz; the address takes none"),
        ("/metrics?zzz=1", "There is no parameter zzz; the address takes none"),
        (f"{SITE}?form=2026-03-01", "Den Parameter form gibt es nicht"),
        (f"{SITE}?form=2026-03-01", "War from gemeint?"),
        (f"{SITE.replace('de', 'en', 1)}?form=1", "did you mean from?"),
        (f"{SITE}?from=2026-03-01&from=2026-03-02", "mehr als einmal"),
    ],
)
def test_what_was_meant_is_told(client: TestClient, path: str, text: str) -> None:
    response = client.get(path)
    assert response.status_code == 422
    assert text in response.text


def test_a_name_is_shown_as_text_and_not_at_any_length(client: TestClient) -> None:
    response = client.get(f"{SITE}?<script>alert(1)</script>{'x' * 5000}=1")
    assert response.status_code == 422
    assert "<script>alert" not in response.text
    assert "x" * 100 not in response.text.partition("<main")[2]


def test_the_pointer_of_a_parameter_is_escaped(client: TestClient) -> None:
    (error,) = client.get("/api/v1/sites?a/b~c=1").json()["errors"]
    assert error["pointer"] == "#/query/a~1b~0c"


def test_a_link_that_was_shared_opens(client: TestClient) -> None:
    for tail in ("utm_source=x&utm_medium=y", "fbclid=abc", "fbclid=a&fbclid=b"):
        assert client.get(f"{SITE}?{tail}").status_code == 200
        assert client.get(f"/?{tail}").status_code == 302
        assert client.get(f"/api/v1/sites?{tail}").status_code == 422


def test_a_field_that_was_left_empty_asks_for_nothing(client: TestClient) -> None:
    empty = client.get(f"{SITE}?period=&from=&to=&bin=&quantity=&compare=")
    assert empty.status_code == 200


def _addresses(base: str, page: str) -> Iterator[str]:
    for found in re.findall(r'(?:href|src|action)="([^"]+)"', page):
        yield urljoin(base, unescape(found)).partition("#")[0]


def test_addresses_that_pages_make_are_taken(client: TestClient) -> None:
    waiting, seen, refused = ["/", "/de/", "/en/"], set[str](), list[str]()
    while waiting:
        path = waiting.pop()
        shape = re.sub(r"\d+", "0", path)
        if shape in seen or urlsplit(path).netloc or len(seen) > 400:
            continue
        seen.add(shape)
        response = client.get(path)
        if response.status_code == 422:
            refused.append(path)
        if location := response.headers.get("location"):
            waiting.append(urljoin(path, location))
        for link in re.findall(r"<([^>]+)>", response.headers.get("link", "")):
            waiting.append(link)
        if response.headers.get("content-type", "").startswith("text/html"):
            waiting += _addresses(path, response.text)
    assert (refused, len(seen) > 40) == ([], True)


def test_fields_of_forms_are_taken(client: TestClient) -> None:
    for path in (SITE, f"/de/corridors/kaiserslautern/{PLACES['corridor']}"):
        page = client.get(path).text
        (form,) = re.findall(r"<form.*?</form>", page, re.S)
        names = re.findall(r'name="([^"]+)"', form)
        assert names
        for name in names:
            text = client.get(f"{path}?{name}=").text
            assert "gibt es nicht" not in text


def test_parameters_in_the_documentation_are_taken() -> None:
    patterns = [
        (re.compile(re.sub(r"{\w+(?::\w+)?}", "[^/]+", path)), query.taken(route))
        for _, path, route in ROUTES
        if isinstance(route, APIRoute)
    ]
    known = 0
    for file in sorted(parts.PROJECT.glob("docs/**/*.md")):
        for found in re.findall(r"/(?:api/v1|de|en)/[^\s\"'`<>)]*", file.read_text()):
            path, _, tail = found.partition("?")
            for name, _value in parse_qsl(tail, keep_blank_values=True):
                taking = [taken for way, taken in patterns if way.fullmatch(path)]
                assert any(name in taken for taken in taking), (file.name, found)
                known += 1
    assert known > 5


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("en;q=0.1,de;q=0.9", "de"),
        ("de;q=0,en", "en"),
        ("de-AT", "de"),
        ("*", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
    ],
)
def test_pages_and_problems_have_the_readers_language(
    client: TestClient, accepted: str, language: str
) -> None:
    headers = {"accept-language": accepted}
    assert client.get("/", headers=headers).headers["location"] == f"/{language}/"
    problem = client.get("/nothing/here/at/all", headers=headers)
    assert problem.status_code == 404
    assert f'<html lang="{language}">' in problem.text


@pytest.mark.parametrize(
    ("path", "by_language"),
    [
        ("/", True),
        ("/nothing/here", True),
        (SITE, False),
        ("/de/about", False),
        ("/api/v1/sites", False),
    ],
)
def test_caches_are_told_what_an_answer_depends_on(
    client: TestClient, path: str, by_language: bool
) -> None:
    vary = client.get(path).headers["vary"].lower()
    assert "cookie" in vary
    assert ("accept-language" in vary) is by_language


def held(tag: str) -> list[str]:
    strong = tag.removeprefix("W/")
    return [tag, strong, f'"other", {strong}', f'{tag}, "other"', "*"]


@pytest.mark.parametrize(
    "path",
    [
        SERIES,
        f"{SERIES}.csv",
        "/api/v1/sites",
        "/api/v1/openapi.json",
        "/api/v1/docs",
        "/de/about",
        SITE,
        "/de/",
        "/de/towns/kaiserslautern",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_holds_an_answer_is_told_that_it_is_so_still(
    client: TestClient, path: str, method: str
) -> None:
    first = client.get(path)
    assert first.status_code == 200
    for value in held(first.headers["etag"]):
        again = client.request(method, path, headers={"if-none-match": value})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["cache-control"] == first.headers["cache-control"]
        assert "content-type" not in again.headers
    other = client.request(method, path, headers={"if-none-match": 'W/"other"'})
    assert other.status_code == 200


def test_assets_are_told_apart_by_tag_too(client: TestClient) -> None:
    (path,) = set(re.findall(r'href="(/assets/style[^"]+)"', client.get("/de/").text))
    for accepted in ("gzip", "gzip;q=0", "br"):
        headers = {"accept-encoding": accepted}
        first = client.get(path, headers=headers)
        packed = first.headers.get("content-encoding") == "gzip"
        assert packed is (accepted == "gzip")
        for value in held(first.headers["etag"]):
            again = client.get(path, headers=headers | {"if-none-match": value})
            assert (again.status_code, again.content) == (304, b"")
            assert "immutable" in again.headers["cache-control"]


def test_a_problem_has_no_tag_and_is_never_304(client: TestClient) -> None:
    for path in ("/api/v1/sites?x=1", "/de/towns/no-such-town", "/api/v1/nothing"):
        response = client.get(path, headers={"if-none-match": "*"})
        assert response.status_code in (404, 422)
        assert "etag" not in response.headers


def test_a_range_is_answered_whole(client: TestClient) -> None:
    response = client.get(SERIES, headers={"range": "bytes=0-9"})
    assert response.status_code == 200
