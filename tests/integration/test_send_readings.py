"""Readings over HTTP: to the broker, and what is refused before it."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from tests import corpus
from tests.intake import ingesting
from tests.parts import Broker, free_port, logins, wait_for
from tests.towns import AIR_TOPIC, COUNTS_TOPIC, TOWN
from verkehrspuls.access import tokens
from verkehrspuls.model import Mapping, Profile
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Settings, load
from verkehrspuls.storage import ledger
from verkehrspuls.storage.database import Connection, connect

ADDRESS = "/api/v1/readings"
NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)


def native(minute: int = 0, **change: object) -> dict[str, object]:
    return {
        "time": (NOW + timedelta(minutes=minute)).isoformat(),
        "interval_s": 300,
        "counts": [{"channel": "1", "classes": {"car": 3}}],
    } | change


def air(value: float = 31.2) -> dict[str, object]:
    return {"time": NOW.isoformat(), "interval_s": 600, "values": {"no2_ugm3": value}}


@pytest.fixture
def town(plain_database: str) -> Iterator[Connection]:
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        yield connection


class Sender:
    """Sends with a token."""

    def __init__(self, client: TestClient, token: str) -> None:
        self.client = client
        self.token = token

    def send(self, body: object, **headers: str) -> httpx2.Response:
        return self.client.post(
            ADDRESS,
            content=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self.token}",
                "content-type": "application/json",
            }
            | {name.replace("_", "-"): value for name, value in headers.items()},
        )


def settings_of(database: str, broker: str = "", **more: str) -> Settings:
    return load(
        {
            **logins(database),
            "VERKEHRSPULS_BROKER__PUBLISH_URL": broker,
            **more,
        }
    )


@contextmanager
def serving(settings: Settings) -> Iterator[TestClient]:
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["type"].endswith(f"#{code}")
    return found


def test_topic_that_no_broker_takes_stops_no_other_sender(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    level = next(sensor for sensor in corpus.town().sensors if sensor.key == "level-1")
    odd = msgspec.structs.replace(level, topic="vp/v1/kusel/+/odd")
    register(town, msgspec.structs.replace(corpus.town(), sensors=(*TOWN.sensors, odd)))
    message = {"base64": base64.b64encode(b"1").decode()}
    with serving(settings_of(plain_database, broker.publish_url)) as client:
        sender = Sender(client, tokens.create(town, "kusel"))
        refused = sender.send([message | {"topic": "vp/v1/kusel/a\tb/odd"}])
        answer = problem(refused, 422, "invalid")
        assert answer["errors"][0]["pointer"] == "#/0/topic"
        # a blank is taken by most
        response = sender.send([message | {"topic": "vp/v1/kusel/a b/odd"}])
        assert response.status_code in (202, 503), response.text
        good = sender.send([{"sensor": "camera-1", "message": native()}])
        assert good.status_code == 202, good.text


def test_token_of_a_sensor_sends_what_its_topic_shares_with_others(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    level = next(sensor for sensor in corpus.town().sensors if sensor.key == "level-1")
    (installed,) = level.installations
    site = next(each for each in corpus.town().sites if each.key == installed.site)
    second = msgspec.structs.replace(
        next(each for each in site.channels if each.key == installed.channel), key="b"
    )
    wider = msgspec.structs.replace(site, channels=(*site.channels, second))
    both = [
        msgspec.structs.replace(
            level,
            key=f"level-{device}",
            payload_format="tasmota",
            topic="vp/v1/kusel/gateway/SENSOR",
            profile=Profile(receipt_time=True, only={"id": device}),
            installations=(
                msgspec.structs.replace(
                    installed, channel=channel, mapping=Mapping(field="cm")
                ),
            ),
        )
        for device, channel in ((1, installed.channel), (2, "b"))
    ]
    sites = [wider if each.key == site.key else each for each in corpus.town().sites]
    register(
        town,
        msgspec.structs.replace(
            corpus.town(), sites=tuple(sites), sensors=(*TOWN.sensors, *both)
        ),
    )

    def of(device: int) -> dict[str, Any]:
        body = {"id": device, "cm": 80}
        return {"topic": "vp/v1/kusel/gateway/SENSOR", "message": body}

    with serving(settings_of(plain_database, broker.publish_url)) as client:
        sender = Sender(client, tokens.create(town, "kusel", sensor="level-2"))
        assert sender.send([of(2)]).status_code == 202
        problem(sender.send([of(1)]), 403, "not-allowed")
        of_town = Sender(client, tokens.create(town, "kusel"))
        answer = of_town.send([of(1), of(2), of(3)])
        assert answer.status_code == 202
        statuses = [item["status"] for item in answer.json()["items"]]
        assert statuses == ["accepted", "accepted", "rejected"]
        assert answer.json()["items"][2]["reason"] == "not-meant"


def test_readings_take_the_way_of_every_message(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    token = tokens.create(town, "kusel")
    settings = settings_of(
        plain_database, broker.publish_url, VERKEHRSPULS_BROKER__URL=broker.url
    )
    with ingesting(settings), serving(settings) as client:
        sender = Sender(client, token)
        response = sender.send(
            [
                {"sensor": "camera-1", "message": native()},
                {
                    "sensor": "camera-1",
                    "message": [native(5), native(10, interval_s=0)],
                },
                {"topic": AIR_TOPIC, "message": air()},
                {"sensor": "nobody", "message": native()},
                {
                    "topic": COUNTS_TOPIC,
                    "base64": base64.b64encode(
                        json.dumps(native(15)).encode()
                    ).decode(),
                },
                {"sensor": "air-1", "message": air(1e9)},
            ]
        )
        assert response.status_code == 202, response.text
        answer = response.json()
        assert (answer["accepted"], answer["rejected"]) == (4, 2)
        assert [item["status"] for item in answer["items"]] == [
            *("accepted", "partly-accepted", "accepted"),
            *("rejected", "accepted", "rejected"),
        ]
        assert answer["items"][3]["reason"] == "unknown-sensor"
        assert answer["items"][5]["reason"] == "out-of-range"
        assert answer["items"][5]["detail"]["de"].endswith(
            "(no2_ugm3 = 1000000000.0, möglich sind -5 bis 2000 µg/m³)"
        )
        assert answer["items"][5]["detail"]["en"].endswith(
            "(no2_ugm3 = 1000000000.0, possible are -5 to 2000 µg/m³)"
        )

        def stored() -> int:
            ((count,),) = town.execute(
                "select (select count(*) from count_reading) "
                "+ (select count(*) from environment_reading)"
            ).fetchall()
            return int(count)

        wait_for(lambda: stored() == 4)
        proof = ledger.prove(town)
        assert proof.holds
        assert proof.totals.messages_received == 4


@pytest.mark.parametrize(
    ("token", "scheme"),
    [
        ("", "Bearer"),
        ("vp_00000000_" + "x" * 43, "Bearer"),
        ("garbage\x7f", "Bearer"),
        ("{valid}", "Basic"),
        ("{valid}x", "Bearer"),
    ],
)
def test_nobody_sends_without_a_valid_token(
    plain_database: str, town: Connection, token: str, scheme: str
) -> None:
    valid = tokens.create(town, "kusel")
    with serving(settings_of(plain_database)) as client:
        response = client.post(
            ADDRESS,
            content=b"{}",
            headers={"authorization": f"{scheme} {token.format(valid=valid)}"},
        )
    problem(response, 401, "not-authorised")
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_token_ends(plain_database: str, town: Connection) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = tokens.create(town, "kusel", expires_at=past)
    revoked = tokens.create(town, "kusel")
    with serving(settings_of(plain_database)) as client:
        response = Sender(client, revoked).send({"sensor": "x", "message": {}})
        problem(response, 422, "nothing-accepted")
        ((used,),) = town.execute(
            "select last_used_at is not null from api_token where prefix = %s",
            [revoked[:11]],
        ).fetchall()
        assert used
        tokens.revoke(town, revoked[:11])
        for token in (expired, revoked):
            problem(Sender(client, token).send({}), 401, "not-authorised")
    (kept,) = town.execute(
        "select string_agg(t::text, ' ') from api_token t"
    ).fetchall()
    assert revoked[12:] not in kept


@pytest.mark.parametrize(
    ("scope", "item"),
    [
        ("camera-1", {"sensor": "air-1", "message": air()}),
        ("camera-1", {"topic": AIR_TOPIC, "message": air()}),
        (None, {"municipality": "landau", "sensor": "x", "message": native()}),
        (None, {"topic": "vp/v1/landau/camera-1/counts", "message": native()}),
        (None, {"topic": "elsewhere", "message": native()}),
    ],
)
def test_token_is_for_its_sensors_only(
    plain_database: str, town: Connection, scope: str | None, item: dict[str, Any]
) -> None:
    token = tokens.create(town, "kusel", sensor=scope)
    with serving(settings_of(plain_database)) as client:
        own = {"sensor": "camera-1", "message": native()}
        response = Sender(client, token).send([own, item])
    assert "message 1" in problem(response, 403, "not-allowed")["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{", "#"),
        (b"\xff", "#"),
        (b"[" * 100_000, "#"),
        (b'[{"sensor": "a", "message": 1}, 7]', "#/1"),
        (b'{"sensor": "a", "message": 1, "more": 2}', "#"),
        (b'{"sensor": "a"}', "#"),
        (b'{"message": 1}', "#"),
        (b'{"sensor": "a", "message": 1, "base64": "eA=="}', "#"),
        (b'{"sensor": "a", "base64": "?"}', "#/base64"),
        (b'{"sensor": "A b", "message": 1}', "#/sensor"),
        (b'{"sensor": "a", "kind": "other", "message": 1}', "#"),
        (b'{"topic": "vp/v1/+/x/counts", "message": 1}', "#/topic"),
        (b'{"topic": "a", "sensor": "b", "message": 1}', "#"),
    ],
)
def test_request_that_cannot_be_read_is_told_where(
    plain_database: str, town: Connection, body: bytes, pointer: str
) -> None:
    token = tokens.create(town, "kusel")
    with serving(settings_of(plain_database)) as client:
        found = problem(Sender(client, token).send(body), 422, "invalid")
    assert [error["pointer"] for error in found["errors"]] == [pointer]


def test_limits_of_a_request(plain_database: str, town: Connection) -> None:
    token = tokens.create(town, "kusel")
    settings = settings_of(
        plain_database,
        VERKEHRSPULS_API__INGEST_ITEMS="3",
        VERKEHRSPULS_API__INGEST_BYTES="1024",
        VERKEHRSPULS_API__INGEST_PER_MINUTE="4",
    )
    bad = {"sensor": "nobody", "message": {}}
    with serving(settings) as client:
        sender = Sender(client, token)
        problem(sender.send([bad] * 4), 413, "too-many")
        problem(sender.send([bad] * 1000), 413, "too-many")
        for wrong in (
            {"content_type": "text/csv"},
            {"content_type": "application/json-seq"},
            {"content_encoding": "gzip"},
        ):
            problem(sender.send(bad, **wrong), 415, "wrong-type")
        named = "Application/JSON ; charset=utf-8"
        response = sender.send(
            [bad] * 3, content_type=named, content_encoding="Identity"
        )
        problem(response, 422, "nothing-accepted")
        response = sender.send([bad] * 3)
        problem(response, 429, "too-fast")
        assert 25 <= int(response.headers["retry-after"]) <= 30


def test_sensor_with_a_token_of_its_own_sends_its_native_message(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    token = tokens.create(town, "kusel", sensor="air-1")
    with serving(settings_of(plain_database, broker.publish_url)) as client:
        for body in (air(), [air(), air(1.0)]):
            response = Sender(client, token).send(body)
            assert response.json()["items"] == [{"index": 0, "status": "accepted"}]


def test_what_json_does_not_have_costs_no_other_message(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    token = tokens.create(town, "kusel")
    part = {"channel": "1", "classes": {"car": 1}, "speed_kmh": float("nan")}
    nan = native(counts=[part])
    bad = native(5, counts=[{"channel": "1", "classes": {"car": float("nan")}}])
    with serving(settings_of(plain_database, broker.publish_url)) as client:
        sent = [{"sensor": "camera-1", "message": each} for each in (nan, bad)]
        answer = Sender(client, token).send(sent).json()
        assert [item["status"] for item in answer["items"]] == ["accepted", "rejected"]


def test_bad_interval_of_an_array_costs_no_other(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    token = tokens.create(town, "kusel", sensor="air-1")
    bad = air() | {"interval_s": 0}
    with serving(settings_of(plain_database, broker.publish_url)) as client:
        for body in ([None, air()], [bad, air()]):
            response = Sender(client, token).send(body)
            (item,) = response.json()["items"]
            assert item["status"] == "partly-accepted"
            assert "[0]" in item["detail"]["de"]


def test_request_that_comes_again_has_no_second_effect(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    token = tokens.create(town, "kusel")
    other = tokens.create(town, "kusel")
    body = [{"sensor": "camera-1", "message": native()}, {"sensor": "x", "message": 1}]
    settings = settings_of(
        plain_database, broker.publish_url, VERKEHRSPULS_BROKER__URL=broker.url
    )
    with ingesting(settings), serving(settings) as client:
        sender = Sender(client, token)
        first = sender.send(body, idempotency_key="a")
        again = sender.send(body, idempotency_key="a")
        assert first.status_code == again.status_code == 202
        assert first.content == again.content
        found = sender.send(body[:1], idempotency_key="a")
        problem(found, 422, "key-reused")
        # another's keys are another's
        assert Sender(client, other).send(body, idempotency_key="a").is_success
        received = "select coalesce(sum(messages_received), 0) from ledger"
        wait_for(lambda: town.execute(received).fetchall() == [(2,)])
        # one that still runs, and one that was killed long ago
        town.execute("update idempotent_request set answer = null")
        response = sender.send(body, idempotency_key="a")
        problem(response, 409, "still-running")
        assert response.headers["retry-after"] == "5"
        town.execute(
            "update idempotent_request set received_at = now() - interval '2 minutes'"
        )
        assert sender.send(body, idempotency_key="a").content == first.content


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_idempotency_key_that_cannot_be_is_told_as_a_header(
    plain_database: str, town: Connection, key: str
) -> None:
    token = tokens.create(town, "kusel", sensor="camera-1")
    with serving(settings_of(plain_database)) as client:
        response = Sender(client, token).send(native(), idempotency_key=key)
    assert problem(response, 422, "invalid")["errors"] == [
        {
            "pointer": "#/header/Idempotency-Key",
            "detail": "It must have 1 to 255 printable characters",
        }
    ]


def test_without_a_broker_nothing_is_taken(
    plain_database: str, broker: Broker, town: Connection
) -> None:
    token = tokens.create(town, "kusel")
    body = {"sensor": "camera-1", "message": native()}
    away = settings_of(plain_database, f"mqtt://127.0.0.1:{free_port()}")
    with serving(away) as client:
        for key in ("a", "a"):
            response = Sender(client, token).send(body, idempotency_key=key)
            problem(response, 503, "broker-unavailable")
            assert response.headers["retry-after"] == "5"
    with serving(settings_of(plain_database)) as client:
        problem(Sender(client, token).send(body), 503, "broker-unavailable")
    # it goes and comes back
    with serving(settings_of(plain_database, broker.publish_url)) as client:
        sender = Sender(client, token)
        assert sender.send(body, idempotency_key="a").status_code == 202
        broker.stop()
        wait_for(lambda: sender.send(body).status_code == 503)
        broker.start()
        wait_for(lambda: sender.send(body).status_code == 202)


def test_broken_message_is_never_an_error_of_the_server(
    plain_database: str, town: Connection
) -> None:
    token = tokens.create(town, "kusel")
    payloads = [
        *(
            b"",
            b" ",
            b"\xef\xbb\xbf{}",
            b"\xff\xfe{\x00}\x00",
            b"\0",
            b"NaN",
            b"[[[]]]",
        ),
        *(b'{"time": "\\ud800"}', b"[" * 100_000, b"1e400", b'"' + b"x" * 1000 + b'"'),
    ]
    items = [
        {"sensor": "camera-1", "kind": kind, "base64": base64.b64encode(p).decode()}
        for p in payloads
        for kind in ("counts", "environment", "status")
    ]
    with serving(settings_of(plain_database)) as client:
        response = Sender(client, token).send(items)
    # but for the empty one, which deletes a retained message, and has no broker here
    assert response.status_code in (422, 503), response.text
