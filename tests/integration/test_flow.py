"""Speed histograms and flow figures, from readings in the database to the API."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics.jobs import claims
from analytics.jobs.store import Store, open_store
from tests.towns import TOWN
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Analytics

T = datetime(2026, 9, 16, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with open_store(database, application="test") as store:
        register(store.connection, TOWN)
        yield store


def send(store: Store, time: datetime, histogram: list[int] | None) -> None:
    """Store a reading of five minutes, or correct it, as ingest does."""
    with store.connection.transaction():
        store.connection.execute(
            "select ensure_range('count_reading', %s, %s)", [time, time]
        )
        store.connection.execute(
            "insert into count_reading (channel_id, time, interval_s, sensor_id,"
            " received_at, car, histogram_from_kmh, histogram_width_kmh, histogram)"
            " values (1, %s, 300, 1, %s, %s, 0, 5, %s) on conflict (channel_id, time)"
            " do update set car = excluded.car, histogram = excluded.histogram",
            [time, time, sum(histogram or [3]), histogram],
        )
        store.connection.execute(
            "insert into stale_bucket values (1, date_trunc('hour', %s::timestamptz))",
            [time],
        )
    while claims.process(store, Analytics(), now=T + timedelta(days=1)):
        pass


def stored(store: Store) -> list[tuple[Any, ...]]:
    return store.connection.execute(
        "select time, observed_s, counts, open_kmh, rebinned, refused"
        " from speed_histogram order by time"
    ).fetchall()


def test_histograms_of_an_hour_are_merged_and_follow_corrections(store: Store) -> None:
    send(store, T, [0, 1, 2])
    send(store, T + 5 * MINUTE, [0, 0, 4])
    grid = [0, 1, 6, *[0] * 48]
    assert stored(store) == [(T, 600, grid, 10.0, 0, 0)]
    send(store, T, [0, 5, 0])
    send(store, T + 5 * MINUTE, [1, 0, 0])
    grid = [1, 5, *[0] * 49]
    assert stored(store) == [(T, 600, grid, None, 0, 0)]


def test_a_reading_that_loses_its_histogram_takes_it_from_the_hour(
    store: Store,
) -> None:
    send(store, T, [0, 1, 2])
    send(store, T, None)
    assert stored(store) == []
