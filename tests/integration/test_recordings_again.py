"""Recordings of gateways and network servers: times, shared topics, replay."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import msgspec
import pytest
from psycopg.rows import dict_row

from ingest.files.write import write_recording
from ingest.reasons import Detail
from ingest.rejects import Choice, replay
from tests.parts import logins
from tests.towns import SINCE, TOWN
from verkehrspuls.model import (
    Channel,
    Installation,
    Mapping,
    PayloadFormat,
    Profile,
    Sensor,
    Site,
)
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Settings, load
from verkehrspuls.storage import ledger
from verkehrspuls.storage.clocks import passed_over
from verkehrspuls.storage.database import connect

UP = "v3/stadt@ttn/devices/pegel-1/up"
GATEWAY = "rtl_433/SENSOR"


def sensor(
    key: str, payload_format: PayloadFormat, topic: str, field: str, profile: Profile
) -> Sensor:
    return Sensor(
        key=key,
        name=key,
        payload_format=payload_format,
        topic=topic,
        interval_s=600,
        profile=profile,
        installations=(
            Installation(
                site="bridge",
                channel=key,
                output="level",
                since=SINCE,
                mapping=Mapping(field=field),
            ),
        ),
    )


def of_gateway(key: str, device: int) -> Sensor:
    profile = Profile(receipt_time=True, only={"id": device})
    return sensor(key, "tasmota", GATEWAY, "cm", profile)


SENSORS = {
    "lora": sensor("lora", "ttn-v3", UP, "decoded_payload.cm", Profile()),
    "one": of_gateway("one", 1672),
    "two": of_gateway("two", 3585),
    "report": sensor("report", "telraam", "telraam/1", "v85", Profile()),
    "plain": sensor("plain", "scalar", "pegel/cm", "value", Profile(receipt_time=True)),
}


class World:
    """A database, and recordings that are imported into it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.settings: Settings = load(logins(url))
        self.connection = connect(url, row_factory=dict_row, autocommit=True)
        self._path = folder / "recording"

    def register(self, *keys: str) -> None:
        channels = tuple(
            Channel(key=key, name=key, quantity="water_level_cm") for key in SENSORS
        )
        town = msgspec.structs.replace(
            TOWN,
            sites=(*TOWN.sites, Site(key="bridge", name="Brücke", channels=channels)),
            sensors=(*TOWN.sensors, *(SENSORS[key] for key in keys)),
        )
        register(self.connection, town)

    def take(self, *lines: dict[str, Any]) -> Counter[str]:
        self._path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
        return write_recording(self.settings, self._path, skipped=lambda *_: None)

    def rows(self, query: LiteralString) -> list[Any]:
        return self.connection.execute(query).fetchall()

    def levels(self) -> list[tuple[str, float, str, int]]:
        rows = self.rows(
            "select key, value, time at time zone 'UTC' as time, time_origin "
            "from environment_reading join channel using (channel_id) "
            "order by key, time"
        )
        return [
            (r["key"], r["value"], f"{r['time']:%m-%d %H:%M}", r["time_origin"])
            for r in rows
        ]

    def reasons(self) -> list[str]:
        found = self.rows("select reason from rejected_message order by received_at")
        return [row["reason"] for row in found]

    def balances(self) -> bool:
        return ledger.prove(self.connection).holds


@pytest.fixture
def world(plain_database: str, tmp_path: Path) -> Iterator[World]:
    made = World(plain_database, tmp_path)
    yield made
    made.connection.close()


def line(topic: str, payload: object, at: str, **more: object) -> dict[str, Any]:
    return {"topic": topic, "payload": payload, "tst": at} | more


def uplink(*gateways: str, server: str | None, **more: object) -> dict[str, Any]:
    return {
        "uplink_message": {
            "decoded_payload": {"cm": 80},
            "rx_metadata": [{"time": each} for each in gateways],
            "received_at": server,
        },
        **more,
    }


def test_wrong_clock_of_a_gateway_is_passed_over_and_told(world: World) -> None:
    world.register("lora")
    right = "2025-06-01T10:00:00Z"
    world.take(
        line(UP, uplink("1980-01-06T00:00:10Z", server=right), right),
        line(
            UP,
            uplink("2028-01-01T00:00:00Z", server="2025-06-01T10:10:00Z"),
            "2025-06-01T10:10:01Z",
        ),
    )
    # the second was in the future of its receipt, though today is later
    assert world.levels() == [
        ("lora", 80, "06-01 10:00", 1),
        ("lora", 80, "06-01 10:10", 1),
    ]
    (found,) = passed_over(world.connection, municipality="kusel")
    assert (found.field, found.messages) == ("rx_metadata.time", 2)
    assert found.taken == "uplink_message.received_at"
    assert world.balances()


def test_message_is_judged_by_its_own_receipt_when_it_is_replayed(world: World) -> None:
    world.register()
    at = "2025-06-01T10:00:00Z"
    world.take(
        line(UP, uplink("1980-01-06T00:00:10Z", server=at), at),
        line(UP, uplink("2025-09-01T00:00:00Z", server=None), at),
    )
    assert world.reasons() == ["unknown-topic", "unknown-topic"]
    world.register("lora")
    sums = replay(world.settings, Choice())
    assert (sums["messages"], sums["used"]) == (2, 1)
    assert world.levels() == [("lora", 80, "06-01 10:00", 1)]
    # three months ahead of its receipt, which is long ago
    (row,) = world.rows(
        "select last_reason from rejected_message where replayed_at is null"
    )
    assert row["last_reason"] == "too-new"
    assert world.balances()


def test_uplink_that_is_simulated_is_kept_and_never_stored(world: World) -> None:
    world.register("lora")
    at = "2026-06-01T10:00:00Z"
    sums = world.take(line(UP, uplink(server=at, simulated=True), at))
    assert (sums["messages_received"], sums["readings_stored"]) == (1, 0)
    assert world.reasons() == ["simulated"]
    assert replay(world.settings, Choice())["used"] == 0
    assert world.levels() == []
    assert world.balances()


def test_sensors_of_one_topic_each_get_their_own(world: World) -> None:
    world.register("one", "two")
    at = "2026-06-01T10:{:02}:00Z".format
    payloads = [(1672, 80), (3585, 90), (7, 70), (1672, 81)]
    sums = world.take(
        *(
            line(GATEWAY, {"id": device, "cm": cm}, at(minute))
            for minute, (device, cm) in enumerate(payloads)
        )
    )
    assert world.levels() == [
        ("one", 80, "06-01 10:00", 2),
        ("one", 81, "06-01 10:03", 2),
        ("two", 90, "06-01 10:01", 2),
    ]
    assert sums["messages_received"] == 4
    assert world.reasons() == ["not-meant"]
    assert world.balances()


def test_retained_message_of_a_recording_is_no_new_one(world: World) -> None:
    world.register("plain")
    at = "2026-06-01T10:{:02}:00Z".format
    sums = world.take(
        line("pegel/cm", "182.5", at(0), retain=0),
        line("pegel/cm", "182.5", at(5), retain=1),
        line("pegel/cm", "190", at(6), retain=1),
    )
    assert world.levels() == [("plain", 182.5, "06-01 10:00", 2)]
    assert sums["readings_duplicate"] == 1
    assert sums["readings_rejected"] == 1
    assert world.balances()


def test_message_that_was_retained_before_its_sensor_was_known_is_taken_once(
    world: World,
) -> None:
    world.register()
    at = "2026-06-01T10:{:02}:00Z".format
    world.take(*(line("pegel/cm", "182.5", at(n), retain=1) for n in range(3)))
    world.register("plain")
    assert replay(world.settings, Choice())["used"] == 3
    assert world.levels() == [("plain", 182.5, "06-01 10:00", 2)]
    assert world.balances()


@pytest.mark.parametrize("stated", ["2026-05-24T10:00:00", 1780308000000, "gestern", 0])
@pytest.mark.parametrize("gateways", [0, 1])
def test_uplink_whose_times_cannot_be_used_is_never_of_now(
    world: World, stated: object, gateways: int
) -> None:
    world.register("lora")
    # its profile would let the time of receipt stand in where there is none
    world.connection.execute(
        "update sensor set profile = profile || '{\"receipt_time\": true}'"
    )
    at = "2026-06-01T10:00:00Z"
    body = uplink(server=None) | {"received_at": stated}
    body["uplink_message"]["rx_metadata"] = [{"time": stated}] * gateways
    world.take(line(UP, body, at))
    assert world.levels() == []
    assert world.reasons() == ["not-a-time"]
    assert world.balances()


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ({"v85": "kaputt"}, "2026-06-01T11:00:00Z: v85 = 'kaputt'"),
        (
            {"v85": 99999},
            "2026-06-01T11:00:00Z: level = 99999.0, possible are -500 to 2000 cm",
        ),
        ({"date": "gestern"}, "[1]: date = 'gestern'"),
        ({"date": "1980-01-06T00:00:00Z"}, "1980-01-06T00:00:00+00:00"),
    ],
)
def test_bad_record_of_a_report_is_told_with_its_place_or_time(
    world: World, bad: dict[str, object], text: str
) -> None:
    world.register("report")
    report = [
        {"date": f"2026-06-01T{hour}:00:00Z", "interval": "hourly", "v85": 40 + hour}
        for hour in (10, 11, 12)
    ]
    report[1] |= bad
    sums = world.take(line("telraam/1", {"report": report}, "2026-06-01T13:00:00Z"))
    assert (sums["readings_stored"], sums["readings_rejected"]) == (2, 1)
    (row,) = world.rows("select detail, detail_values from rejected_message")
    assert Detail(row["detail"], row["detail_values"] or ()).in_language("en") == text
    assert world.balances()


def test_message_that_none_of_a_town_takes_is_found_by_that_town(world: World) -> None:
    register(world.connection, msgspec.structs.replace(TOWN, key="landau"))
    world.register("one", "two")
    at = "2026-06-01T10:00:00Z"
    world.take(
        line(GATEWAY, {"id": 7, "cm": 70}, at),
        line("rtl_433x/SENSOR", {"id": 7, "cm": 70}, at),
    )

    def found(*, sensor: str | None = None, municipality: str = "kusel") -> list[str]:
        choice = Choice(municipality=municipality, sensor=sensor)._asdict()
        rows = ledger.rejects(world.connection, limit=10, open=True, **choice)
        return [row.topic for row in rows]

    for filter in (GATEWAY, "rtl_433/+", "rtl_433/#"):
        world.connection.execute(
            "update sensor set topic = %s where key = 'two'", [filter]
        )
        assert found() == found(sensor="two") == [GATEWAY]
        assert found(municipality="landau") == found(sensor="air-1") == []
    # what came before a sensor had its topic is of it, too
    world.connection.execute("update sensor set topic = '+/SENSOR/#' where key = 'two'")
    assert found() == found(sensor="two") == ["rtl_433x/SENSOR", GATEWAY]
    assert replay(world.settings, Choice(municipality="landau"))["messages"] == 0
    assert replay(world.settings, Choice(municipality="kusel"))["messages"] == 2
