"""Sites, channels and municipalities as storage reads them, made in a line."""

from typing import Any

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
    }
    return Municipality(key=key, **(usual | more))
