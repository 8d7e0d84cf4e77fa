"""The Things Stack v3 (The Things Network): LoRaWAN uplinks, decoded by its formatter.

Topic `v3/{application}@{tenant}/devices/{device}/up`. Only `up` holds readings; other
kinds (`join`, `down/…`, `service/…`, `location/…`) are counted and left.

- Fields: `decoded_payload.…` by path, `normalized_payload.0.…` where there is one;
  `f_port`, `f_cnt`, and of the gateway that heard best `rssi` and `snr`.
- Fields that are 0, false or empty are left out by the server: a missing `f_cnt` is 0.
  Fields inside of `decoded_payload` are not: one that is absent is unknown.
- Time: of the first gateway that tells its own, else when the network server received.
- Sequence: `f_cnt`.
- The server publishes at quality of service 0: it does not repeat what is lost on the
  way. Where that matters, let it use a webhook as well.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats import NETWORK
from ingest.formats.chirpstack_v4 import best_reception
from ingest.formats.record import Record, flatten, read_json
from ingest.reasons import Unusable
from verkehrspuls.wire import Moment

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

    time: Moment | None = None
    rssi: float | None = None
    snr: float | None = None


class UplinkMessage(msgspec.Struct, frozen=True):
    """What the device sent."""

    f_port: int = 0
    f_cnt: int = 0
    decoded_payload: dict[str, Any] | None = None
    normalized_payload: list[dict[str, Any]] = []
    rx_metadata: list[Reception] = []
    received_at: Moment | None = None


class Uplink(msgspec.Struct, frozen=True):
    """A message of kind `up`."""

    uplink_message: UplinkMessage
    received_at: Moment | None = None


_uplink: Final = msgspec.json.Decoder(Uplink)


def decode(topic: str, payload: bytes, _received_at: datetime) -> list[Record]:
    """Decode a message of the application server."""
    parts = topic.split("/")
    if len(parts) > 4 and parts[0] == "v3" and parts[2] == "devices":
        kind = parts[4:]
        if kind != ["up"]:
            return []
    envelope = read_json(_uplink, payload)
    uplink = envelope.uplink_message
    if uplink.decoded_payload is None and not uplink.normalized_payload:
        raise Unusable("no-decoded-object", f"f_port = {uplink.f_port}")
    fields = flatten(uplink.decoded_payload or {}, "decoded_payload")
    fields |= flatten(uplink.normalized_payload, "normalized_payload")
    fields |= {"f_port": uplink.f_port, "f_cnt": uplink.f_cnt}
    fields |= best_reception(uplink.rx_metadata)
    told = (heard.time for heard in uplink.rx_metadata if heard.time is not None)
    time = next(told, uplink.received_at or envelope.received_at)
    return [Record(time, fields, NETWORK, seq=uplink.f_cnt)]
