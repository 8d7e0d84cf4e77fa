"""Uplinks of The Things Stack v3."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from ingest.formats import NETWORK, EnvironmentReading
from ingest.formats.ttn_v3 import EXAMPLES, decode
from ingest.mapping import readings_of
from ingest.reasons import Unusable
from tests.unit.ingest.formats import NOW, readings, sensor, value
from verkehrspuls.model import Profile, TimeField

((TOPIC, EXAMPLE),) = EXAMPLES


def test_temperature_is_read_with_the_gateways_time() -> None:
    found = readings(
        decode(TOPIC, EXAMPLE, NOW),
        sensor(value("decoded_payload.temperature", "temperature_c", unit="Cel")),
    )
    at = datetime(2026, 11, 21, 20, 0, 1, 790000, tzinfo=UTC)
    assert found == [EnvironmentReading("temperature_c", at, 300, 4.1, NETWORK)]


def test_frame_counter_that_is_left_out_is_zero() -> None:
    (record,) = decode(TOPIC, EXAMPLE, NOW)
    assert record.seq == 0


@pytest.mark.parametrize(
    ("gone", "clock"),
    [("rx_metadata", "20:00:01.806"), ("received_at", "20:00:02.010")],
)
def test_time_falls_back_to_the_servers(gone: str, clock: str) -> None:
    envelope = json.loads(EXAMPLE)
    del envelope["uplink_message"]["rx_metadata"]
    envelope["uplink_message"].pop(gone, None)
    (record,) = decode(TOPIC, json.dumps(envelope).encode(), NOW)
    assert record.time == datetime.fromisoformat(f"2026-11-21T{clock}+00:00")


@pytest.mark.parametrize(
    "kind", ["join", "down/sent", "service/data", "location/solved"]
)
def test_other_messages_hold_no_readings(kind: str) -> None:
    assert decode(TOPIC.removesuffix("up") + kind, b"{}", NOW) == []


def test_message_without_formatter_is_reported() -> None:
    with pytest.raises(Unusable) as refused:
        decode(TOPIC, b'{"uplink_message": {"f_port": 1, "frm_payload": "AQ=="}}', NOW)
    assert refused.value.reason == "no-decoded-object"


def uplink(**change: object) -> bytes:
    envelope = json.loads(EXAMPLE)
    envelope["uplink_message"] |= change
    return json.dumps(envelope).encode()


WARM = sensor(value("decoded_payload.temperature", "temperature_c", unit="Cel"))
POSSIBLE = (datetime(2000, 1, 1, tzinfo=UTC), NOW + timedelta(hours=48))
RIGHT = "2026-11-21T20:00:01.790Z"


@pytest.mark.parametrize(
    ("gateways", "clock", "passed"),
    [
        (["1980-01-06T00:00:12Z", RIGHT], "20:00:01.790", 1),
        ([RIGHT, "1980-01-06T00:00:12Z"], "20:00:01.790", 1),
        (["1980-01-06T00:00:12Z"], "20:00:01.806", 1),
        (["2028-01-01T00:00:00Z"], "20:00:01.806", 1),
        (["yesterday", "2026-11-21T21:00:01"], "20:00:01.806", 2),
        (["", None], "20:00:01.806", 0),
        # both can be, and only one of them is
        (["2026-08-01T00:00:00Z", RIGHT], "20:00:01.790", 1),
        # ahead of the network server that heard it from this gateway
        (["2026-11-22T07:00:00Z"], "20:00:01.806", 1),
        # GPS that lost 1024 weeks
        (["2007-04-07T20:00:01Z"], "20:00:01.806", 1),
    ],
)
def test_gateway_whose_clock_is_wrong_is_passed_over(
    gateways: list[str | None], clock: str, passed: int
) -> None:
    payload = uplink(rx_metadata=[{"time": stamp} for stamp in gateways])
    records = decode(TOPIC, payload, NOW)
    found = readings_of(records, WARM, received_at=NOW, possible=POSSIBLE)
    (reading,) = found.readings
    assert reading.time == datetime.fromisoformat(f"2026-11-21T{clock}+00:00")
    assert len(found.passed_over) == passed
    assert {taken for _, _, taken in found.passed_over} <= {
        "rx_metadata.time",
        "uplink_message.received_at",
    }


def test_gateway_that_kept_an_uplink_for_days_is_believed() -> None:
    payload = uplink(rx_metadata=[{"time": "2026-11-18T20:00:00Z"}])
    found = readings_of(
        decode(TOPIC, payload, NOW), WARM, received_at=NOW, possible=POSSIBLE
    )
    assert found.readings[0].time == NOW - timedelta(days=3)
    assert not found.passed_over


def test_time_stays_what_it_is_where_every_source_is_wrong() -> None:
    envelope = json.loads(EXAMPLE) | {"received_at": None}
    wrong = {"rx_metadata": [{"time": "1980-01-06T00:00:12Z"}], "received_at": None}
    envelope["uplink_message"] |= wrong
    records = decode(TOPIC, json.dumps(envelope).encode(), NOW)
    found = readings_of(records, WARM, received_at=NOW, possible=POSSIBLE)
    assert found.readings[0].time.year == 1980  # and is then too old


def test_device_whose_clock_is_not_set_is_passed_over() -> None:
    payload = uplink(decoded_payload={"temperature": 4.1, "at": 12})
    to = sensor(
        value("decoded_payload.temperature", "temperature_c"),
        profile=Profile(times=(TimeField(field="decoded_payload.at", unit="s"),)),
    )
    records = decode(TOPIC, payload, NOW)
    found = readings_of(records, to, received_at=NOW, possible=POSSIBLE)
    assert [(r.time.year, r.time_origin) for r in found.readings] == [(2026, NETWORK)]
    assert [name for name, _, _ in found.passed_over] == ["decoded_payload.at"]


@pytest.mark.parametrize("inside", [True, False])
def test_uplink_that_is_simulated_is_no_reading(inside: bool) -> None:
    envelope = json.loads(EXAMPLE)
    (envelope["uplink_message"] if inside else envelope)["simulated"] = True
    with pytest.raises(Unusable) as refused:
        decode(TOPIC, json.dumps(envelope).encode(), NOW)
    assert refused.value.reason == "simulated"


def test_frame_without_anything_for_the_application_holds_no_reading() -> None:
    assert decode(TOPIC, b'{"uplink_message": {"f_cnt": 7}}', NOW) == []


def test_other_messages_of_a_webhook_have_no_reading() -> None:
    assert decode("webhook", b'{"join_accept": {"session_key_id": "x"}}', NOW) == []
    with pytest.raises(Unusable, match="uplink_message"):
        decode("webhook", b"{}", NOW)


def test_many_gateways_with_wrong_clocks_take_no_time() -> None:
    wrong = [
        {"time": f"19{number % 100:02}-01-06T00:00:12Z"} for number in range(9_000)
    ]
    records = decode(TOPIC, uplink(rx_metadata=wrong), NOW)
    began = time.process_time()
    found = readings_of(records, WARM, received_at=NOW, possible=POSSIBLE)
    assert time.process_time() - began < 2
    assert {name for name, _, _ in found.passed_over} == {"rx_metadata.time"}
