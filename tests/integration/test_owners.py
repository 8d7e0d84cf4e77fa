"""Simulated data is told on every page and in every answer; who answers for a town."""

import io
from collections.abc import Iterator

import msgspec
import polars as pl
import pytest
from starlette.testclient import TestClient

from dashboards import render
from dashboards.app import create_web
from tests import parts, served, world
from tests.integration.test_pages import NOW
from tests.parts import logins
from verkehrspuls import wording
from verkehrspuls.errors import UsageError
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Pages, load
from verkehrspuls.stack import checks
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.sites import list_municipalities

TOLD = {
    "de": "Simulierte Daten, keine echten Messungen",
    "en": "Simulated data, no real measurements",
}
PATHS = (
    *("/", "/about", "/accessibility", "/towns/kaiserslautern", "/cases/1"),
    "/towns/kaiserslautern/pariser-strasse?from=2026-03-01&to=2026-03-04",
    "/towns/kaiserslautern/pariser-strasse?from=2026-03-01&until=2026-02-28",
    "/corridors/kaiserslautern/nordtangente-ost?day=2026-03-02",
)
SERIES = (
    "/api/v1/sites/kaiserslautern/pariser-strasse/series"
    "?from=2026-03-01&to=2026-03-02&format="
)
DAYS = "from=2026-03-01&to=2026-03-04"
OF_SITE = "/api/v1/sites/kaiserslautern/pariser-strasse"
#: answers about one town
ANSWERS = (
    *(
        f"{OF_SITE}/figures/means?{DAYS}",
        f"{OF_SITE}/health?{DAYS}",
        f"{OF_SITE}/forecast",
    ),
    f"{OF_SITE}/series?{DAYS}",
    f"{OF_SITE}/air?{DAYS}",
    f"{OF_SITE}/compare?first=2026-03-02&last=2026-03-03&with_first=2026-02-02"
    "&with_last=2026-02-03",
    f"{OF_SITE}/days-as-known?known_at=2026-03-04T00:00:00Z&{DAYS}",
    f"/api/v1/corridors/kaiserslautern/nordtangente-ost/balance?{DAYS}",
    f"/api/v1/corridors/kaiserslautern/nordtangente-ost/travel-times?{DAYS}",
    "/api/v1/corridors",
    "/api/v1/junctions",
    "/api/v1/municipalities",
    "/api/v1/municipalities/kaiserslautern/ranking?middle=2026-03-02",
    "/api/v1/sites",
    "/api/v1/sites.geojson",
    OF_SITE,
    "/api/v1/cases/1",
    "/api/v1/cases",
)


def built(databases: parts.Databases, *, simulated: bool) -> Iterator[TestClient]:
    with databases.fresh(world.build) as url:
        with connect(url) as connection:
            connection.execute("update vp.municipality set simulated = %s", [simulated])
            connection.commit()
        settings = load(
            {
                **logins(url),
                "VERKEHRSPULS_PAGES__CONTACT": "mailto:betrieb@example.org",
            }
        )
        app = create_web(settings)
        app.dependency_overrides[render.now] = lambda: NOW
        with TestClient(app, follow_redirects=False) as client:
            client.headers["x-url"] = url
            yield client


@pytest.fixture(scope="module")
def made_up(_plain: parts.Databases) -> Iterator[TestClient]:
    yield from built(_plain, simulated=True)


@pytest.fixture(scope="module")
def real(_plain: parts.Databases) -> Iterator[TestClient]:
    yield from built(_plain, simulated=False)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", ["de", "en"])
def test_every_page_says_that_its_data_is_simulated(
    made_up: TestClient, real: TestClient, language: str, path: str
) -> None:
    assert TOLD[language] in made_up.get(f"/{language}{path}").text
    assert TOLD[language] not in real.get(f"/{language}{path}").text


@pytest.mark.parametrize("address", ANSWERS)
def test_every_answer_says_it(
    made_up: TestClient, real: TestClient, address: str
) -> None:
    for client, value in ((made_up, "true"), (real, "false")):
        response = client.get(address)
        assert response.status_code == 200, response.text
        assert f'"simulated":{value}' in response.text.replace(" ", "")


def test_every_file_says_it(made_up: TestClient, real: TestClient) -> None:
    for form in ("csv", "csv-de", "csv-en", "parquet"):
        answer = made_up.get(SERIES + form)
        assert "simulated_pariser" in answer.headers["content-disposition"]
        plain = real.get(SERIES + form)
        assert "simulated" not in plain.headers["content-disposition"]
    csv = pl.read_csv(io.BytesIO(made_up.get(SERIES + "csv").content))
    assert csv["simulated"].unique().to_list() == [True]
    assert "simulated" not in real.get(SERIES + "csv").text
    assert "Simulierte Daten, keine echten Messungen" in made_up.get(
        SERIES + "csv-de"
    ).content.decode("utf-8-sig")
    parquet = pl.read_parquet_metadata(
        io.BytesIO(made_up.get(SERIES + "parquet").content)
    )
    assert msgspec.json.decode(parquet["verkehrspuls"])["site"]["simulated"] is True


def test_banner_names_the_simulated_towns_beside_real_ones(
    plain_world: str,
) -> None:
    other = msgspec.structs.replace(
        world.TOWN, key="spielstadt", name="Spielstadt", simulated=True
    )
    with connect(plain_world) as connection:
        register(connection, other)
    app = served.web(plain_world, NOW)
    with TestClient(app) as client:
        page = client.get("/de/").text
        assert f"<strong>{TOLD['de']}</strong>: Spielstadt." in page
        assert '<span class="word">simuliert</span>' in page
        assert TOLD["de"] in client.get("/de/towns/spielstadt").text
        assert TOLD["de"] not in client.get("/de/towns/kaiserslautern").text


def test_readings_do_not_change_from_simulated_to_real(plain_world: str) -> None:
    with connect(plain_world) as connection:
        turned = msgspec.structs.replace(world.TOWN, simulated=True)
        with pytest.raises(UsageError, match="holds real readings"):
            register(connection, turned)
        connection.execute("delete from vp.ledger")
        register(connection, turned)
        register(connection, world.TOWN)


def test_footer_leads_to_whom_the_town_names_else_the_operator(
    real: TestClient,
) -> None:
    own = msgspec.structs.replace(
        world.TOWN,
        imprint="https://www.example.org/impressum",
        contact="mailto:verkehr@example.org",
    )
    with connect(real.headers["x-url"]) as connection:
        register(connection, own)
    page = real.get("/de/towns/kaiserslautern/pariser-strasse").text
    assert 'href="https://www.example.org/impressum" rel="external">Impressum<' in page
    assert 'href="mailto:verkehr@example.org" rel="external">Kontakt<' in page
    # none is set: no link that leads nowhere
    assert "Datenschutz</a>" not in page
    with connect(real.headers["x-url"]) as connection:
        register(connection, world.TOWN)
    page = real.get("/en/towns/kaiserslautern/pariser-strasse").text
    assert 'href="mailto:betrieb@example.org" rel="external">Contact<' in page
    assert "Imprint</a>" not in page


def test_doctor_names_the_addresses_that_a_town_lacks(plain_world: str) -> None:
    settings = {
        **logins(plain_world),
        "VERKEHRSPULS_PAGES__CONTACT": "mailto:betrieb@example.org",
    }

    def found() -> checks.Finding:
        findings = checks.examine(load(settings))
        return next(one for one in findings if one.part == "imprint and contact")

    assert found().state == checks.PROBLEM
    # of the town without public sites nothing is said
    assert (
        found().detail
        == "municipalities that lack some: kaiserslautern (imprint, privacy)"
    )
    settings["VERKEHRSPULS_PAGES__IMPRINT"] = "https://example.org/impressum"
    settings["VERKEHRSPULS_PAGES__PRIVACY"] = "https://example.org/datenschutz"
    assert found().state == checks.OK


def test_doctor_asks_a_town_only_for_addresses(plain_world: str) -> None:
    class Others(Pages):
        colour: str = ""

    with connect(plain_world) as connection:
        towns = list_municipalities(connection)
    settings = load({}).model_copy(update={"pages": Others()})
    finding = checks._addresses(towns, settings)
    assert finding.detail.endswith("kaiserslautern (imprint, privacy, contact)")


@pytest.mark.parametrize(
    "address",
    [
        *("javascript:alert(1)", "www.example.org", "ftp://example.org", "//x.org"),
        *("https://", "https://a b.org", "mailto:", "mailto:a", 'https://x.org/"x'),
        *("data:text/html,x", "https://user:word@example.org", " https://x.org"),
    ],
)
def test_only_web_and_mail_addresses_are_taken(address: str) -> None:
    town = msgspec.to_builtins(world.TOWN) | {"imprint": address}
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(town, type(world.TOWN))
    text = wording.explain(refused.value, town, type(world.TOWN)).in_english()
    assert text.startswith("imprint: a link begins with https://")
    with pytest.raises(UsageError):
        load({"VERKEHRSPULS_PAGES__IMPRINT": address})
