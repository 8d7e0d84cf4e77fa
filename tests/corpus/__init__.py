"""Bad input: payloads with what becomes of them; see cases.toml."""

import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests.towns import COUNTS_TOPIC, SINCE, TOWN, air_sensor
from verkehrspuls.model import (
    Channel,
    Installation,
    Mapping,
    Profile,
    Sensor,
    TimeField,
    Town,
)

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One case; the keys are those of cases.toml."""

    name: str
    outcome: Literal["stored", "ignored", "rejected", "partly"]
    rows: int
    topic: str = COUNTS_TOPIC
    topic_bytes: int | None = None
    messages: int | None = None
    build: list[dict[str, Any]] = field(default_factory=list)
    reason: str | None = None
    refused: int = 0
    retain: bool = False
    fixed_clock: bool = False
    broker: dict[str, str] = field(default_factory=dict)
    car: int | None = None
    value: float | None = None
    origin: int | None = None
    time: str | None = None
    hint: str = ""
    note: str = ""

    def payloads(self) -> list[bytes]:
        """The messages to send, in order."""
        if self.build:
            return ["".join(map(_part, self.build)).encode()]
        numbers = range(1, (self.messages or 0) + 1)
        names = [f"{self.name}.{number}.bin" for number in numbers]
        return [(FOLDER / name).read_bytes() for name in names or [f"{self.name}.bin"]]

    def topics(self) -> str:
        """The topic, filled up where its length matters."""
        return self.topic.ljust(self.topic_bytes or 0, "x")

    def passes(self, broker: str) -> bool:
        """Whether a broker delivers it."""
        return not self.broker.keys() & {broker, "all"}


def _part(part: dict[str, Any]) -> str:
    text, times = part["text"], part["times"]
    if "{i}" not in text and "{hh}" not in text:
        return str(part.get("between", "").join([text] * times))
    return str(part.get("between", "")).join(
        text.replace("{i}", str(i))
        .replace("{hh}", f"{i // 12:02}")
        .replace("{mm}", f"{i % 12 * 5:02}")
        for i in range(times)
    )


def cases() -> list[Case]:
    """All cases."""
    found = tomllib.loads((FOLDER / "cases.toml").read_text("utf-8"))["case"]
    return [Case(**each) for each in found]


def _sensor(
    key: str, payload_format: str, field: str, profile: Profile, *, kind: str = "SENSOR"
) -> Sensor:
    channel = "level" if payload_format == "scalar" else "air"
    return Sensor(
        key=key,
        name=key,
        payload_format=payload_format,
        topic=f"vp/v1/kusel/{key}/{kind}",
        interval_s=300,
        profile=profile,
        installations=(
            Installation(
                site="b420",
                channel=f"{channel}-{key}",
                output="value",
                since=SINCE,
                mapping=Mapping(field=field),
            ),
        ),
    )


_STATION = Profile(
    times=(TimeField(field="Time", zone="Europe/Berlin"),),
    sentinels={"DS18B20.Temperature": (85.0, -127.0)},
)
#: Under native topics but for the last level, which brokers deliver to the worker as
#: they are set up.
_FOREIGN = (
    *(
        _sensor(key, "scalar", "value", Profile(receipt_time=True), kind="raw")
        for key in ("level-1", "level-2")
    ),
    _sensor("pack-1", "senml-cbor", "temp", Profile(), kind="raw"),
    _sensor("station-1", "tasmota", "DS18B20.Temperature", _STATION),
    *(
        _sensor(
            f"epoch-{unit}",
            "tasmota",
            "DS18B20.Temperature",
            Profile(times=(TimeField(field="ts", unit=unit),)),
        )
        for unit in ("s", "ms", "us", "ns")
    ),
)
_WEATHER = air_sensor("weather-1", "Wetter 1", "b420", "temperature", "temperature_c")


def town() -> Town:
    """The town that the corpus is sent to."""
    (site,) = TOWN.sites
    channels = [
        *site.channels,
        Channel(key="temperature", name="Temperatur", quantity="temperature_c"),
        *(
            Channel(
                key=installation.channel,
                name=installation.channel,
                quantity=(
                    "water_level_cm"
                    if installation.channel.startswith("level")
                    else "temperature_c"
                ),
            )
            for sensor in _FOREIGN
            for installation in sensor.installations
        ),
    ]
    return msgspec.structs.replace(
        TOWN,
        sites=(msgspec.structs.replace(site, channels=tuple(channels)),),
        sensors=(*TOWN.sensors, _WEATHER, *_FOREIGN),
    )


def moment(text: str) -> datetime:
    """Read a time of a case."""
    return datetime.fromisoformat(text)
