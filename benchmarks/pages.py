"""Response times of pages and API with thousands of sites.

Every response is timed with cold caches (`…_s`), the overview once more with warm ones
(`overview_again_s`). `…_kb` is the uncompressed size.
"""

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import FastAPI
from starlette.testclient import TestClient

from benchmarks.analytics.database import empty_database
from dashboards.app import create_web
from verkehrspuls.model import Channel, Installation, Sensor, Site, Town
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage.database import Connection, connect
from verkehrspuls.storage.roles import WEB

#: share of sites in the largest town; other towns have this many sites
LARGEST_TOWN_SHARE: Final = 0.8
SMALL_TOWN_SITES: Final = 5
#: hours of ledger and figures per sensor
HOURS: Final = 24
SINCE: Final = datetime(2025, 1, 1, tzinfo=UTC)


def run(sites: int) -> dict[str, Any]:
    """Create this many sites with a sensor each, and time the pages that show them."""
    largest = max(1, round(sites * LARGEST_TOWN_SHARE))
    towns = [town(0, largest)]
    for number, first in enumerate(range(largest, sites, SMALL_TOWN_SITES), start=1):
        towns.append(town(number, min(SMALL_TOWN_SITES, sites - first)))
    with empty_database() as server:
        began = time.perf_counter()
        with connect(server.url) as connection:
            for each in towns:
                register(connection, each)
            registered = time.perf_counter() - began
            now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            fill(connection, now)
        with connect(server.url, autocommit=True) as connection:
            connection.execute("vacuum analyze")
        app = create_web(load({"VERKEHRSPULS_DATABASE__URL": server.url_of(WEB)}))
        with TestClient(app) as client:
            result: dict[str, Any] = {
                "sites": sites,
                "towns": len(towns),
                "register_s": round(registered, 3),
            }
            client.get("/de/towns/town-0")  # a server reads templates and texts once
            for name, path in _paths(now):
                result |= _timed(app, client, name, path)
        return result


def _paths(now: datetime) -> Iterator[tuple[str, str]]:
    middle = f"{now - timedelta(weeks=8):%Y-%m-%d}"
    yield "overview", "/de/"
    yield "town", "/de/towns/town-0"
    yield "small_town", "/de/towns/town-1"
    yield "site", "/de/towns/town-0/site-0"
    yield "sites_of_all", "/api/v1/sites"
    yield "sites_of_town", "/api/v1/sites?municipality=town-0"
    yield "geojson", "/api/v1/sites.geojson?municipality=town-1"
    yield (
        "ledger",
        "/api/v1/ledger?municipality=town-0&from="
        + (f"{now - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"),
    )
    yield "ranking", f"/api/v1/municipalities/town-0/ranking?middle={middle}"
    yield "metrics", "/metrics"


def _timed(
    app: FastAPI, client: TestClient, name: str, path: str
) -> dict[str, float | int]:
    found: dict[str, float | int] = {}
    for again in ("", "_again") if name == "overview" else ("",):
        if not again:
            app.state.standing = None
            app.state.remembered.clear()
        began = time.perf_counter()
        response = client.get(path)
        found[f"{name}{again}_s"] = round(time.perf_counter() - began, 3)
        found[f"{name}_status"] = response.status_code
        found[f"{name}_kb"] = round(len(response.content) / 1024)
    return found


def town(number: int, sites: int) -> Town:
    """Create a town whose sites are on a spiral, 150 m apart; towns are 20 km apart."""
    x, y = _spiral(number, 0.2)
    places = [_spiral(place, 0.0015) for place in range(sites)]
    return Town(
        key=f"town-{number}",
        name=f"Musterstadt {number}",
        state="RP",
        latitude=50 + y,
        longitude=9 + x,
        sites=tuple(
            Site(
                key=f"site-{place}",
                name=f"Musterstraße {place}",
                road=f"Musterstraße {place // 4}",
                latitude=50 + y + north,
                longitude=9 + x + east,
                channels=(Channel(key="1", name="Querschnitt", quantity="motor"),),
            )
            for place, (east, north) in enumerate(places)
        ),
        sensors=tuple(
            Sensor(
                key=f"sensor-{place}",
                name=f"Sensor {place}",
                interval_s=300,
                class_scheme="total",
                installations=(
                    Installation(
                        site=f"site-{place}", channel="1", output="1", since=SINCE
                    ),
                ),
            )
            for place in range(sites)
        ),
    )


def _spiral(number: int, step: float) -> tuple[float, float]:
    """Return points of equal density around the middle (a sunflower's pattern)."""
    away = step * math.sqrt(number)
    return away * math.cos(2.4 * number), away * math.sin(2.4 * number)


def fill(connection: Connection, now: datetime) -> None:
    """Write ledger, hours and days of all sensors, as ingest and analytics would."""
    since = now - timedelta(hours=HOURS)
    connection.execute("select ensure_range('volume', %s, %s)", [since, now])
    made = {"since": since, "until": now - timedelta(hours=1)}
    connection.execute(
        "insert into ledger select 0, sensor_id, hour, hour + interval '59 minutes',"
        " 12, 12, 0, 0, 0, 12, 12, 0, 0, 0 from sensor, generate_series("
        "%(since)s::timestamptz, %(until)s, '1 hour') as hour",
        made,
    )
    connection.execute(
        "insert into volume (channel_id, interval_s, time, observed_s, volume, total,"
        " usual, usual_spread, gap_s, valid) select channel_id, 3600, hour, 3600,"
        " 100 + channel_id %% 50, 100 + channel_id %% 50, 120, 10, 0, true"
        " from channel, generate_series(%(since)s::timestamptz, %(until)s, '1 hour')"
        " as hour",
        made,
    )
    connection.execute(
        "insert into daily_figure (site_id, quantity, direction, day, volume,"
        " volume_normalised, expected, observed, normalised, imputed, excluded, valid,"
        " method) select site_id, 'motor', 'all', day, 2000 + random() * 100, 2000, 1,"
        " 1, 0, 0, 0, true, 'daily-2' from site, generate_series("
        "%(until)s::date - 112, %(until)s::date, interval '1 day') as day",
        made,
    )
    connection.execute(
        "insert into newest_reading"
        " select channel_id, %(until)s + interval '55 minutes' from channel",
        made,
    )
    connection.commit()
