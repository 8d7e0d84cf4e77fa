"""Ending and removing sensors, sites and towns, in each storage edition."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import msgspec
import pytest

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.resolve import read_registry
from tests.cases import Finding, open_case
from tests.intake import Intake
from tests.towns import LANES, SINCE, TOWN, corridor, counter, junction
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.model import Site, Town
from verkehrspuls.registry import commissioning, ending, removal
from verkehrspuls.registry.registration import Entry
from verkehrspuls.registry.towns import register
from verkehrspuls.storage import ledger
from verkehrspuls.storage.database import execute
from verkehrspuls.storage.sensors import list_sensors
from verkehrspuls.storage.sites import list_municipalities, list_sites

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)

#: a second site, whose sensor replaced another one at a channel of the first
WORLD: Town = msgspec.structs.replace(
    TOWN,
    sites=(
        *TOWN.sites,
        Site(key="b423", name="B 423", channels=LANES),
    ),
    sensors=(*TOWN.sensors, counter("loop-1", "Schleife 1", site="b423")),
    corridors=(corridor("road", ("b420", "in", 0), ("b423", "in", 500)),),
    junctions=(junction("node", ("b420", "in", "in"), ("b423", "out", "out")),),
)


class World(Intake):
    """A town with readings, figures, cases and rejects of two sites."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        register(self.connection, WORLD)
        self.registry = read_registry(self.connection)
        for sensor in ("camera-1", "loop-1"):
            for minutes in range(0, 120, 5):
                self.send(sensor, minutes, car=4)
            self.send(sensor, 0, car=5)  # a correction
            self.send(sensor, 0, lorry=5)  # a reject
        self.compute(NOW)
        # where the edition can: what is compressed is removed as well
        for table in ("count_reading", "count_reading_history", "volume"):
            self.connection.execute(
                "select vp.compress_before(%s, %s)", [table, NOW + timedelta(days=30)]
            )
        self.put_case("b423", ["b423"])
        self.put_case("b423", ["b423", "b420"])
        assert self.holds

    def send(self, sensor: str, minutes: int, **classes: int) -> None:
        counts = [{"channel": output, "classes": classes} for output in ("1", "2")]
        time = NOW - timedelta(hours=2) + timedelta(minutes=minutes)
        body = {"time": time, "interval_s": 300, "counts": counts}
        topic = f"vp/v1/kusel/{sensor}/counts"
        message = Message(topic, msgspec.json.encode(body), NOW)
        limits = Limits.at(NOW, self.settings.ingest)
        # of a worker that may have read the registry before
        collector = Collector(self.registry, self.formats, limits)
        self.writer.write(collector.collect([message]), collector)

    def put_case(self, leading: str, sites: list[str]) -> None:
        began = NOW - timedelta(hours=len(sites))
        members = [leading, *(site for site in sites if site != leading)]
        open_case(
            self.connection,
            *(Finding(site, "in", "silent", began, NOW) for site in members),
        )

    def count(self, table: LiteralString) -> int:
        row = self.connection.execute(
            b"select count(*) as rows from vp." + table.encode()
        ).fetchone()
        return int(row["rows"]) if row else 0

    @property
    def holds(self) -> bool:
        return ledger.prove(self.connection).holds

    def remove(self, kind: str, *keys: str, sure: bool = True) -> dict[str, int]:
        return removal.remove(
            self.connection, kind, *keys, with_readings=sure, sure=sure
        )

    def volume(self, site: str) -> list[dict[str, Any]]:
        return self.connection.execute(
            "select v.volume from vp.volume v join vp.channel c using (channel_id)"
            " join vp.site s using (site_id) where s.key = %s",
            [site],
        ).fetchall()


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with World(database) as world:
        yield world


@pytest.fixture
def plain_world(plain_database: str) -> Iterator[World]:
    with World(plain_database) as world:
        yield world


def test_sensor_that_is_removed_leaves_the_ledger_and_its_rejects(world: World) -> None:
    before = ledger.prove(world.connection).totals
    rejects = world.count("rejected_message")
    went = world.remove("sensor", "kusel", "loop-1")
    assert (went["readings"], went["messages"], went["rejects"]) == (48, 26, 1)
    proof = ledger.prove(world.connection)
    assert proof.holds
    assert proof.totals == before
    assert world.count("rejected_message") == rejects
    with pytest.raises(UnknownKey):
        commissioning.sensor(world.connection, "kusel", "loop-1")
    assert ("kusel", "loop-1") not in read_registry(world.connection)
    # its channels stay, without the figures that it gave them
    assert world.volume("b423")
    world.compute(NOW)
    assert not world.volume("b423")
    assert world.volume("b420")
    # registered again it goes on
    register(world.connection, WORLD)
    world.send("loop-1", 5, car=3)
    assert world.holds
    found = commissioning.sensor(world.connection, "kusel", "loop-1")
    assert found.facts.messages_received == 27


def test_site_that_is_removed_leaves_no_trace_of_itself(world: World) -> None:
    went = world.remove("site", "kusel", "b423")
    assert (went["readings"], went["cases"], went["messages"]) == (48, 2, 26)
    assert world.holds
    assert [s.key for s in list_sites(world.connection)] == ["b420"]
    (case,) = world.connection.execute(
        "select s.key, a.sites, a.channels from vp.anomaly_case a"
        " join vp.site s using (site_id)"
    ).fetchall()
    assert case == {"key": "b420", "sites": 1, "channels": 1}
    assert world.count("case_event") == 1
    assert world.count("corridor") == world.count("junction") == 0
    assert len(world.volume("b420")) == world.count("volume")
    assert world.count("stale_bucket") == 0
    # its sensor stays registered, attached to nothing
    (row,) = list_sensors(world.connection, sensor="loop-1")
    assert row.site is None
    world.compute(NOW)
    # a worker that has not read the registry since
    world.send("loop-1", 5, car=3)
    assert world.count("stale_bucket") > 0
    removal.sweep(world.connection)
    assert world.count("stale_bucket") == 0
    assert world.count("count_reading") == 48
    assert world.holds


def test_town_that_is_removed_can_be_registered_again(world: World) -> None:
    world.remove("town", "kusel")
    assert world.holds
    assert removal.towns(world.connection) == []
    assert not list_municipalities(world.connection)
    assert not read_registry(world.connection)
    for table in ("site", "channel", "count_reading", "anomaly_case", "volume"):
        assert world.count(table) == 0, table
    assert world.count("rejected_message") == 2
    with pytest.raises(UnknownKey):
        world.remove("town", "kusel")
    register(world.connection, WORLD)
    world.registry = read_registry(world.connection)
    world.send("camera-1", 0, car=1)
    assert world.holds
    assert len(removal.towns(world.connection)) == 1


@pytest.mark.parametrize(
    "keys",
    [("site", "kusel", "b423"), ("sensor", "kusel", "loop-1"), ("town", "kusel")],
)
def test_nothing_goes_where_data_hang_on_it(
    plain_world: World, keys: tuple[str, str]
) -> None:
    readings = plain_world.count("count_reading")
    with pytest.raises(removal.HasData, match=r"\d+ readings and \d cases") as refused:
        plain_world.remove(*keys, sure=False)
    assert "--with-readings and --yes" in str(refused.value)
    with pytest.raises(removal.HasData, match="add --yes"):
        removal.remove(plain_world.connection, *keys, with_readings=True, sure=False)
    assert plain_world.count("count_reading") == readings
    assert len(read_registry(plain_world.connection)) == 3


def test_what_never_had_data_is_removed_at_once(plain_world: World) -> None:
    went = plain_world.remove("sensor", "kusel", "air-1", sure=False)
    assert went["readings"] == 0
    with pytest.raises(UnknownKey, match="kusel/air-1"):
        plain_world.remove("sensor", "kusel", "air-1")
    with pytest.raises(UnknownKey, match="kusel/nowhere"):
        plain_world.remove("site", "kusel", "nowhere")
    assert plain_world.holds


def test_sensor_ends_by_date_and_keeps_its_figures(plain_world: World) -> None:
    at = NOW - timedelta(hours=1)
    connection = plain_world.connection
    loop = Entry("sensor", "loop-1")
    changes = ending.end(connection, "kusel", loop, at=at, now=NOW)
    assert [each.entry.kind for each in changes] == ["sensor", *["installation"] * 2]
    found = commissioning.sensor(connection, "kusel", "loop-1")
    assert {each.until for each in found.installations} == {at}
    assert plain_world.volume("b423")
    # it is not there twice
    assert ending.end(connection, "kusel", loop, at=NOW, now=NOW) == []
    before = SINCE - timedelta(days=1)
    with pytest.raises(UsageError, match="attached only after that"):
        ending.end(connection, "kusel", loop, at=before, now=NOW)
    plain_world.registry = read_registry(connection)
    plain_world.send("loop-1", 90, car=3)
    newest = commissioning.sensor(connection, "kusel", "loop-1").messages[0]
    assert (newest.outcome, newest.reason) == ("rejected", "unknown-output")


def test_tokens_of_what_is_removed_are_revoked(plain_world: World) -> None:
    from verkehrspuls.access import tokens

    tokens.create(plain_world.connection, "kusel", sensor="loop-1")
    tokens.create(plain_world.connection, "kusel")
    plain_world.remove("sensor", "kusel", "loop-1")
    states = execute(plain_world.connection, "list_tokens", municipality="kusel")
    assert sorted(row["state"] for row in states) == ["revoked", "valid"]
    plain_world.remove("town", "kusel")
    states = execute(plain_world.connection, "list_tokens", municipality="kusel")
    assert {row["state"] for row in states} == {"revoked"}
