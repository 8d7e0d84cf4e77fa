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
                Channel(key="in", name="einwärts", quantity="motor", direction="in"),
                Channel(key="out", name="auswärts", quantity="motor", direction="out"),
                Channel(key="no2", name="NO₂", quantity="no2_ugm3"),
            ),
        ),
    ),
    sensors=(
        Sensor(
            key="camera-1",
            name="Kamera 1",
            interval_s=300,
            class_scheme="tls-8+1",
            installations=(
                Installation(site="b420", channel="in", output="1", since=SINCE),
                Installation(site="b420", channel="out", output="2", since=SINCE),
            ),
        ),
        Sensor(
            key="air-1",
            name="Luft 1",
            interval_s=600,
            installations=(
                Installation(
                    site="b420", channel="no2", output="no2_ugm3", since=SINCE
                ),
            ),
        ),
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
