"""Whatever is asked, the API answers, and never with an error of its own."""

from collections.abc import Iterator
from datetime import date
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.app import create_app
from tests import parts, world
from tests.parts import as_web
from verkehrspuls.settings import load

SETTINGS = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

moments = st.one_of(
    st.text(max_size=30),
    st.dates().map(str),
    st.datetimes().map(lambda t: f"{t.isoformat()}Z"),
    st.sampled_from(
        ["2026-03-01", "2026-03-03", "2026-03-02T10:00:00+01:00", "1970-01-01"]
    ),
)
words = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            *(
                "all",
                "ost",
                "",
                "motor",
                "no2_ugm3",
                "bicycle",
                "csv",
                "csv-de",
                "json",
            ),
            *("PT15M", "PT1H", "P1D", "parquet", "\x00", "'; drop table vp.site; --"),
            *("kaiserslautern", "true", "1", "camera"),
        ]
    ),
)
queries = st.dictionaries(st.sampled_from(["from", "to"]), moments).flatmap(
    lambda period: st.dictionaries(
        st.sampled_from(
            [
                *("bin", "quantity", "direction", "format", "municipality", "site"),
                *("sensor", "open", "limit"),
            ]
        ),
        words,
    ).map(lambda others: period | others)
)
keys = st.one_of(
    st.sampled_from(["kaiserslautern", "pariser-strasse", "radweg", "hof"]),
    st.text(min_size=1, max_size=20).filter(lambda text: text not in (".", "..")),
)


@pytest.fixture(scope="module")
def client(_plain: parts.Databases) -> Iterator[TestClient]:
    with _plain.fresh(world.build) as url:
        app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


def check(client: TestClient, path: str, query: dict[str, str]) -> None:
    response = client.get(path, params=query)
    assert response.status_code in (200, 404, 406, 422), response.text
    if response.status_code != 200:
        assert response.headers["content-type"] == "application/problem+json"


@SETTINGS
@given(
    query=queries,
    suffix=st.sampled_from(["", ".json", ".csv", ".parquet"]),
    site=st.sampled_from(["pariser-strasse", "radweg", "hof"]),
)
def test_series_never_fails(
    client: TestClient, query: dict[str, str], suffix: str, site: str
) -> None:
    check(client, f"/api/v1/sites/kaiserslautern/{site}/series{suffix}", query)


@settings(SETTINGS, max_examples=30)
@given(
    days=st.tuples(
        st.dates(date(2026, 2, 26), date(2026, 3, 6)),
        st.dates(date(2026, 2, 26), date(2026, 3, 6)),
    ).filter(lambda pair: pair[0] < pair[1]),
    bin=st.sampled_from(["PT15M", "PT1H", "P1D"]),
    direction=st.sampled_from([None, "all", "ost"]),
    form=st.sampled_from(["json", "csv", "csv-de", "parquet"]),
)
def test_what_is_asked_rightly_is_answered(
    client: TestClient,
    days: tuple[date, date],
    bin: str,
    direction: str | None,
    form: str,
) -> None:
    query = {"from": str(days[0]), "to": str(days[1]), "bin": bin, "format": form}
    if direction is not None:
        query["direction"] = direction
    response = client.get(
        "/api/v1/sites/kaiserslautern/pariser-strasse/series", params=query
    )
    assert response.status_code == 200, response.text
    if form == "json":
        answer = response.json()
        assert (
            answer["passport"]["intervals_present"]
            <= (answer["passport"]["intervals_expected"])
        )
        assert 0 <= answer["passport"]["observed"] <= 1


@SETTINGS
@given(
    query=queries,
    path=st.sampled_from(
        ["sites", "sites.geojson", "cases", "ledger", "municipalities"]
    ),
)
def test_lists_never_fail(client: TestClient, query: dict[str, str], path: str) -> None:
    check(client, f"/api/v1/{path}", query)


@SETTINGS
@given(town=keys, site=keys)
def test_any_key_is_found_or_not(client: TestClient, town: str, site: str) -> None:
    check(client, f"/api/v1/sites/{quote(town, safe='')}/{quote(site, safe='')}", {})


@SETTINGS
@given(accept=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_any_accept_is_understood_or_refused(client: TestClient, accept: str) -> None:
    response = client.get(
        "/api/v1/sites/kaiserslautern/radweg/series", headers={"accept": accept}
    )
    assert response.status_code in (200, 406)
