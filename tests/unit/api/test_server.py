"""Behind a proxy: where redirects lead, who is believed, and what is never repeated."""

import pytest
from starlette.testclient import TestClient

from api.connections import Connections
from api.server import configured
from dashboards.app import create_web
from verkehrspuls.errors import UsageError
from verkehrspuls.settings import Settings, load

HOSTS = (
    "evil.example",
    "evil.example:8443",
    "evil.example/path?query=",
    "user@evil.example",
    "a.example, evil.example",
)


def client(settings: Settings, peer: str = "127.0.0.1") -> TestClient:
    """Make a client of what the server runs, that comes from an address."""
    watch = Connections(most=settings.api.connections, request_s=settings.api.request_s)
    config = configured(create_web(settings), settings.api, watch)
    config.load()
    return TestClient(config.loaded_app, client=(peer, 50_000), follow_redirects=False)


@pytest.fixture(scope="module")
def anybody() -> TestClient:
    """A client of a server that nothing was set of."""
    return client(load({}))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", "/de/"),
        ("/de", "/de/"),
        ("/en?day=2026-03-02", "/en/?day=2026-03-02"),
        ("/de/about/", "/de/about"),
        ("/api/v1/sites/", "/api/v1/sites"),
        ("/api/v1/docs/?a=//evil.example", "/api/v1/docs?a=//evil.example"),
    ],
)
def test_redirects_name_no_host(
    anybody: TestClient, host: str, path: str, location: str
) -> None:
    response = anybody.get(path, headers={"Host": host})
    assert response.is_redirect
    assert response.headers["location"] == location


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "//evil.example/",
        "/de//evil.example/",
        "/%5Cevil.example/",
        "/de/%2F%2Fevil.example/",
    ],
)
def test_no_path_leads_to_another_server(anybody: TestClient, path: str) -> None:
    response = anybody.get(f"http://testserver{path}")
    location = response.headers.get("location", "/")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "path", ["/api/v1/docs", "/api/v1/openapi.json", "/de/about", "/nothing"]
)
def test_the_host_asked_for_is_never_repeated(
    anybody: TestClient, host: str, path: str
) -> None:
    response = anybody.get(
        path,
        headers={"Host": host, "X-Forwarded-Host": host, "Forwarded": f"host={host}"},
    )
    assert response.status_code in (200, 404)
    assert "evil" not in response.text
    assert "evil" not in str(response.headers)


@pytest.mark.parametrize(
    ("trusted", "peer", "believed"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        (None, "127.0.0.1", True),
        (None, "::1", True),
        (None, "172.18.0.1", False),
        ("172.16.0.0/12, 2001:db8::/32", "172.18.0.1", True),
        ("172.16.0.0/12, 2001:db8::/32", "2001:db8::7", True),
        ("172.16.0.0/12, 2001:db8::/32", "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ],
)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_only_trusted_proxies_tell_that_a_request_came_over_tls(
    trusted: str | None, peer: str, believed: bool, scheme: str
) -> None:
    name = "VERKEHRSPULS_API__TRUSTED_PROXIES"
    settings = load({} if trusted is None else {name: trusted})
    response = client(settings, peer).get(
        "/de/about", headers={"X-Forwarded-Proto": scheme}
    )
    promised = "strict-transport-security" in response.headers
    assert promised == (believed and scheme == "https")


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.1/8", "10.0.0.0/40", "*"])
def test_a_trusted_proxy_that_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"api\.trusted_proxies.*not an address"):
        load({"VERKEHRSPULS_API__TRUSTED_PROXIES": f"127.0.0.1,{wrong}"})
