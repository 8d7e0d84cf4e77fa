"""The Things Stack v3 (The Things Network): LoRaWAN uplinks, decoded by its formatter.

Topic `v3/{application}@{tenant}/devices/{device}/up`. Only `up` has readings; other
kinds (`join`, `down/…`, `service/…`, `location/…`) are counted and ignored.

- Fields: `decoded_payload.…` by path, `normalized_payload.0.…` if there is one;
  `f_port`, `f_cnt`, and `rssi` and `snr` of the gateway with the best reception.
- The server leaves out fields that are 0, false or empty: a missing `f_cnt` is 0. It
  keeps all fields inside of `decoded_payload`: a missing one is unknown.
- Time: of the first gateway that sends its own time, else of receipt by the network
  server. An implausible time is skipped, which is recorded with the sensor.
- No device has sent an uplink that is `simulated`: it is kept as `simulated`, and is
  not a reading. A frame without data for the application is counted and ignored.
- Sequence: `f_cnt`. A frame that arrives again with its number is a repetition, even
  with another time, unless the device has joined again (`session_key_id`, else
  `dev_addr`).
- The server publishes at quality of service 0: messages lost on the way are not
  repeated. If that matters, let it use a webhook as well.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats import NETWORK
from ingest.formats.network import best_reception, heard_at
from ingest.formats.record import (
    Format,
    Network,
    Record,
    flatten,
    read_json,
    stamp,
    usable,
)
from ingest.reasons import Unusable
from verkehrspuls.text import mark as _

EXAMPLES: Final = (
    (
        "v3/stadt@ttn/devices/parkplatz-1/up",
        b"""{"end_device_ids": {"device_id": "parkplatz-1"},
 "received_at": "2026-11-21T20:00:02.010Z",
 "uplink_message": {"f_port": 1, "frm_payload": "AQ==",
  "decoded_payload": {"temperature": 4.1, "bicycles": 7},
  "rx_metadata": [{"gateway_ids": {"gateway_id": "rathaus"},
                   "time": "2026-11-21T20:00:01.790Z", "rssi": -92, "snr": 7.5}],
  "received_at": "2026-11-21T20:00:01.806Z"}}""",
    ),
)


class Reception(msgspec.Struct, frozen=True):
    """The reception of the uplink by one gateway."""

    time: Any = None
    rssi: float | None = None
    snr: float | None = None


class Device(msgspec.Struct, frozen=True):
    """The sender."""

    device_id: str = ""
    #: changes when the device joins
    dev_addr: str = ""


class UplinkMessage(msgspec.Struct, frozen=True):
    """The message of the device."""

    f_port: int = 0
    f_cnt: int = 0
    #: session of the device; better than `dev_addr`
    session_key_id: str = ""
    decoded_payload: dict[str, Any] | None = None
    normalized_payload: Any = None
    #: receptions; unreadable ones are left out
    rx_metadata: Any = None
    received_at: Any = None
    frm_payload: Any = None
    simulated: bool = False


class Uplink(msgspec.Struct, frozen=True):
    """A message of kind `up`."""

    uplink_message: UplinkMessage | None = None
    end_device_ids: Device = Device()
    received_at: Any = None
    #: created in the console, not sent by a device
    simulated: bool = False
    # other kinds of messages
    join_accept: Any = None
    downlink_ack: Any = None
    downlink_nack: Any = None
    downlink_sent: Any = None
    downlink_failed: Any = None
    downlink_queued: Any = None
    downlink_queue_invalidated: Any = None
    location_solved: Any = None
    service_data: Any = None


_uplink: Final = msgspec.json.Decoder(Uplink)
#: Name of the field of an uplink.
UPLINK_FIELD: Final = "uplink_message"
_OTHER_KINDS: Final = Uplink.__struct_fields__[4:]


def decode(topic: str, payload: bytes, _received_at: datetime) -> list[Record]:
    """Decode a message of the application server."""
    parts = topic.split("/")
    if len(parts) > 4 and parts[0] == "v3" and parts[2] == "devices":
        kind = parts[4:]
        if kind != ["up"]:
            return []
    envelope = read_json(_uplink, payload)
    uplink = envelope.uplink_message
    if uplink is None:
        if any(getattr(envelope, kind) is not None for kind in _OTHER_KINDS):
            return []
        raise Unusable("unreadable", _("the field {} is missing"), UPLINK_FIELD)
    if simulated := envelope.simulated or uplink.simulated:
        raise Unusable("simulated", f"simulated = {simulated}")
    if uplink.decoded_payload is None and not uplink.normalized_payload:
        if not uplink.f_port and not uplink.frm_payload:
            return []  # a frame for the network only
        raise Unusable("no-decoded-object", f"f_port = {uplink.f_port}")
    fields = flatten(uplink.decoded_payload or {}, "decoded_payload")
    fields |= flatten(uplink.normalized_payload or [], "normalized_payload")
    fields |= {"f_port": uplink.f_port, "f_cnt": uplink.f_cnt}
    receptions = usable(uplink.rx_metadata, Reception)
    fields |= best_reception(receptions)
    stamps = heard_at(
        [stamp("rx_metadata.time", heard.time) for heard in receptions],
        [
            stamp("uplink_message.received_at", uplink.received_at),
            stamp("received_at", envelope.received_at),
        ],
    )
    time = stamps[0].time if stamps else None
    device = envelope.end_device_ids
    session = f"{device.device_id}/{uplink.session_key_id or device.dev_addr}"
    return [
        Record(time, fields, NETWORK, seq=uplink.f_cnt, session=session, stamps=stamps)
    ]


def _payload(
    *, ids: Mapping[str, str], fields: Mapping[str, Any], port: int, time: datetime
) -> bytes:
    at = time.isoformat()
    return msgspec.json.encode(
        {
            "end_device_ids": {"device_id": ids["device_id"]},
            "received_at": at,
            "uplink_message": {
                "f_port": port,
                "f_cnt": 1207,
                "frm_payload": "AQ==",
                "decoded_payload": fields,
                "rx_metadata": [{"time": at, "rssi": -92, "snr": 7.5}],
                "received_at": at,
            },
        }
    )


def _opened(payload: bytes) -> tuple[Mapping[str, Any], int]:
    try:
        uplink = read_json(_uplink, payload).uplink_message or UplinkMessage()
    except Unusable:
        return {}, 0
    return uplink.decoded_payload or {}, uplink.f_port


FORMATS: Final = (
    Format(
        name="ttn-v3",
        decode=decode,
        device_levels=(3,),
        network=Network(
            topic="v3/+/devices/{device_id}/+",
            uplink_topic="v3/stadt@ttn/devices/{device_id}/up",
            fields="decoded_payload",
            payload=_payload,
            opened=_opened,
        ),
    ),
)
