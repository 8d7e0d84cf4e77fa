"""Unknown sensors: kept, listed, guessed, adopted, and replayed into their series."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Final

import pytest
from msgspec import structs
from starlette.testclient import TestClient
from typer.testing import CliRunner

from dashboards.app import create_web
from ingest import adopt
from ingest.adopt import Adoption, Guess
from ingest.batch import Message
from tests import people
from tests.intake import Intake, replaying
from tests.parts import PATIENCE_S
from tests.people import ANNE, BERND, People
from tests.towns import SINCE, TOWN, linz
from verkehrspuls.access import tokens
from verkehrspuls.cli import command as cli
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.model import Channel, Installation, Mapping, Profile, Sensor, Site
from verkehrspuls.registry import own_profiles, replays, unknown
from verkehrspuls.registry.edit import NotYourTown
from verkehrspuls.registry.towns import register
from verkehrspuls.registry.unknown import UnknownSensor
from verkehrspuls.storage.database import connect

NOW: Final = datetime.now(UTC).replace(microsecond=0)
NATIVE: Final = "vp/v1/kusel/camera-9"
UPLINK: Final = "application/7/device/{}/event/up"
#: a sensor of Kusel beside whose topic others send
METER: Final = Sensor(
    key="meter",
    name="Pegel",
    payload_format="json",
    topic="messung/haus-1",
    profile=Profile(receipt_time=True, time_is="end"),
    interval_s=600,
    installations=(
        Installation(
            site="b420",
            channel="no2",
            output="no2",
            since=SINCE,
            mapping=Mapping(field="wert"),
        ),
    ),
)
LORA: Final = structs.replace(
    METER,
    key="lora",
    payload_format="chirpstack-v4",
    topic="application/7/device/0101010101010101/event/+",
    installations=(),
)
ELSEWHERE: Final = linz(
    Site(
        key="tor",
        name="Tor",
        channels=(Channel(key="x", name="x", quantity="no2_ugm3"),),
    ),
    sensors=(structs.replace(METER, topic="gemeinsam/linz", installations=()),),
)


def counted(minutes: int) -> Message:
    """A native message of two lanes, so many minutes ago."""
    body = {
        "time": (NOW - timedelta(minutes=minutes + 5)).isoformat(),
        "interval_s": 300,
        "counts": [
            {"channel": "1", "classes": {"car": 3, "truck": 1}},
            {"channel": "2", "classes": {"car": 5, "bus": 1}},
        ],
    }
    received = NOW - timedelta(minutes=minutes)
    return Message(f"{NATIVE}/counts", json.dumps(body).encode(), received)


def uplink(dev_eui: str, minutes: int, **fields: Any) -> Message:
    received = NOW - timedelta(minutes=minutes)
    body = {
        "time": received.isoformat(),
        "deviceInfo": {"devEui": dev_eui},
        "fCnt": 100 - minutes,
        "fPort": 85,
        "object": fields,
    }
    return Message(UPLINK.format(dev_eui), json.dumps(body).encode(), received)


def measured(topic: str, **fields: Any) -> Message:
    return Message(topic, json.dumps(fields).encode(), NOW - timedelta(minutes=1))


class Town(Intake):
    """Kusel with unknown sensors, as its engineer and others see it on the web."""

    def __init__(self, url: str, people: People) -> None:
        super().__init__(url)
        self.people = people
        shared = structs.replace(METER, key="shared", topic="gemeinsam/kusel")
        shared = structs.replace(shared, installations=())
        sensors = (TOWN.sensors[0], METER, LORA, shared)
        register(self.connection, structs.replace(TOWN, sensors=sensors))
        register(self.connection, ELSEWHERE)
        people.put(ANNE, ("engineer", "kusel"))
        people.put(BERND, ("engineer", "linz"))
        self.anne, self.bernd = people.log_in(ANNE), people.log_in(BERND)

    def listed(self, session: str, town: str = "kusel") -> dict[str, UnknownSensor]:
        """Return the unknown sensors that somebody sees, by sender."""
        with self.people.reading(session) as connection:
            found = unknown.unknown_sensors(connection, town, now=NOW)
        return {one.sender: one for one in found}

    def guesses(self, sender: str) -> list[Guess]:
        """Return what the engineer is told that an unknown sensor may be."""
        settings = self.settings.ingest
        with self.people.reading(self.anne) as connection:
            (found,) = adopt.find(connection, settings, "kusel", sender, now=NOW)
        return list(found.guesses)

    def adopt(self, session: str, sender: str, key: str, **more: Any) -> None:
        """Adopt an unknown sensor by the first guess, at the only site."""
        guess = self.guesses(sender)[0]
        since = NOW - timedelta(hours=3)
        adoption = Adoption(guess, "b420", key, "Neu", since, **more)
        with self.people.web(session)() as connection:
            adopt.adopt(connection, "kusel", adoption)

    def replayed(self, key: str) -> replays.Replay:
        """Wait until a worker has done the replay that was asked for."""
        deadline = time.monotonic() + PATIENCE_S
        with replaying(self.settings):
            while time.monotonic() < deadline:
                with self.people.reading(self.anne) as connection:
                    done = replays.last(connection, "kusel", key)
                if done and done.done_at:
                    return done
                time.sleep(0.05)
        raise TimeoutError


@pytest.fixture
def town(plain_database: str) -> Iterator[Town]:
    with people.of(plain_database) as known, Town(plain_database, known) as town:
        yield town


def test_a_native_sensor_is_adopted_with_what_it_had_sent(town: Town) -> None:
    town.write(counted(30), counted(20), counted(10))
    (found,) = town.listed(town.anne).values()
    assert (found.sender, found.key, found.messages) == (NATIVE, "camera-9", 3)
    assert (found.first_at, found.last_at) == (
        NOW - timedelta(minutes=30),
        NOW - timedelta(minutes=10),
    )
    guess = town.guesses(NATIVE)[0]
    assert (guess.key, guess.profile.class_scheme) == ("itself", "tls-5+1")
    assert (guess.readings, guess.used, guess.missing) == (6, 3, [])
    # another town's engineer neither sees nor adopts it
    assert town.listed(town.bernd) == town.listed(town.bernd, "linz") == {}
    with pytest.raises(NotYourTown):
        town.adopt(town.bernd, NATIVE, "camera-9")
    with pytest.raises(UsageError, match="in"):
        # the channel has a sensor already
        town.adopt(town.anne, NATIVE, "camera-9", channels={"1": "in"})
    town.adopt(town.anne, NATIVE, "camera-9")
    assert town.listed(town.anne) == {}
    done = town.replayed("camera-9")
    assert (done.messages, done.used, done.rejected, done.failed) == (3, 3, 0, "")
    stored = town.rows(
        "select c.key, count(*), min(r.time) as first from count_reading r "
        "join channel c using (channel_id) group by 1 order by 1"
    )
    assert [(row["key"], row["count"]) for row in stored] == [("1", 3), ("2", 3)]
    assert stored[0]["first"] == NOW - timedelta(minutes=35)
    (noted,) = town.rows("select * from audit where action = 'reject.replay'")
    assert (noted["key"], noted["actor"]) == ("kusel/camera-9", ANNE)


def test_foreign_sensors_are_guessed_by_profile_and_by_those_beside(
    town: Town,
) -> None:
    sound = "24e124743c140001"
    town.write(
        uplink(sound, 12, battery=100, LAeq=47.4),
        uplink(sound, 2, battery=99, LAeq=48.4),
        measured("messung/haus-2", wert=31.5),
        # beside sensors of two towns, and of none
        measured("gemeinsam/neu", wert=31.5),
        measured("niemand/neu", wert=31.5),
    )
    seen = town.listed(town.anne)
    assert {*seen} == {UPLINK.format(sound), "messung/haus-2"}
    assert town.listed(town.bernd, "linz") == {}
    everything = unknown.unknown_sensors(town.connection, None, now=NOW)
    assert {one.municipality for one in everything} == {"kusel", None}
    guess = town.guesses(UPLINK.format(sound))[0]
    assert (guess.key, guess.payload_format, guess.ids) == (
        "profile/milesight-ws302/chirpstack-v4",
        "chirpstack-v4",
        {"dev_eui": sound},
    )
    assert guess.readings == 2
    beside = town.guesses("messung/haus-2")[0]
    assert (beside.key, beside.readings) == ("like/meter", 1)
    town.adopt(town.anne, UPLINK.format(sound), "laerm")
    assert town.replayed("laerm").used == 2
    town.adopt(town.anne, "messung/haus-2", "haus-2")
    assert town.replayed("haus-2").used == 1
    stored = town.rows(
        "select c.key, max(r.value) as value from environment_reading r "
        "join channel c using (channel_id) group by 1 order by 1"
    )
    assert [(row["key"], row["value"]) for row in stored] == [
        ("laeq", pytest.approx(48.4)),
        ("no2-2", 31.5),
    ]
    assert town.listed(town.anne) == {}


#: a device profile that the municipality made itself
OWN: Final = """
name = { de = "Pegel Marke Eigenbau", en = "Home-made gauge" }
kind = "water"
measures = { de = "Wasserstand", en = "water level" }
payload_format = "json"
topic = "messung/{device_id}"
interval_s = 600
profile = { receipt_time = true, time_is = "end" }
configure = { de = "Einschalten.", en = "Switch it on." }

[[outputs]]
output = "stand"
channel = "stand"
name = { de = "Wasserstand", en = "Water level" }
quantity = "water_level_cm"
mapping = { field = "stand" }

[[examples]]
received_at = 2026-11-21T20:00:00Z
payload = '{"stand": 81}'
"""


def test_what_nothing_fits_leads_to_a_profile_with_its_topic(town: Town) -> None:
    town.write(measured("messung/bach-7", stand=83))
    cookie = {"cookie": f"session={town.anne}"}
    with TestClient(create_web(town.settings), headers=cookie) as client:
        page = client.get("/de/unknown/kusel/adopt?topic=messung/bach-7").text
        (address,) = re.findall('href="(/de/device-profile[^"]*sender[^"]*)"', page)
        wizard = unescape(client.get(unescape(address)).text)
    assert '"topic":"messung/{device_id}"' in wizard
    assert 'name="pick" value="stand"' in wizard


def test_an_own_device_profile_is_guessed_where_it_is_kept(town: Town) -> None:
    with town.people.web(town.anne)() as connection:
        own_profiles.save(connection, "kusel", "pegel", OWN, seen=None)
    with town.people.web(town.bernd)() as connection, pytest.raises(NotYourTown):
        own_profiles.save(connection, "kusel", "x", OWN, seen=None)
    town.write(measured("messung/bach-7", stand=83))
    (guess,) = town.guesses("messung/bach-7")
    assert (guess.key, guess.ids) == ("profile/pegel/json", {"device_id": "bach-7"})
    town.adopt(town.anne, "messung/bach-7", "bach-7")
    assert town.replayed("bach-7").used == 1
    (stored,) = town.rows("select value from environment_reading")
    assert stored["value"] == 83


def test_programs_adopt_and_check(town: Town) -> None:
    with connect(town.url) as connection:
        token = tokens.create(connection, "kusel", permissions=["register"])
    app = create_web(town.settings)
    town.write(counted(30), counted(20))
    here = "/api/v1/commissioning/kusel"
    with TestClient(app, headers={"Authorization": f"Bearer {token}"}) as client:
        (listed,) = client.get(f"{here}/unknown-sensors").json()["unknown_sensors"]
        assert (listed["sender"], listed["messages"]) == (NATIVE, 2)
        assert listed["guesses"][0]["key"] == "itself"
        message = counted(10)
        tried = {"topic": message.topic, "payload": message.payload.decode()}
        assert client.post(f"{here}/preview", json=tried).json()["outcome"] == (
            "unknown sensor"
        )
        nowhere = {"sender": NATIVE, "site": "nirgends"}
        refused = client.post(f"{here}/unknown-sensors", json=nowhere)
        assert refused.status_code == 404
        wanted = {"sender": NATIVE, "site": "b420", "channels": {"1": "neu"}}
        adopted = client.post(f"{here}/unknown-sensors", json=wanted)
        assert adopted.status_code == 201, adopted.text
        assert adopted.json()["sensor"] == "camera-9"
        assert town.replayed("camera-9").used == 2
        tried = client.post(f"{here}/preview", json=tried).json()
        assert [one["channel"] for one in tried["readings"]] == ["neu", "2"]
        sensor = client.get(f"{here}/sensors/camera-9").json()
        states = {point["key"]: point["state"] for point in sensor["points"]}
        assert states["first-message"] == "done"
        assert states["completeness"] == "waiting"
        assert sensor["replay"]["used"] == 2
        assert {one["came"] for one in sensor["messages"]} == {"replayed"}
        newest = {one["channel"]: one["values"] for one in sensor["readings"][:2]}
        assert newest == {"2": {"car": 5, "bus": 1}, "neu": {"car": 3, "truck": 1}}
        # what is not used now is used after mending
        lorry = counted(10).payload.replace(b"truck", b"lorry")
        town.write(Message(message.topic, lorry, message.received_at))
        assert client.post(f"{here}/sensors/camera-9/replay").status_code == 202
        assert town.replayed("camera-9").rejected == 1
        assert client.post(f"{here}/sensors/nichts/replay").status_code == 404


def test_commands_adopt_and_check(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", town.url)

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli.app, ["sensor", *words])

    town.write(counted(30), counted(20))
    assert NATIVE in run("unknown").output
    (listed,) = json.loads(run("unknown", "--municipality", "kusel", "--json").output)
    assert listed["guesses"][0] == "itself"
    done = run("adopt", NATIVE, "--site", "kusel/b420", "--json")
    assert json.loads(done.output)["used"] == 2, done.output
    checked = run("check", "kusel/camera-9", "--json")
    assert checked.exit_code == 0
    assert {one["key"]: one["state"] for one in json.loads(checked.output)}[
        "first-message"
    ] == "done"
    again = run("adopt", NATIVE, "--site", "kusel/b420")
    assert isinstance(again.exception, UnknownKey)
