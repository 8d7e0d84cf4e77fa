"""Uplinks of The Things Stack v3."""

import json
from datetime import UTC, datetime

import pytest

from ingest.formats import NETWORK, EnvironmentReading
from ingest.formats.ttn_v3 import EXAMPLES, decode
from ingest.reasons import Unusable
from tests.unit.formats import NOW, readings, sensor, value

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
    ("gone", "time"),
    [("rx_metadata", "20:00:01.806"), ("received_at", "20:00:02.010")],
)
def test_time_falls_back_to_the_servers(gone: str, time: str) -> None:
    envelope = json.loads(EXAMPLE)
    del envelope["uplink_message"]["rx_metadata"]
    envelope["uplink_message"].pop(gone, None)
    (record,) = decode(TOPIC, json.dumps(envelope).encode(), NOW)
    assert record.time == datetime.fromisoformat(f"2026-11-21T{time}+00:00")


@pytest.mark.parametrize(
    "kind", ["join", "down/sent", "service/data", "location/solved"]
)
def test_other_messages_hold_no_readings(kind: str) -> None:
    assert decode(TOPIC.removesuffix("up") + kind, b"{}", NOW) == []


def test_message_without_formatter_is_told() -> None:
    with pytest.raises(Unusable) as refused:
        decode(TOPIC, b'{"uplink_message": {"f_port": 1, "frm_payload": "AQ=="}}', NOW)
    assert refused.value.reason == "no-decoded-object"
