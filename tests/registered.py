"""Sites, channels, municipalities and cases as storage reads them, made in a line."""

from datetime import UTC, datetime
from typing import Any

from verkehrspuls.cases import Case
from verkehrspuls.storage.sites import Channel, Municipality, Site


def channel(key: str = "1", **more: Any) -> Channel:
    """Return a channel of motor vehicles without direction."""
    usual: dict[str, Any] = {
        "channel_id": 1,
        "name": key,
        "quantity": "motor",
        "direction": "",
        "direction_name": "",
        "lane": None,
        "thresholds": {},
    }
    return Channel(key=key, **(usual | more))


def site(key: str = "site", **more: Any) -> Site:
    """Return a site without channels that was never heard of."""
    usual: dict[str, Any] = {
        "site_id": 1,
        "name": key,
        "road": "",
        "place": "",
        "latitude": None,
        "longitude": None,
        "speed_limit_kmh": None,
        "visibility": "public",
        "status": "active",
        "municipality": "town",
        "municipality_name": "Town",
        "state": "RP",
        "time_zone": "Europe/Berlin",
        "licence": "",
        "simulated": False,
        "imprint": "",
        "privacy": "",
        "contact": "",
        "town_latitude": None,
        "town_longitude": None,
        "channels": (),
        "last_received_at": None,
        "last_messages": None,
        "shortest_s": None,
        "longest_s": None,
        "newest_reading_at": None,
        "faults": (),
    }
    return Site(key=key, **(usual | more))


def municipality(key: str = "town", **more: Any) -> Municipality:
    """Return a municipality with a site."""
    usual: dict[str, Any] = {
        "municipality_id": 1,
        "name": key,
        "state": "RP",
        "time_zone": "Europe/Berlin",
        "licence": "",
        "simulated": False,
        "imprint": "",
        "privacy": "",
        "contact": "",
        "latitude": None,
        "longitude": None,
        "sites": 1,
        "public_sites": 1,
    }
    return Municipality(key=key, **(usual | more))


def case(number: int = 1, **more: Any) -> Case:
    """Return a suspected case of one channel."""
    at = datetime(2026, 3, 2, 11, tzinfo=UTC)
    usual: dict[str, Any] = {
        "municipality": "town",
        "site": "site",
        "site_name": "Site",
        "channel": "1",
        "channel_name": "1",
        "quantity": "motor",
        "direction": "",
        "direction_name": "",
        "detector": "unusual-volume",
        "began": at,
        "ended": at,
        "observed": None,
        "usual": None,
        "score": 5.0,
        "reason": "above-usual",
        "state": "suspected",
        "effect": "caveat",
        "severity": "low",
        "detectors": ["unusual-volume"],
        "channels": 1,
        "sites": 1,
        "opened_at": at,
        "updated_at": at,
        "withdrawn_at": None,
        "time_zone": "Europe/Berlin",
        "simulated": False,
        "open": True,
        "current": True,
        "standing": "current",
        "matching": 1,
    }
    found = usual | more
    times = {f"found_{name}": found[name] for name in ("began", "ended")}
    return Case(anomaly_case_id=number, **(times | found))
