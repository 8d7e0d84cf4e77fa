"""ChirpStack v4: LoRaWAN uplinks, decoded by a codec of the network server.

Topic `application/{application}/device/{devEui}/event/{event}`. Only `up` holds
readings; other events (`join`, `status`, `log`, …) are counted and left.

- Fields: `object.…` is what the codec made, by path; `f_port`, `f_cnt`, and of the
  gateway that heard best `rssi` and `snr`.
- Fields that are 0 or false are left out by ChirpStack: a missing `fCnt` is 0. Fields
  inside of `object` are not: one that is absent is unknown.
- Time: of the first gateway that tells its own, else the network server's. One that
  cannot be right is passed over, and that is noted with the sensor.
- Sequence: `fCnt`. A frame that comes again under its number is a repeat, also with
  another time, as long as the device has not joined anew (`devAddr`).
- Without a codec there is no `object`, and the message is kept as `no-decoded-object`.
  A frame that holds nothing for the application is counted and left.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from ingest.formats import NETWORK
from ingest.formats.network import best_reception, heard_at
from ingest.formats.record import Format, Record, flatten, read_json, stamp, usable
from ingest.reasons import Unusable

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

    gw_time: Any = None
    #: the same, as older versions call it
    time: Any = None
    rssi: float | None = None
    snr: float | None = None


class Device(msgspec.Struct, frozen=True, rename="camel"):
    """Who sent it."""

    dev_eui: str = ""


class Uplink(msgspec.Struct, frozen=True, rename="camel"):
    """The event `up`."""

    device_info: Device = Device()
    #: given anew when the device joins
    dev_addr: str = ""
    time: Any = None
    f_cnt: int = 0
    f_port: int = 0
    data: Any = None
    object: dict[str, Any] | None = None
    #: one that cannot be read is left out, and the others hold
    rx_info: Any = None


_uplink: Final = msgspec.json.Decoder(Uplink)


def decode(topic: str, payload: bytes, _received_at: datetime) -> list[Record]:
    """Decode an event."""
    _, is_event, event = topic.rpartition("/event/")
    if is_event and event != "up":
        return []
    uplink = read_json(_uplink, payload)
    if uplink.object is None and not uplink.f_port and not uplink.data:
        return []  # it speaks to the network only
    if uplink.object is None:
        raise Unusable("no-decoded-object", f"fPort = {uplink.f_port}")
    fields = flatten(uplink.object, "object")
    fields |= {"f_port": uplink.f_port, "f_cnt": uplink.f_cnt}
    receptions = usable(uplink.rx_info, Reception)
    fields |= best_reception(receptions)
    gateways = [
        stamp("rxInfo.gwTime", heard.gw_time) or stamp("rxInfo.time", heard.time)
        for heard in receptions
    ]
    told = heard_at(gateways, [stamp("time", uplink.time)])
    time = told[0].time if told else None
    session = f"{uplink.device_info.dev_eui}/{uplink.dev_addr}"
    return [
        Record(time, fields, NETWORK, seq=uplink.f_cnt, session=session, stamps=told)
    ]


FORMATS: Final = (Format(name="chirpstack-v4", decode=decode, device_levels=(3,)),)
