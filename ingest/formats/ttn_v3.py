"""The Things Stack v3 (The Things Network): LoRaWAN uplinks, decoded by its formatter.

Topic `v3/{application}@{tenant}/devices/{device}/up`. Only `up` holds readings; other
kinds (`join`, `down/…`, `service/…`, `location/…`) are counted and left.

- Fields: `decoded_payload.…` by path, `normalized_payload.0.…` where there is one;
  `f_port`, `f_cnt`, and of the gateway that heard best `rssi` and `snr`.
- Fields that are 0, false or empty are left out by the server: a missing `f_cnt` is 0.
  Fields inside of `decoded_payload` are not: one that is absent is unknown.
- Time: of the first gateway that tells its own, else when the network server received.
  One that cannot be right is passed over, and that is noted with the sensor.
- An uplink that is `simulated` was sent by no device: it is kept as `simulated`, and is
  no reading. A frame that holds nothing for the application is counted and left.
- Sequence: `f_cnt`. A frame that comes again under its number is a repeat, also with
  another time, as long as the device has not joined anew (`session_key_id`, else
  `dev_addr`).
- The server publishes at quality of service 0: it does not repeat what is lost on the
  way. Where that matters, let it use a webhook as well.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats import NETWORK
from ingest.formats.network import best_reception, heard_at
from ingest.formats.record import Format, Record, flatten, read_json, stamp, usable
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
    """How a gateway heard the uplink."""

    time: Any = None
    rssi: float | None = None
    snr: float | None = None


class Device(msgspec.Struct, frozen=True):
    """Who sent it."""

    device_id: str = ""
    #: given anew when the device joins
    dev_addr: str = ""


class UplinkMessage(msgspec.Struct, frozen=True):
    """What the device sent."""

    f_port: int = 0
    f_cnt: int = 0
    #: the same, and better
    session_key_id: str = ""
    decoded_payload: dict[str, Any] | None = None
    normalized_payload: Any = None
    #: one that cannot be read is left out, and the others hold
    rx_metadata: Any = None
    received_at: Any = None
    frm_payload: Any = None
    simulated: bool = False


class Uplink(msgspec.Struct, frozen=True):
    """A message of kind `up`."""

    uplink_message: UplinkMessage | None = None
    end_device_ids: Device = Device()
    received_at: Any = None
    #: made by a person in the console, and sent by no device
    simulated: bool = False
    # what else the server tells of a device
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
#: the field of an uplink
UP: Final = "uplink_message"
_OTHERS: Final = Uplink.__struct_fields__[4:]


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
        if any(getattr(envelope, kind) is not None for kind in _OTHERS):
            return []
        raise Unusable("unreadable", _("the field {} is missing"), UP)
    if simulated := envelope.simulated or uplink.simulated:
        raise Unusable("simulated", f"simulated = {simulated}")
    if uplink.decoded_payload is None and not uplink.normalized_payload:
        if not uplink.f_port and not uplink.frm_payload:
            return []  # it speaks to the network only
        raise Unusable("no-decoded-object", f"f_port = {uplink.f_port}")
    fields = flatten(uplink.decoded_payload or {}, "decoded_payload")
    fields |= flatten(uplink.normalized_payload or [], "normalized_payload")
    fields |= {"f_port": uplink.f_port, "f_cnt": uplink.f_cnt}
    receptions = usable(uplink.rx_metadata, Reception)
    fields |= best_reception(receptions)
    told = heard_at(
        [stamp("rx_metadata.time", heard.time) for heard in receptions],
        [
            stamp("uplink_message.received_at", uplink.received_at),
            stamp("received_at", envelope.received_at),
        ],
    )
    time = told[0].time if told else None
    device = envelope.end_device_ids
    session = f"{device.device_id}/{uplink.session_key_id or device.dev_addr}"
    return [
        Record(time, fields, NETWORK, seq=uplink.f_cnt, session=session, stamps=told)
    ]


FORMATS: Final = (Format(name="ttn-v3", decode=decode, device_levels=(3,)),)
