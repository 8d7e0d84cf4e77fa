"""A registration with something in each field, for tests of files."""

from datetime import UTC, datetime
from typing import Any

from verkehrspuls.model import (
    Arm,
    Channel,
    Corridor,
    Installation,
    Junction,
    Mapping,
    Profile,
    Sensor,
    Site,
    Station,
    TimeField,
    Town,
)

SINCE = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
#: an hour that the clock of the town has twice
TWICE = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def site(number: int, **fields: Any) -> Site:
    """Return a site with two channels that count."""
    return Site(
        key=f"s{number}",
        name=f"Straße {number}",
        latitude=49.4 + number % 50 / 1000,
        longitude=7.7 + number // 50 % 50 / 1000,
        channels=tuple(
            Channel(key=way, name=way, quantity="motor", direction=way)
            for way in ("in", "out")
        ),
        **fields,
    )


def sensor(number: int, **fields: Any) -> Sensor:
    """Return a sensor with two outputs at the site of its number."""
    return Sensor(
        key=f"d{number}",
        name=f"Gerät {number}",
        interval_s=60,
        class_scheme="total",
        installations=tuple(
            Installation(site=f"s{number}", channel=way, output=way, since=SINCE)
            for way in ("in", "out")
        ),
        **fields,
    )


def town(number: int, **fields: Any) -> Town:
    """Return a town with a number of sites and sensors."""
    return Town(
        key="musterstadt",
        name="Musterstadt",
        state="RP",
        sites=tuple(map(site, range(number))),
        sensors=tuple(map(sensor, range(number))),
        **fields,
    )


GAUGE = Sensor(
    key="pegel",
    name=" 1e5",
    serial="0042",
    interval_s=600,
    payload_format="chirpstack-v4",
    topic="+/device/x/event/up",
    profile=Profile(times=(TimeField(field="t"),), sentinels={"*": (999.0,)}),
    installations=(
        Installation(
            site="s0",
            channel="pegel",
            output="no",
            since=TWICE,
            until=datetime(2026, 12, 1, 12, 0, 1, 5, tzinfo=UTC),
            mapping=Mapping(field="object.level", unit="m", factor=1.5),
        ),
    ),
)


def whole() -> Town:
    """Return a town with something in each kind of entry, and awkward texts."""
    found = town(2, licence="=HYPERLINK(1)", latitude=49.4, longitude=7.7)
    first, second = found.sites
    level = Channel(
        key="pegel",
        name="'Pegel' \"a\"; b, c",
        quantity="water_level_cm",
        thresholds={"Meldestufe 1": 300.0, "-2": 0.5},
    )
    return Town(
        **{name: getattr(found, name) for name in ("key", "name", "state", "licence")},
        latitude=found.latitude,
        longitude=found.longitude,
        simulated=True,
        sites=(
            Site(
                key="s0",
                name="-Straße\u00a0",
                road="true",
                place="2026-01-01",
                latitude=49.400999999999996,
                longitude=7.7,
                speed_limit_kmh=50,
                status="planned",
                channels=(*first.channels, level),
            ),
            second,
            Site(key="leer", name="no", visibility="private"),
        ),
        sensors=(*found.sensors, GAUGE, Sensor(key="lager", name="~", interval_s=60)),
        corridors=(
            Corridor(
                key="c",
                name="C",
                stations=(
                    Station(site="s1", direction="in", chainage_m=0.0),
                    Station(site="s0", direction="in", chainage_m=1200.5),
                ),
            ),
        ),
        junctions=(
            Junction(
                key="j",
                name="@J",
                arms=(
                    Arm(site="s0", direction="in", leads="in"),
                    Arm(site="s1", direction="out", leads="out"),
                ),
            ),
        ),
    )
