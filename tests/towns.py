"""A small town for tests: one counting sensor with two outputs, one station."""

from datetime import UTC, datetime

from verkehrspuls.model import Channel, Installation, Sensor, Site, Town
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


def build(url: str) -> None:
    """Register the town in a migrated database."""
    with connect(url) as connection:
        register(connection, TOWN)
