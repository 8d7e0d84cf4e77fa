"""ChirpStack v4: LoRaWAN uplinks, decoded by a codec of the network server.

Topic `application/{application}/device/{devEui}/event/{event}`. Only `up` holds
readings; other events (`join`, `status`, `log`, …) are counted and left.

- Fields: `object.…` is what the codec made, by path; `f_port`, `f_cnt`, and of the
  gateway that heard best `rssi` and `snr`.
- Fields that are 0 or false are left out by ChirpStack: a missing `fCnt` is 0. Fields
  inside of `object` are not: one that is absent is unknown.
- Time: of the first gateway that tells its own, else the network server's.
- Sequence: `fCnt`.
- Without a codec there is no `object`, and the message is kept as `no-decoded-object`.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats import NETWORK
from ingest.formats.record import Record, Value, flatten, read_json
from ingest.reasons import Unusable
from verkehrspuls.wire import Moment

EXAMPLES: Final = (
    (
        "application/1/device/0101010101010101/event/up",
        b"""{"deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
 "time": "2026-11-21T20:00:01.823500726+00:00",
 "deviceInfo": {"deviceName": "Zaehler Schillerplatz", "devEui": "0101010101010101"},
 "fCnt": 1207, "fPort": 14, "data": "vgEEAAEAAg==",
 "object": {"people_in": 12, "people_out": 9, "battery_mv": 3600},
 "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -36, "snr": 10.5,
             "gwTime": "2026-11-21T20:00:01.790000+00:00"}]}""",
    ),
)


class Reception(msgspec.Struct, frozen=True, rename="camel"):
    """How a gateway heard the uplink."""

    gw_time: Moment | None = None
    #: the same, as older versions call it
    time: Moment | None = None
    rssi: float | None = None
    snr: float | None = None


class Uplink(msgspec.Struct, frozen=True, rename="camel"):
    """The event `up`."""

    time: Moment | None = None
    f_cnt: int = 0
    f_port: int = 0
    object: dict[str, Any] | None = None
    rx_info: list[Reception] = []


_uplink: Final = msgspec.json.Decoder(Uplink)


def decode(topic: str, payload: bytes, _received_at: datetime) -> list[Record]:
    """Decode an event."""
    _, is_event, event = topic.rpartition("/event/")
    if is_event and event != "up":
        return []
    uplink = read_json(_uplink, payload)
    if uplink.object is None:
        raise Unusable("no-decoded-object", f"fPort = {uplink.f_port}")
    fields = flatten(uplink.object, "object")
    fields |= {"f_port": uplink.f_port, "f_cnt": uplink.f_cnt}
    fields |= best_reception(uplink.rx_info)
    told = (heard.gw_time or heard.time for heard in uplink.rx_info)
    time = next(filter(None, told), uplink.time)
    return [Record(time, fields, NETWORK, seq=uplink.f_cnt)]


def best_reception(receptions: list[Any]) -> dict[str, Value]:
    """Tell signal strength (dBm) and signal to noise (dB) of the best reception."""
    known = [heard for heard in receptions if heard.rssi is not None]
    if not known:
        return {}
    best = max(known, key=lambda heard: heard.rssi)
    return {"rssi": best.rssi, "snr": best.snr}
