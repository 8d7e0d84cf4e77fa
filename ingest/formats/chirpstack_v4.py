"""ChirpStack v4: LoRaWAN uplinks, decoded by a codec of the network server.

Topic `application/{application}/device/{devEui}/event/{event}`. Only `up` has readings;
other events (`join`, `status`, `log`, …) are counted and ignored.

- Fields: `object.…` is the output of the codec, by path; `f_port`, `f_cnt`, and `rssi`
  and `snr` of the gateway with the best reception.
- ChirpStack leaves out fields that are 0 or false: a missing `fCnt` is 0. It keeps all
  fields inside of `object`: a missing one is unknown.
- Time: of the first gateway that sends its own time, else of the network server. An
  implausible time is skipped, which is recorded with the sensor.
- Sequence: `fCnt`. A frame that arrives again with its number is a repetition, even
  with another time, unless the device has joined again (`devAddr`).
- Without a codec there is no `object`, and the message is kept as `no-decoded-object`.
  A frame without data for the application is counted and ignored.
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
    """The reception of the uplink by one gateway."""

    gw_time: Any = None
    #: its name in older versions
    time: Any = None
    rssi: float | None = None
    snr: float | None = None


class Device(msgspec.Struct, frozen=True, rename="camel"):
    """The sender."""

    dev_eui: str = ""


class Uplink(msgspec.Struct, frozen=True, rename="camel"):
    """An event `up`."""

    device_info: Device = Device()
    #: changes when the device joins
    dev_addr: str = ""
    time: Any = None
    f_cnt: int = 0
    f_port: int = 0
    data: Any = None
    object: dict[str, Any] | None = None
    #: receptions; unreadable ones are left out
    rx_info: Any = None


_uplink: Final = msgspec.json.Decoder(Uplink)


def decode(topic: str, payload: bytes, _received_at: datetime) -> list[Record]:
    """Decode an event."""
    _, is_event, event = topic.rpartition("/event/")
    if is_event and event != "up":
        return []
    uplink = read_json(_uplink, payload)
    if uplink.object is None and not uplink.f_port and not uplink.data:
        return []  # a frame for the network only
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
    stamps = heard_at(gateways, [stamp("time", uplink.time)])
    time = stamps[0].time if stamps else None
    session = f"{uplink.device_info.dev_eui}/{uplink.dev_addr}"
    return [
        Record(time, fields, NETWORK, seq=uplink.f_cnt, session=session, stamps=stamps)
    ]


def _payload(
    *, ids: Mapping[str, str], fields: Mapping[str, Any], port: int, time: datetime
) -> bytes:
    at = time.isoformat()
    return msgspec.json.encode(
        {
            "time": at,
            "deviceInfo": {"devEui": ids["dev_eui"]},
            "fCnt": 1207,
            "fPort": port,
            "data": "AQ==",
            "object": fields,
            "rxInfo": [{"gwTime": at, "rssi": -92, "snr": 7.5}],
        }
    )


def _opened(payload: bytes) -> tuple[Mapping[str, Any], int]:
    try:
        uplink = read_json(_uplink, payload)
    except Unusable:
        return {}, 0
    return uplink.object or {}, uplink.f_port


FORMATS: Final = (
    Format(
        name="chirpstack-v4",
        decode=decode,
        device_levels=(3,),
        network=Network(
            topic="application/+/device/{dev_eui}/event/+",
            uplink_topic="application/1/device/{dev_eui}/event/up",
            fields="object",
            payload=_payload,
            opened=_opened,
        ),
    ),
)
