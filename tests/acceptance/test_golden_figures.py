"""Real data, from the file to the page, ends with figures counted independently.

Hammer Straße in Münster, bicycles; the totals are those that the city publishes.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from analytics.jobs.claims import process
from analytics.jobs.store import open_store
from dashboards.app import create_web
from tests.acceptance.test_kill_ingest import ingest
from tests.parts import Broker, as_analytics, as_web, wait_for
from verkehrspuls.settings import Analytics, load
from verkehrspuls.storage.database import Connection, connect

SITE = "100034980"
TOTALS = {
    2019: 2_723_934,
    2020: 2_387_306,
    2021: 2_184_462,
    2022: 2_425_392,
    2023: 2_470_425,
    2024: 2_524_691,
    2025: 2_599_754,
}


def verkehrspuls(*arguments: object, **environment: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "verkehrspuls", *map(str, arguments)],
        env=environment,
        check=True,
        capture_output=True,
    )


def compute(url: str) -> None:
    with open_store(as_analytics(url), application="test") as store:
        while process(store, Analytics(), now=datetime.now(UTC)):
            pass


@pytest.fixture
def connection(plain_database: str) -> Iterator[Connection]:
    with connect(plain_database, autocommit=True) as connection:
        yield connection


def yearly(connection: Connection) -> dict[int, int]:
    return dict(
        connection.execute(
            "select extract(year from day)::int, sum(volume)::int from daily_figure "
            "where direction = 'all' and extract(year from day) < 2026 group by 1"
        ).fetchall()
    )


def shares(connection: Connection, day: date) -> float:
    rows = connection.execute(
        "select observed from daily_figure where direction = 'all' and day = %s", [day]
    ).fetchall()
    return float(rows[0][0])


def test_all_years_imported(
    plain_database: str, data: Path, connection: Connection
) -> None:
    verkehrspuls(
        *("import", "counts", data / "muenster_bike/stations_15min_2019_2026.parquet"),
        *("--format", "muenster-bike", "--site", SITE, "--to", "2026-01-01"),
        VERKEHRSPULS_DATABASE__URL=plain_database,
    )
    compute(plain_database)
    assert yearly(connection) == TOTALS
    # 23 hours, all there; 25 hours, of which a wall clock tells 24 apart
    assert shares(connection, date(2025, 3, 30)) == 1
    assert shares(connection, date(2025, 10, 26)) == pytest.approx(24 / 25)
    settings = load({"VERKEHRSPULS_DATABASE__URL": as_web(plain_database)})
    with TestClient(create_web(settings)) as web:
        page = web.get(f"/de/towns/muenster/{SITE}?from=2019-01-01&to=2020-01-01").text
        assert "2.723.934" in page
        page = web.get(f"/en/towns/muenster/{SITE}?from=2025-01-01&to=2026-01-01").text
        assert "2,599,754" in page


def test_a_year_replayed_over_mqtt(
    plain_database: str, broker: Broker, data: Path, connection: Connection
) -> None:
    with ingest(plain_database, broker.url):
        verkehrspuls(
            *("replay", data / "muenster_bike/stations_15min_2019_2026.parquet"),
            *("--format", "muenster-bike", "--site", SITE),
            *("--from", "2025-01-01", "--to", "2026-01-01"),
            VERKEHRSPULS_DATABASE__URL=plain_database,
            VERKEHRSPULS_BROKER__URL=broker.url,
            VERKEHRSPULS_BROKER__PUBLISH_URL=broker.publish_url,
        )

        def all_stored() -> bool:
            rows = connection.execute(
                "select coalesce(sum(readings_stored), 0) from ledger"
            ).fetchall()
            return bool(rows[0][0] == 34_012)

        wait_for(all_stored)
    compute(plain_database)
    assert yearly(connection) == {2025: TOTALS[2025]}
