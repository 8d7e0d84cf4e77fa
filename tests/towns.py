"""A small town for tests: one counting sensor with two outputs, one station.

And towns, corridors and junctions of which a test names only what it is about.
"""

from datetime import UTC, datetime
from typing import Any, Literal

from verkehrspuls.model import (
    Arm,
    Channel,
    Corridor,
    Installation,
    Junction,
    Sensor,
    Site,
    Station,
    Town,
)
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import connect

SINCE = datetime(2000, 1, 1, tzinfo=UTC)

#: a lane in each direction
LANES = (
    Channel(key="in", name="einwärts", quantity="motor", direction="in"),
    Channel(key="out", name="auswärts", quantity="motor", direction="out"),
)


def counter(
    key: str,
    name: str,
    site: str,
    *,
    channels: tuple[str, ...] = ("in", "out"),
    interval_s: int = 300,
) -> Sensor:
    """Return a sensor that counts on channels of a site, as its outputs 1, 2, …"""
    return Sensor(
        key=key,
        name=name,
        interval_s=interval_s,
        class_scheme="tls-8+1",
        installations=tuple(
            Installation(site=site, channel=channel, output=str(output), since=SINCE)
            for output, channel in enumerate(channels, 1)
        ),
    )


def air_sensor(key: str, name: str, site: str, channel: str, quantity: str) -> Sensor:
    """Return a sensor that measures one quantity every ten minutes."""
    return Sensor(
        key=key,
        name=name,
        interval_s=600,
        installations=(
            Installation(site=site, channel=channel, output=quantity, since=SINCE),
        ),
    )


TOWN = Town(
    key="kusel",
    name="Landkreis Kusel",
    state="RP",
    latitude=49.54,
    longitude=7.40,
    sites=(
        Site(
            key="b420",
            name="B 420 Ortsdurchfahrt",
            latitude=49.53,
            longitude=7.41,
            road="B 420",
            speed_limit_kmh=50,
            channels=(
                *LANES,
                Channel(key="no2", name="NO₂", quantity="no2_ugm3"),
            ),
        ),
    ),
    sensors=(
        counter("camera-1", "Kamera 1", site="b420"),
        air_sensor("air-1", "Luft 1", "b420", "no2", "no2_ugm3"),
    ),
)
COUNTS_TOPIC = "vp/v1/kusel/camera-1/counts"
AIR_TOPIC = "vp/v1/kusel/air-1/environment"


def linz(*sites: Site, **more: Any) -> Town:
    """Return the town Linz, which has no sensors unless they are among `more`."""
    return Town(
        **{"key": "linz", "name": "Linz", "state": "RP", "sensors": ()} | more,
        sites=sites,
    )


def corridor(key: str, *stations: tuple[str, str, float], name: str = "") -> Corridor:
    """Return a corridor of stations: site, direction and chainage in m."""
    return Corridor(
        key=key,
        name=name or key,
        stations=tuple(
            Station(site=site, direction=direction, chainage_m=chainage_m)
            for site, direction, chainage_m in stations
        ),
    )


def junction(
    key: str, *arms: tuple[str, str, Literal["in", "out"]], name: str = ""
) -> Junction:
    """Return a junction of arms: site, direction and where it leads."""
    return Junction(
        key=key,
        name=name or key,
        arms=tuple(
            Arm(site=site, direction=direction, leads=leads)
            for site, direction, leads in arms
        ),
    )


def build(url: str) -> None:
    """Register the town in a migrated database."""
    with connect(url) as connection:
        register(connection, TOWN)
