"""The simulated towns: their registration, and the behaviour of their streets.

`towns/<key>.toml` is an ordinary registration file. `behaviour/<key>.toml` holds the
simulator's own data: demand, capacities, backgrounds. Its keys are those of sites and
channels in the registration.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from verkehrspuls.errors import BadFile
from verkehrspuls.files import read_bytes
from verkehrspuls.model import Channel, Installation, Sensor, Site, Town

HERE: Final = Path(__file__).parent

T = TypeVar("T")


class Stream(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The demand of one counting channel."""

    #: mean count of a day over an ordinary year without events
    daily: float
    #: a key of `demand.PROFILES`
    profile: str
    #: share of heavy vehicles (SV) over the day
    heavy: float = 0.0


class Street(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How traffic behaves at a counting site."""

    streams: dict[str, Stream]
    #: speed of a free vehicle; 0 where no speeds are measured
    free_speed_kmh: float = 0.0
    #: standard deviation of single speeds
    spread_kmh: float = 7.0
    #: capacity of a lane in veh/h
    capacity: float = 900.0
    #: what the site's sensor reports besides counts
    histogram: bool = False
    occupancy: bool = False
    #: sites of one corridor see the same incident
    corridor: str = ""
    #: position along the corridor, rising in its forward direction
    km: float = 0.0


class Station(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The surroundings of an environment station."""

    #: key of the counting site whose traffic it measures
    traffic: str
    distance_m: float
    #: urban background, yearly means in µg/m³ and dB(A)
    no2: float = 10.0
    pm10: float = 14.0
    laeq: float = 42.0


class Gauge(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer of a river to rain."""

    mean_cm: float
    #: standard deviation of slow changes that come from afar
    afar_cm: float
    #: rise at the peak after 1 mm of rain in one hour
    rise_cm_mm: float
    #: time from rain to peak
    delay_h: float


class Behaviour(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The simulator's own data of a town."""

    altitude_m: float
    #: by corridor, the direction of rising kilometres
    corridors: dict[str, str] = {}
    streets: dict[str, Street] = {}
    stations: dict[str, Station] = {}
    gauges: dict[str, Gauge] = {}


@dataclass(frozen=True)
class SimulatedTown:
    """A town with its behaviour."""

    town: Town
    behaviour: Behaviour

    @property
    def key(self) -> str:
        """The municipality's key."""
        return self.town.key

    def site(self, key: str) -> Site:
        """Return the site of a key."""
        return next(site for site in self.town.sites if site.key == key)

    def sensor(self, key: str) -> Sensor:
        """Return the sensor of a key."""
        return next(sensor for sensor in self.town.sensors if sensor.key == key)

    def channel(self, installation: Installation) -> Channel:
        """Return the channel that an installation feeds."""
        site = self.site(installation.site)
        return next(c for c in site.channels if c.key == installation.channel)

    def lanes(self, site: str, direction: str) -> tuple[str, ...]:
        """Keys of the channels of a site in a direction; all for an empty one."""
        return tuple(
            channel.key
            for channel in self.site(site).channels
            if not direction or channel.direction == direction
        )


@cache
def load_towns() -> tuple[SimulatedTown, ...]:
    """Read all towns, ordered by key."""
    return tuple(
        SimulatedTown(read(path, Town), read(HERE / "behaviour" / path.name, Behaviour))
        for path in sorted((HERE / "towns").glob("*.toml"))
    )


def read(path: Path, kind: type[T]) -> T:
    """Read a TOML file as a record; raise `BadFile` with what is wrong in it."""
    try:
        return msgspec.toml.decode(read_bytes(path, format="TOML"), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadFile(path=path, format="TOML", reason=error) from error
