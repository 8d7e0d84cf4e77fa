"""What each how-to for contributors leads to: looked for where people look for it.

Run in a copy of the project in which the how-tos were followed, with the URLs of
databases, one with `tests.world` for `IN_WORLD` and an empty one for each of `ALONE`:
`python -m tests.seen URL …`.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
from starlette.testclient import TestClient
from typer.testing import CliRunner

from ingest.batch import Message
from tests import world
from tests.integration.test_ledger import NOW
from tests.integration.test_ledger import World as Ingest
from tests.parts import as_web
from verkehrspuls.cli import command as cli
from verkehrspuls.model import Channel, Installation, Mapping, Sensor, Site, Town
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import PREFIX, load
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.migrate import migrate

PROJECT: Final = Path(__file__).parents[1]
#: the site of `tests.world` on whose page things are looked for
STREET: Final = "kaiserslautern/pariser-strasse"


@contextmanager
def web(url: str, now: datetime = world.LAST) -> Iterator[TestClient]:
    """Pages and API at a time, by default the end of the figures of `tests.world`."""
    from dashboards import render
    from dashboards.app import create_web

    app = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    app.dependency_overrides[render.now] = lambda: now
    with TestClient(app) as client:
        yield client


def command(url: str, *words: str) -> str:
    """Run a command; return what it says."""
    # what tests are told by the environment is no setting
    without = dict.fromkeys(name for name in os.environ if name.startswith(PREFIX))
    env = {**without, "VERKEHRSPULS_DATABASE__URL": url}
    done = CliRunner().invoke(cli.app, words, env=env, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def reference(page: str) -> str:
    """The text of a page of the reference."""
    return (PROJECT / "docs" / "reference" / f"{page}.md").read_text("utf-8")


def station(quantity: str, **more: Any) -> Town:
    """A town with one station that measures a quantity, at its output `x`."""
    installation = Installation(
        site="garten",
        channel="x",
        output="x",
        since=world.SINCE,
        mapping=Mapping(field="temp") if more else None,
    )
    sensor = Sensor(
        key="wetter",
        name="Wetter",
        interval_s=3600,
        installations=(installation,),
        **more,
    )
    return Town(
        key="landau",
        name="Landau",
        state="RP",
        sites=(
            Site(
                key="garten",
                name="Garten",
                channels=(Channel(key="x", name="x", quantity=quantity),),
            ),
        ),
        sensors=(sensor,),
    )


def payload_format(url: str) -> None:
    """A message of the format becomes a reading, and the reference describes it."""
    with closing(Ingest(url)) as ingest:
        register(
            ingest.connection,
            station("temperature_c", payload_format="key-value", topic="garten/+"),
        )
        ingest.write(Message("garten/1", b"t=2026-11-21T19:00:00Z;temp=4.1", NOW))
        assert ingest.value("select value from vp.environment_reading") == 4.1
    assert "wetter" in command(url, "sensor", "list", "--municipality", "landau")
    assert "`key-value`" in reference("formats")


def device_profile(url: str) -> None:
    """It is listed, its sensor takes messages, and the reference describes it."""
    from verkehrspuls.registry import device_profiles

    profile = device_profiles.find("tasmota-bme280")
    example = profile.examples[0]
    (sent,) = device_profiles.messages(profile, example)
    with closing(Ingest(url)) as ingest:
        town = device_profiles.sample(profile, sent.payload_format)
        register(ingest.connection, town)
        ingest.write(Message(sent.topic, sent.payload, NOW))
        assert ingest.value("select count(*) from vp.environment_reading") == 2
    assert "BME280 thermometer" in command(url, "profile", "list")
    assert "`tasmota-bme280`" in reference("device-profiles")


def detector(url: str) -> None:
    """A case of it says what it is about, on its page, in the API and the command."""
    from analytics import frames
    from analytics.cases import judging
    from tests.frames import make
    from tests.unit.analytics.test_detectors_judged import T, counted

    quarters = counted(100, 420, 110)
    spans = make(
        frames.SPANS, [{"channel_id": 1, "since": T, "until": T + timedelta(hours=1)}]
    )
    judged = judging.judge_quarters(
        quarters,
        spans,
        frames.empty(frames.STORED_CASES),
        motor=quarters.select("channel_id").unique(),
        now=datetime(2030, 1, 1, tzinfo=UTC),
    )
    assert "crowd" in str(judged)
    with psycopg.connect(url) as connection:
        for table in ("anomaly_case", "case_member"):
            connection.execute(
                f"update vp.{table} set detector = 'crowd', reason = 'crowd',"
                " score = 6.25"
            )
    with web(url) as client:
        found = client.get("/api/v1/cases").json()["cases"][0]
        assert "Andrang" in str(found)
        page = client.get(f"/de/cases/{found['anomaly_case_id']}").text
        assert "Andrang, " in page
        assert "das 6,2-Fache des Üblichen" in page
    assert "Andrang, " in command(url, "case", "list", "--all")
    assert "`crowd`" in reference("detectors")


def chart(url: str) -> None:
    """It is on the page of a site, in both languages, with its table."""
    query = "?from=2026-03-01&to=2026-03-04"
    with web(url) as client:
        german, english = (
            client.get(f"/{key}/towns/kaiserslautern/pariser-strasse{query}").text
            for key in ("de", "en")
        )
    assert "An welchem Wochentag ist am meisten los?" in german
    assert "Which weekday is the busiest?" in english
    assert 'data-figure="weekdays-figure"' in german


def quantity(url: str) -> None:
    """A value of it is stored, served and shown, and one out of range is rejected."""
    with closing(Ingest(url)) as ingest:
        register(ingest.connection, station("dew_point_c"))
        for hour, value in ((18, 12.3), (19, 101.3)):
            reading = {
                "time": f"2026-11-21T{hour}:00:00Z",
                "interval_s": 3600,
                "values": {"x": value},
            }
            topic = "vp/v1/landau/wetter/environment"
            ingest.write(Message(topic, msgspec.json.encode(reading), NOW))
        assert ingest.value("select count(*) from vp.environment_reading") == 1
    assert "out-of-range" in command(url, "reject", "list")
    command(url, "analytics", "recompute")
    with web(url, NOW + timedelta(days=1)) as client:
        query = "?from=2026-11-21&to=2026-11-22"
        page = client.get(f"/de/towns/landau/garten{query}").text
        assert "Taupunkt" in page
        assert "12,3" in page
        series = client.get(f"/api/v1/sites/landau/garten/series.csv{query}")
        assert "12.3" in series.text
    assert "12.3" in command(
        url, "export", "landau/garten", "--from", "2026-11-21", "--to", "2026-11-22"
    )
    assert "`dew_point_c`" in reference("topics-and-payloads")


def page(url: str) -> None:
    """It can be reached from each page."""
    with web(url) as client:
        assert "/de/licences" in client.get("/de/").text
        assert client.get("/de/licences").status_code == 200


def language(url: str) -> None:
    """Pages speak it, each page leads to it, and what has no text is English."""
    with web(url) as client:
        page = client.get("/nds/").text
        assert '<html lang="nds">' in page
        assert "Översicht" in page
        assert "About the data" in page
        assert 'hreflang="de"' in page
        assert 'hreflang="en"' in page
        assert ">Plattdüütsch</a>" in client.get("/de/").text
        assert client.get("/nds/about").status_code == 200
        asked = client.get(
            "/", headers={"accept-language": "nds"}, follow_redirects=False
        )
        assert asked.headers["location"].startswith("/nds/")
        site = "/nds/towns/kaiserslautern/pariser-strasse?from=2026-03-01&to=2026-03-04"
        assert "01.03.2026" in client.get(site).text


def health_test(url: str) -> None:
    """A day that fails it says so on the page, in the API and in the command."""
    from tests.health import Stream, ordinary, verdicts

    stream = Stream(counts=ordinary(), speeds=[0.0] * 288)
    assert verdicts(stream) == {1: "standing"}
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into vp.channel_health (channel_id, day, verdict, complete, method,"
            " judged_at) select channel_id, '2026-03-03', 'standing', true, 'x', now()"
            " from vp.channel where key = 'ost-1'"
        )
    with web(url) as client:
        assert "Tempo null" in client.get(f"/de/towns/{STREET}").text
        found = client.get(
            f"/api/v1/sites/{STREET}/health?from=2026-03-01&to=2026-03-05"
        )
        assert "Die meisten Geschwindigkeiten sind null" in found.text
    assert "standing" in command(
        url, "analytics", "health", "--from", "2026-03-01", "--to", "2026-03-05"
    )
    assert "`standing`" in reference("health")


def new_command(url: str) -> None:
    """It is in the help and in the reference, and answers."""
    listed = [line.split(maxsplit=1) for line in command(url, "--help").splitlines()]
    assert ["licence", "List the licences of towns."] in listed
    assert world.TOWN.licence in command(url, "licence")
    assert "## verkehrspuls licence" in reference("cli")


def api_resource(url: str) -> None:
    """It answers, and is in the OpenAPI document, its page and the reference."""
    with web(url) as client:
        assert world.TOWN.licence in client.get("/api/v1/licences").text
        document = client.get("/api/v1/openapi.json").json()
        assert document["paths"]["/api/v1/licences"]["get"]["tags"] == ["registry"]
        assert "Licences" in document["components"]["schemas"]
        assert "List licences" in client.get("/api/v1/docs").text
    assert "`listLicences`" in reference("api")


def setting(url: str) -> None:
    """It is taken from the environment, has an effect, and is in the reference."""
    from api.app import create_app

    given = {"VERKEHRSPULS_DATABASE__URL": url, "VERKEHRSPULS_API__NOTICE": "Ask Ada."}
    page = TestClient(create_app(load(given))).get("/api/v1/docs").text
    assert "Ask Ada." in page
    assert "`VERKEHRSPULS_API__NOTICE`" in reference("settings")


def query(url: str) -> None:
    """Its migration is applied, its rows are records, and its table is described."""
    from verkehrspuls.storage.notes import list_notes  # type: ignore[import-not-found]  # written by the guide

    assert "9000" in command(url, "db", "status")
    with connect(url) as connection:
        connection.execute("insert into site_note select site_id, now(), key from site")
        (note,) = list_notes(connection, 1)
    assert note.note == "pariser-strasse"
    assert "`site_note`" in reference("data-model")


def town(url: str) -> None:
    """It is registered with the others; page, API and commands know it."""
    from simulators.world import standard

    added = standard(seed=1).by_key["neustadt"]
    with connect(url) as connection:
        register(connection, added.town)
    with web(url) as client:
        assert "Neustadt an der Weinstraße" in client.get("/de/").text
        assert '"neustadt"' in client.get("/api/v1/municipalities").text
    assert "neustadt" in command(url, "town", "list")
    assert "Neustadt an der Weinstraße" in reference("simulator")


def report(url: str) -> None:
    """Its resource returns its figure, which is the one that the page shows."""
    with web(url) as client:
        address = "/api/v1/municipalities/kaiserslautern/busiest?day=2026-03-02"
        found = client.get(address).json()["busiest"]
        assert found["site"] == "pariser-strasse"
        assert client.get(address.replace("kaiserslautern", "x")).status_code == 404
        query = "?from=2026-03-02&to=2026-03-03"
        page = client.get(f"/de/towns/{STREET}{query}").text
        assert f"{found['volume']:,.0f}".replace(",", ".") in page
    assert "`readBusiest`" in reference("api")


#: By how-to, what is looked for in a database with `tests.world`; the last changes it.
IN_WORLD: Final[dict[str, Callable[[str], None]]] = {
    "add-a-chart": chart,
    "add-a-page": page,
    "add-a-language": language,
    "add-a-command": new_command,
    "add-an-api-resource": api_resource,
    "add-a-report": report,
    "add-a-setting": setting,
    "add-a-query": query,
    "add-a-health-test": health_test,
    "add-a-town": town,
    "add-a-detector": detector,
}
#: By how-to, what needs an empty database of its own.
ALONE: Final[dict[str, Callable[[str], None]]] = {
    "add-a-payload-format": payload_format,
    "add-a-device-profile": device_profile,
    "add-a-quantity": quantity,
}

if __name__ == "__main__":
    of_world, *others = sys.argv[1:]
    # they lack the migration of a how-to
    for url in (of_world, *others):
        migrate(url)
    for look in IN_WORLD.values():
        look(of_world)
    for look, url in zip(ALONE.values(), others, strict=True):
        look(url)
