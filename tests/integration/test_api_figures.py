"""Flow figures over HTTP, from the small world and from a sensor with histograms."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import pytest
from starlette.testclient import TestClient

from analytics.reports import figures
from api.app import create_app
from api.schemas.flow import Kind
from tests import parts, world
from tests.parts import as_web
from verkehrspuls.settings import load
from verkehrspuls.storage.database import connect

SITE = "/api/v1/sites/kaiserslautern/pariser-strasse/figures"
PERIOD = {"from": "2026-03-01", "to": "2026-03-04"}


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh(world.build) as url:
        with connect(url) as connection:
            connection.execute(
                "select vp.ensure_range('speed_histogram', '2026-03-02', '2026-03-02')"
            )
            connection.execute(
                "insert into vp.speed_histogram select channel_id, '2026-03-02 08:00Z',"
                " 3600, array_fill(0, array[9]) || array[80, 10, 10]"
                " || array_fill(0, array[39]), null, 0, 0 from vp.channel"
                " where key like 'ost-%%'"
            )
            # the other direction has a part in the case
            connection.execute(
                "insert into vp.case_member (anomaly_case_id, channel_id, detector,"
                " began, ended, score, reason) select m.anomaly_case_id, c.channel_id,"
                " m.detector, m.began, m.ended, 1, m.reason from vp.case_member m"
                " join vp.channel o using (channel_id), vp.channel c"
                " where o.key = 'ost-2' and c.key = 'west-1'"
            )
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[TestClient]:
    app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def read(client: TestClient, kind: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(f"{SITE}/{kind}", params=PERIOD | parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def named(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {figure["name"]: figure for figure in found["figures"]}


def test_every_kind_can_be_asked_for() -> None:
    assert get_args(Kind) == tuple(figures.KINDS)


@pytest.mark.parametrize("kind", figures.KINDS)
def test_each_figure_has_a_value_or_a_reason_and_its_passport(
    client: TestClient, kind: str
) -> None:
    found = read(client, kind)
    assert found["figures"] or found["table"]
    for figure in found["figures"]:
        assert (figure["value"] is None) == (figure["reason"] is not None), figure
        if figure["reason"]:
            assert figure["reason"]["text"].keys() == {"de", "en"}
        assert figure["passport"]["method"]
        # the second lane fell silent on the third day
        assert len(figure["passport"]["cases"]) == 1


@pytest.mark.parametrize("direction", ["ost", "west"])
def test_a_case_touches_the_figures_of_all_its_members(
    client: TestClient, direction: str
) -> None:
    found = named(read(client, "means", direction=direction))
    assert len(found["dtv"]["passport"]["cases"]) == 1
    before = named(read(client, "means", direction=direction, to="2026-03-02"))
    assert before["dtv"]["passport"]["cases"] == []


def test_means_are_of_valid_days(client: TestClient) -> None:
    """1 and 2 March are valid, the 3rd is so in one direction."""
    found = named(read(client, "means"))
    assert found["mean_day"]["value"] == pytest.approx(8568)
    assert found["mean_day"]["passport"]["days_used"] == 2
    assert found["mean_day"]["passport"]["observed"] == pytest.approx(
        (2 + 49 / 72) / 3, abs=1e-4
    )
    assert found["share_ost"]["value"] == pytest.approx(5688 / 8568)
    assert found["saturday"]["reason"]["code"] == "too-few-days"
    west = named(read(client, "means", direction="west"))
    assert west["mean_day"]["value"] == pytest.approx(2880)


def test_what_was_asked_for_is_whole_local_days(client: TestClient) -> None:
    found = read(
        client, "classes", **{"from": "2026-03-01T12:00:00Z", "to": "2026-03-03"}
    )
    assert found["from"] == "2026-03-01T23:00:00Z"
    assert found["to"] == "2026-03-02T23:00:00Z"


def test_speeds_are_of_the_direction(client: TestClient) -> None:
    found = read(client, "speeds", direction="ost")
    assert named(found)["v85"]["value"] == pytest.approx(52.5)
    assert named(found)["above_limit"]["value"] == pytest.approx(0.2)
    assert found["table"]["rows"][0] == {
        "from_kmh": 45,
        "to_kmh": 50,
        "vehicles": 160,
        "share": 0.8,
    }
    other = named(read(client, "speeds", direction="ost", limit_kmh=55))
    assert other["above_limit"]["value"] == pytest.approx(0.1)
    west = named(read(client, "speeds", direction="west"))
    assert west["v85"]["reason"]["code"] == "no-histograms"
    assert west["mean_time"]["value"] == pytest.approx(47.3)


@contextmanager
def excluded(url: str) -> Iterator[None]:
    """For a while the second lane is excluded, from 00:00 to 24:00 on 2 March."""
    changes = (
        "update vp.case_member set began = began {0} interval '25 hours',"
        " ended = ended {0} interval '25 hours' where reason = 'silent'",
        "update vp.anomaly_case set state = '{1}', effect = '{2}'"
        " where reason = 'silent'",
    )
    with connect(url, autocommit=True) as connection:
        for change in changes:
            connection.execute(change.format("-", "confirmed", "exclude").encode())
        try:
            yield
        finally:
            for change in changes:
                connection.execute(change.format("+", "suspected", "caveat").encode())


def test_speeds_tell_what_a_person_excluded(client: TestClient, url: str) -> None:
    """Both lanes have histograms of 8 o'clock on 2 March."""
    period = {"from": "2026-03-02", "to": "2026-03-03"}

    def shares(kind: str) -> tuple[float, float]:
        found = read(client, kind, direction="ost", **period)
        passport = found["table"]["passport"]
        return passport["observed"], passport["excluded"]

    assert shares("speeds") == pytest.approx((1 / 24, 0))
    with excluded(url):
        # of two lanes one
        assert shares("speeds") == pytest.approx((1 / 48, 1 / 48))
        assert shares("classes") == (0.5, 0.5)


def test_what_was_imputed_is_in_no_mean(client: TestClient, url: str) -> None:
    """A stored day tells of what is imputed, and not of what that stands in for."""
    day = (
        "update vp.daily_figure set observed = {0}, normalised = {1}, imputed = {2}"
        " where day = '2026-03-02' and direction = 'ost'"
    )
    with excluded(url), connect(url, autocommit=True) as connection:
        connection.execute(day.format(0.5, 0, 0.5).encode())
        try:
            found = read(client, "means", direction="ost", **{"from": "2026-03-01"})
        finally:
            connection.execute(day.format(1, 0, 0).encode())
    # of three days: whole, half, and half without a reason
    passport = named(found)["dtv"]["passport"]
    assert passport["observed"] == pytest.approx((1 + 0.5 + 25 / 48) / 3, abs=1e-4)
    assert passport["imputed"] == 0
    assert passport["excluded"] == pytest.approx(0.5 / 3)


def test_lanes_or_a_capacity_are_needed_for_its_use(client: TestClient) -> None:
    """The lanes of one direction are numbered, that of the other is not."""
    assert named(read(client, "service", direction="ost"))["capacity"]["value"] == 3600
    all_of_it = read(client, "service")
    assert named(all_of_it)["capacity"]["reason"]["code"] == "lanes-unknown"
    given = named(read(client, "service", capacity=2000))
    assert given["utilisation"]["value"] > 0


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("means", {"quantity": "no2_ugm3"}),
        ("means", {"direction": "nord"}),
        ("means", {"from": "2200-01-01", "to": "2200-01-02"}),
        ("aadt", {"from": "2024-01-01", "to": "2026-01-02"}),
        ("service", {"profile": "unknown"}),
        ("service", {"capacity": "inf"}),
        ("service", {"capacity": "1e-308"}),
        ("unknown", {}),
    ],
)
def test_what_cannot_be_answered_is_said(
    client: TestClient, kind: str, parameters: dict[str, str]
) -> None:
    answer = client.get(f"{SITE}/{kind}", params=PERIOD | parameters)
    assert answer.status_code == 422, answer.text


def test_a_quantity_that_is_not_counted_is_refused_by_its_own_name(
    client: TestClient,
) -> None:
    """The site measures it, and it has no direction either."""
    answer = client.get(f"{SITE}/means", params=PERIOD | {"quantity": "no2_ugm3"})
    assert answer.json()["errors"] == [
        {
            "pointer": "#/query/quantity",
            "detail": "The site measures motor, not no2_ugm3.",
        }
    ]


def test_a_private_site_has_no_figures(client: TestClient) -> None:
    answer = client.get("/api/v1/sites/kaiserslautern/hof/figures/means")
    assert answer.status_code == 404


def test_trap_8_the_cross_section_is_not_counted_beside_its_directions(
    client: TestClient,
) -> None:
    def dtv(**direction: str) -> float:
        value: float = named(read(client, "means", **direction))["mean_day"]["value"]
        return value

    assert dtv() == dtv(direction="ost") + dtv(direction="west")
    shares = named(read(client, "means"))
    assert shares["share_ost"]["value"] + shares["share_west"]["value"] == 1
    path = SITE.replace("figures", "series.json")
    days = client.get(path, params=PERIOD | {"bin": "P1D"}).json()["rows"]
    assert {row["direction"] for row in days} == {"ost", "west"}


def test_trap_20_no_route_reads_a_history_without_an_end(client: TestClient) -> None:
    """Who asks for two hundred years is told what is possible, before any is read."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    bounded = [
        path
        for path, how in paths.items()
        if "{municipality}" in path
        and {"from", "to"}
        <= {one["name"] for one in how.get("get", {}).get("parameters", ())}
    ]
    assert len(bounded) > 12
    for path in bounded:
        address = path.format(
            municipality="kaiserslautern",
            site="pariser-strasse",
            corridor="nordtangente-ost",
            junction="mainzer-tor",
            kind="peaks",
            format="csv",
        )
        asked = ASKED | {"from": "1971-01-01", "to": "2171-01-01"}
        asked |= {"quantity": "no2_ugm3"} if "environment" in path else {}
        answer = client.get(address, params=taken(paths[path], asked))
        assert answer.status_code == 422, (address, answer.text[:200])
        assert "at most" in answer.json()["detail"].lower(), answer.json()


#: what some routes need
ASKED = {
    "measure": "2026-03-02",
    "known_at": "2026-03-03T00:00:00Z",
    "first": "2026-03-01",
    "last": "2026-03-02",
    "with_site": "pariser-strasse",
}


def taken(how: dict[str, Any], asked: dict[str, str]) -> dict[str, str]:
    """Those of the parameters that a route takes."""
    names = {parameter["name"] for parameter in how["get"].get("parameters", ())}
    return {name: value for name, value in asked.items() if name in names}


def test_trap_14_no_route_tells_of_a_private_site(client: TestClient) -> None:
    """Neither by its own address, nor as the other site of a comparison."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    of_site = [path for path, how in paths.items() if "{site}" in path and "get" in how]
    assert len(of_site) > 10
    for path in of_site:
        address = path.format(
            municipality="kaiserslautern", site="hof", kind="means", format="csv"
        )
        answer = client.get(address, params=taken(paths[path], ASKED))
        assert answer.status_code == 404, path
    site = SITE.removesuffix("figures")
    for asked in (
        "compare?first=2026-03-01&last=2026-03-02&with_site=hof",
        "before-after?measure=2026-03-02&controls=hof",
        "traffic-and-environment?background=hof",
    ):
        assert client.get(site + asked).status_code == 404, asked
    query = {"middle": "2026-03-02"}
    ranking = client.get("/api/v1/municipalities/kaiserslautern/ranking", params=query)
    assert [row["site"] for row in ranking.json()["sites"]] == ["pariser-strasse"]
