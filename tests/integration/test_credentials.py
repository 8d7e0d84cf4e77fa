"""Credentials of sensors, with clients that cheat, at each broker that is here."""

import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr

from tests import parts, people
from tests.towns import TOWN
from verkehrspuls import mqtt, settings
from verkehrspuls.errors import BrokerUnavailable, UnknownKey, UsageError
from verkehrspuls.registry import clients, credentials
from verkehrspuls.registry.brokers import Broker, Login, Put, administrated
from verkehrspuls.registry.brokers.mosquitto import Broker as Mosquitto
from verkehrspuls.registry.credentials import Issued
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import Connection, connect

CAMERA, AIR = "kusel/camera-1", "kusel/air-1"
#: what a sensor tries to read
OVERHEARD = (
    *("vp/v1/#", "#", "+/+/+/+/+", f"vp/v1/{AIR}/+", "$share/thieves/vp/v1/#"),
    *("$SYS/#", "$CONTROL/#", "$MQTT/#", "$JS/#", "*/>"),
)


@pytest.fixture(params=["nats", "mosquitto"])
def place(request: pytest.FixtureRequest) -> Iterator[parts.Broker]:
    with parts.broker(request.param) as found:
        yield found


@pytest.fixture
def broker(place: parts.Broker) -> Iterator[Broker]:
    with administrated(place.admin_url) as found:
        yield found


@pytest.fixture
def connection(plain_database: str) -> Iterator[Connection]:
    with connect(plain_database) as opened:
        register(opened, TOWN)
        opened.commit()
        yield opened


def issue(connection: Connection, broker: Broker, *sensors: str) -> list[Issued]:
    asked = credentials.ask(connection, sensors)
    connection.commit()
    assert credentials.bring(connection, broker) == []
    found = credentials.collect(connection, asked)
    connection.commit()
    return found


def url(place: parts.Broker, issued: Issued, password: str | None = None) -> str:
    where = place.url.rpartition("@")[2]
    user = issued.user.replace("/", "%2F")
    return f"mqtt://{user}:{password or issued.password}@{where}"


def refused(address: str) -> bool:
    try:
        with mqtt.Publisher(address, "cheater"):
            return False
    except BrokerUnavailable as error:
        return "uthori" in str(error)


@contextmanager
def listening(address: str, *topics: str) -> Iterator[tuple[list[str], list[bool]]]:
    """Subscribe, and give the topics of what arrives, and what was granted."""
    seen: list[str] = []
    granted: list[bool] = []
    made = mqtt.client(address, client_id=f"listener-{secrets.token_hex(4)}")
    made.on_message = lambda _c, _d, message: seen.append(message.topic)
    made.on_subscribe = lambda _c, _d, _m, codes, _p: granted.extend(
        not code.is_failure for code in codes
    )

    # once more after Mosquitto 2.1 has cut the connection, as it does with a new role
    def on_connect(*_: Any) -> None:
        made.subscribe([(topic, 1) for topic in topics])

    made.on_connect = on_connect
    mqtt.connect(made, address)
    made.loop_start()
    parts.wait_for(lambda: len(granted) == len(topics))
    try:
        yield seen, granted
    finally:
        made.disconnect()
        made.loop_stop()


@contextmanager
def leaving_a_will(address: str, topic: str) -> Iterator[None]:
    """Connect with a will, if the broker lets it, and vanish afterwards."""
    will = mqtt.Will(topic, b"offline")
    made = mqtt.client(address, client_id="heir", will=will)
    ended: list[object] = []
    made.on_connect = made.on_disconnect = lambda *given: ended.append(given)
    mqtt.connect(made, address)
    made.loop_start()
    parts.wait_for(lambda: ended)
    made.loop_stop()
    if connection := made.socket():
        connection.close()
    yield


def test_sensor_publishes_under_its_own_topics_only_and_reads_nothing(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    camera, air = issue(connection, broker, CAMERA, AIR)
    own = f"vp/v1/{CAMERA}/counts"
    with (
        listening(place.url, "vp/v1/#", "#") as (heard, _),
        listening(url(place, air), *OVERHEARD) as (overheard, _),
        leaving_a_will(url(place, camera), f"vp/v1/{AIR}/status"),
        mqtt.Publisher(url(place, camera), "camera") as cheater,
    ):
        for topic in (
            f"vp/v1/{AIR}/environment",
            "vp/v1/landau/camera-1/counts",
            f"{own}/more",
            "$CONTROL/dynamic-security/v1",
            f"$MQTT/msgs/vp/v1/{AIR}/environment",
            f"$MQTT/rmsgs/vp/v1/{AIR}/environment",
            "$JS/API/STREAM/PURGE/$MQTT_msgs",
            "elsewhere",
            own,
        ):
            cheater.publish(topic, b"{}", retain=topic != own)
        parts.wait_for(lambda: own in heard)
        assert set(heard) == {own}
        assert overheard == []
    with listening(place.url, "vp/v1/#", "#") as (kept, _):
        assert kept == []


def test_no_other_password_lets_a_sensor_in(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    camera, air = issue(connection, broker, CAMERA, AIR)
    assert not refused(url(place, camera))
    assert refused(url(place, camera, air.password))
    row = connection.execute("select hash from credential limit 1").fetchone()
    assert row
    assert refused(url(place, camera, "x"))
    assert refused(url(place, camera, row[0].replace("/", "%2F").replace("+", "%2B")))


def test_password_is_nowhere_once_it_was_collected(
    broker: Broker, connection: Connection
) -> None:
    (camera,) = issue(connection, broker, CAMERA)
    for table in ("credential", "audit"):
        rows = connection.execute(f"select * from {table}").fetchall()
        assert rows
        assert camera.password not in str(rows)
        assert camera.password.encode().hex() not in str(rows)
    row = connection.execute("select sealed, public_key from credential").fetchone()
    assert row == (None, None)


def test_both_are_valid_in_the_overlap_and_then_only_the_new_one(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    (old,) = issue(connection, broker, CAMERA)
    (new,) = issue(connection, broker, CAMERA)
    assert (old.user, new.user) == (CAMERA, f"{CAMERA}/2")
    ended = credentials.end_older(connection, new, overlap=timedelta(hours=1))
    connection.commit()
    assert ended == [old.user]
    credentials.bring(connection, broker)
    assert not refused(url(place, old))
    assert not refused(url(place, new))
    with mqtt.Publisher(url(place, old), "old") as connected:
        credentials.end_older(connection, new, overlap=timedelta(0))
        connection.commit()
        credentials.bring(connection, broker)
        # whoever is connected is thrown out
        parts.wait_for(lambda: not connected.connected)
    assert refused(url(place, old))
    assert not refused(url(place, new))
    # the name is free again, and its earlier password is not
    (third,) = issue(connection, broker, CAMERA)
    assert third.user == CAMERA
    assert refused(url(place, old))


def test_revoked_one_is_thrown_out_and_not_let_in_again(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    camera, air = issue(connection, broker, CAMERA, AIR)
    with mqtt.Publisher(url(place, camera), "camera") as connected:
        assert credentials.revoke(connection, CAMERA) == [CAMERA]
        connection.commit()
        credentials.bring(connection, broker)
        parts.wait_for(lambda: not connected.connected)
    assert refused(url(place, camera))
    assert not refused(url(place, air))
    with pytest.raises(UnknownKey):
        credentials.revoke(connection, CAMERA)


def test_broker_killed_between_asking_and_applying(
    place: parts.Broker, connection: Connection
) -> None:
    asked = credentials.ask(connection, [CAMERA])
    connection.commit()
    with administrated(place.admin_url) as broker:
        broker.state()
        kill(place)
        with pytest.raises(BrokerUnavailable):
            credentials.bring(connection, broker)
    connection.rollback()
    assert credentials.collect(connection, asked) == []
    place.start()
    with administrated(place.admin_url) as broker:
        credentials.bring(connection, broker)
        (camera,) = credentials.collect(connection, asked)
        connection.commit()
        assert not refused(url(place, camera))
        # and what was applied outlives another kill
        kill(place)
    place.start()
    assert not refused(url(place, camera))
    with administrated(place.admin_url) as broker:
        assert credentials.compare(connection, broker.state()) == []


def kill(place: parts.Broker) -> None:
    assert place.process is not None
    place.process.send_signal(signal.SIGKILL)
    place.process.wait(parts.PATIENCE_S)


def test_killed_before_it_is_noted_it_is_applied_with_another_password(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    asked = credentials.ask(connection, [CAMERA])
    connection.commit()
    (number,) = asked.users
    login = Login(CAMERA, number, (f"vp/v1/{CAMERA}/+",))
    lost = Put(login, "lost", broker.hash_of("lost"))
    broker.change([lost], [], ())
    credentials.bring(connection, broker)
    (camera,) = credentials.collect(connection, asked)
    assert refused(url(place, camera, "lost"))
    assert not refused(url(place, camera))


def test_who_does_not_wait_has_no_credential(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    asked = credentials.ask(connection, [CAMERA])
    with pytest.raises(credentials.NotApplied):
        credentials.wait(lambda: nullcontext(connection), asked, patience_s=0)
    credentials.bring(connection, broker)
    assert broker.state().logins == {}


def test_what_differs_is_told_and_mended(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    camera, _ = issue(connection, broker, CAMERA, AIR)
    there = broker.state().logins
    assert credentials.compare(connection, broker.state()) == []
    wide = there[CAMERA]._replace(topics=("vp/v1/#",))
    stranger = Login("kusel/ghost", 999_999, ("vp/v1/kusel/ghost/+",))
    hashed = connection.execute(
        "select hash from credential where user_name = %s", [CAMERA]
    ).fetchone()
    assert hashed
    broker.change(
        [
            Put(wide, None, hashed[0]),
            Put(stranger, "password", broker.hash_of("password")),
        ],
        [],
        {"tele/#"},
    )
    found = dict(credentials.compare(connection, broker.state()))
    assert found.keys() == {CAMERA, "kusel/ghost", "ingest"}
    assert "publish under vp/v1/#" in found[CAMERA]
    assert found["kusel/ghost"] == "is unknown to the registry"
    assert credentials.bring(connection, broker, remove_unknown=True) == []
    assert credentials.compare(connection, broker.state()) == []
    assert not refused(url(place, camera))
    assert refused(url(place, camera._replace(user="kusel/ghost"), "password"))


def test_lost_login_is_put_back_where_the_broker_takes_a_hash(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    (camera,) = issue(connection, broker, CAMERA)
    broker.change([], [CAMERA], ())
    (found,) = credentials.compare(connection, broker.state())
    assert found == (CAMERA, "is missing at the broker")
    left = credentials.bring(connection, broker)
    if isinstance(broker, Mosquitto):
        assert [each.user for each in left] == [CAMERA]
        credentials.revoke(connection, CAMERA)
        credentials.bring(connection, broker)
        (camera,) = issue(connection, broker, CAMERA)
    else:
        assert left == []
    assert not refused(url(place, camera))


def test_foreign_topic_is_permitted_to_its_sensor_and_ingest(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    connection.execute(
        "update sensor set payload_format = 'tasmota', topic = 'tele/wetter-1/+' "
        "where key = 'air-1'"
    )
    connection.commit()
    camera, air = issue(connection, broker, CAMERA, AIR)
    topic = "tele/wetter-1/SENSOR"
    with (
        listening(place.url, "tele/#") as (heard, _),
        mqtt.Publisher(url(place, camera), "camera") as cheater,
        mqtt.Publisher(url(place, air), "air") as sensor,
    ):
        cheater.publish(topic, b"forged")
        cheater.flush()
        sensor.publish("tele/other/SENSOR", b"{}")
        sensor.publish(topic, b"{}")
        parts.wait_for(lambda: heard)
        assert heard == [topic]
        connection.execute(
            "update sensor set topic = 'tele/wetter-2/+' where key = 'air-1'"
        )
        connection.commit()
        credentials.bring(connection, broker)
        # connected as before, it may no longer publish under the earlier one
        sensor.publish(topic, b"late")
        moved = "tele/wetter-2/SENSOR"

        def arrives() -> bool:
            sensor.publish(moved, b"{}")
            return moved in heard

        # the listener may come back a little later than the sensor
        parts.wait_for(arrives, every=0.2)
        assert set(heard) == {topic, moved}
        assert heard.count(topic) == 1


@pytest.mark.parametrize(
    "topic", ["tele/wetter-1/+", "tele/#", "vp/v1/landau/x/counts"]
)
def test_foreign_topic_of_another_town_is_not_permitted(
    connection: Connection, topic: str
) -> None:
    connection.execute(
        "update sensor set payload_format = 'tasmota', topic = 'tele/wetter-1/SENSOR' "
        "where key = 'air-1'"
    )
    register(connection, other_town())
    connection.execute(
        "update sensor set payload_format = 'tasmota', topic = %s "
        "where key = 'thief-1'",
        [topic],
    )
    credentials.ask(connection, ["landau/thief-1", AIR])
    wanted = credentials._wanted(connection).logins
    assert wanted["landau/thief-1"].topics == ("vp/v1/landau/thief-1/+",)
    assert wanted[AIR].topics == (f"vp/v1/{AIR}/+", "tele/wetter-1/SENSOR")


def other_town() -> Any:
    from msgspec import structs

    sensor = structs.replace(TOWN.sensors[0], key="thief-1", installations=())
    return structs.replace(
        TOWN, key="landau", name="Landau", sensors=(sensor,), corridors=(), junctions=()
    )


@pytest.mark.parametrize("topic", ["*/>", "vp/*/+/camera-1/+", "%u/v1/kusel/#"])
def test_what_a_broker_may_take_for_a_wildcard_permits_nothing(
    place: parts.Broker, broker: Broker, connection: Connection, topic: str
) -> None:
    register(connection, other_town())
    connection.execute(
        "update sensor set payload_format = 'tasmota', topic = %s "
        "where key = 'thief-1'",
        [topic],
    )
    connection.commit()
    (thief,) = issue(connection, broker, "landau/thief-1")
    own = "vp/v1/landau/thief-1/counts"
    with (
        listening(place.url, "vp/v1/#") as (heard, _),
        mqtt.Publisher(url(place, thief), "thief") as cheater,
    ):
        for each in (f"vp/v1/{CAMERA}/counts", "vp/v1/landau/*/counts", own):
            cheater.publish(each, b"{}")
        parts.wait_for(lambda: own in heard)
        assert set(heard) == {own}
    assert credentials.compare(connection, broker.state()) == []


def test_gateway_publishes_for_many(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    asked = credentials.ask_for_gateway(connection, "chirpstack", ["application/#"])
    credentials.bring(connection, broker)
    (gateway,) = credentials.collect(connection, asked)
    connection.commit()
    topic = "application/1/device/01/event/up"
    with (
        listening(place.url, "application/#") as (heard, _),
        mqtt.Publisher(url(place, gateway), "gateway") as sender,
    ):
        sender.publish(f"vp/v1/{CAMERA}/counts", b"{}")
        sender.publish(topic, b"{}")
        parts.wait_for(lambda: heard)
        assert heard == [topic]
    with pytest.raises(UsageError, match="includes vp/v1"):
        credentials.ask_for_gateway(connection, "second", ["+/v1/#"])
    for name in ("admin", "ingest", "foreign-publish", "configuration"):
        with pytest.raises(UsageError, match="is no name"):
            credentials.ask_for_gateway(connection, name, ["tele/#"])


def test_thousand_sensors_get_credentials(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    connection.execute(
        "insert into sensor (municipality_id, key, name, payload_format, interval_s) "
        "select municipality_id, 'many-' || n, 'n', 'native', 300 "
        "from municipality, generate_series(1, 1000) n"
    )
    names = [f"kusel/many-{number}" for number in range(1, 1001)]
    began = time.monotonic()
    issued = issue(connection, broker, *names)
    assert time.monotonic() - began < parts.bound_s(60)
    assert len({each.password for each in issued}) == 1000
    assert not refused(url(place, issued[0]))
    assert not refused(url(place, issued[-1]))
    began = time.monotonic()
    assert credentials.compare(connection, broker.state()) == []
    assert time.monotonic() - began < parts.bound_s(10)


def test_mosquitto_pub_publishes_for_the_sensor(
    place: parts.Broker, broker: Broker, connection: Connection
) -> None:
    (camera,) = issue(connection, broker, CAMERA)
    script = clients.filled(
        "mosquitto_pub", camera, settings.Broker(url=SecretStr(place.url))
    )
    parts.program("mosquitto_pub", package="mosquitto-clients")
    with listening(place.url, "vp/v1/#") as (heard, _):
        subprocess.run(["sh", "-c", script], check=True)
        parts.wait_for(lambda: heard)
        assert heard == [f"vp/v1/{CAMERA}/counts"]


def test_engineer_asks_over_the_web_and_another_process_tells_the_broker(
    plain_database: str, connection: Connection
) -> None:
    register(connection, other_town())
    connection.commit()
    with (
        parts.broker("nats") as place,
        administrated(place.admin_url) as broker,
        people.of(plain_database) as them,
        connect(parts.as_ingest(plain_database)) as keeper,
    ):
        them.put(people.ANNE, ("engineer", "kusel"))
        them.put(people.BERND, ("engineer", "landau"))
        anne, bernd = them.log_in(people.ANNE), them.log_in(people.BERND)
        with them.web(anne)() as web:
            asked = credentials.ask(web, [CAMERA])
        (left,) = islice(
            credentials.keep(
                keeper, lambda: administrated(place.admin_url), pause=lambda _: None
            ),
            1,
        )
        assert left == []
        with them.web(anne)() as web:
            (camera,) = credentials.collect(web, asked)
        assert not refused(url(place, camera))
        with them.reading(anne) as web:
            (listed,) = credentials.every(web)
        assert (listed.user_name, listed.state) == (CAMERA, "valid")
        assert listed.issued_by == people.ANNE
        # who registers elsewhere neither sees it nor asks for, ends or alters one
        with them.reading(bernd) as web:
            assert credentials.every(web) == []
        with them.web(bernd)() as web, pytest.raises(UnknownKey):
            credentials.revoke(web, CAMERA)
        with pytest.raises(InsufficientPrivilege), them.web(bernd)() as web:
            credentials.ask(web, [CAMERA])
        # nor does the web give what is the broker's process's to give
        for statement in (
            "select hash from vp.credential",
            "update vp.credential set applied_at = now()",
            "insert into vp.credential (user_name, topics) values ('x', '{tele/#}')",
        ):
            with pytest.raises(InsufficientPrivilege), them.web(anne)() as web:
                web.execute(statement)
        # and that process neither asks nor revokes
        for statement in (
            "insert into vp.credential (user_name, topics) values ('x', '{tele/#}')",
            "update vp.credential set revoked_at = null",
        ):
            with pytest.raises(InsufficientPrivilege), keeper.transaction():
                keeper.execute(statement)
        with them.web(anne)() as web:
            credentials.revoke(web, CAMERA)
        credentials.bring(keeper, broker)
        assert refused(url(place, camera))
    actions = connection.execute(
        "select action, actor, key, municipality from audit "
        "where action like 'credential.%' order by number"
    ).fetchall()
    assert actions == [
        (action, people.ANNE, CAMERA, "kusel")
        for action in ("credential.add", "credential.revoke")
    ]
