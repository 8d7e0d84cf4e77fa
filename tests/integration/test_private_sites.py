"""What everybody sees is computed from no site that only some may see.

A town is computed with public sites alone, and again beside as many private ones that
do otherwise: each public answer stays as it was, byte by byte.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Literal

import pytest
from starlette.testclient import TestClient

from analytics.jobs import case_days, estimates, health_store
from tests import served, walk
from tests.integration.test_analytics import (
    HEALTH,
    NOW,
    SETTINGS,
    Bench,
    benched,
)
from tests.towns import counter
from verkehrspuls.model import Channel, Site, Town
from verkehrspuls.registry.towns import register

KEYS: Final = tuple(f"site-{n}" for n in range(5))
LANE: Final = (Channel(key="all", name="Alle", quantity="motor", direction="in"),)
SINCE: Final = NOW - timedelta(weeks=6)


def sites(visibility: Literal["public", "private"], *keys: str) -> tuple[Site, ...]:
    return tuple(
        Site(
            key=key,
            name=key,
            channels=LANE,
            latitude=49.4,
            longitude=7.7 + n / 50,
            road="B 1",
            visibility=visibility,
        )
        for n, key in enumerate(keys)
    )


def town(*placed: Site) -> Town:
    return Town(
        key="town",
        name="Town",
        state="RP",
        sites=placed,
        sensors=tuple(
            counter(site.key, site.key, site.key, channels=("all",), interval_s=3600)
            for site in placed
        ),
    )


PUBLIC: Final = sites("public", *KEYS)
PRIVATE: Final = sites("private", *(f"secret-{key}" for key in KEYS))


def count(bench: Bench, site: str, change: str) -> None:
    """Six weeks of a day's course with some chance, times what an expression says."""
    found = bench.rows(
        "select channel_id from channel join site using (site_id) where site.key = %s",
        site,
    )
    with bench.connection.transaction():
        bench.rows("select ensure_range('count_reading', %s, %s)", SINCE, NOW)
        bench.connection.execute(
            b"insert into count_reading (channel_id, time, interval_s, sensor_id, "
            b"received_at, car) select %(channel)s, t, 3600, 1, t + interval '1 hour', "
            b"volume from (select t, ((120 + 40 * ((extract(hour from t)::integer + 6) "
            b"%% 12) + (extract(epoch from t)::bigint / 3600 * 37 + %(channel)s * 11) "
            b"%% 29) * " + change.encode() + b")::integer as volume "
            b"from generate_series(%(since)s, %(until)s - interval '1 hour', "
            b"interval '1 hour') t) counted where volume > 0",
            {"channel": found[0][0], "since": SINCE, "until": NOW, "now": NOW},
        )


def compute(bench: Bench) -> None:
    """Compute all that there is, as if none of it had been."""
    bench.connection.execute(
        "insert into stale_bucket select channel_id, time from count_reading"
    )
    bench.connection.execute("delete from imputed_hour")
    bench.compute()
    while case_days.judge(bench.store, now=NOW):
        pass
    estimates.put_imputed(bench.store, SETTINGS, now=NOW)
    estimates.put_forecasts(bench.store, SETTINGS, now=NOW)
    bench.compute()
    while health_store.judge(bench.store, HEALTH, now=NOW):
        pass


def answers(url: str) -> dict[str, bytes]:
    period = "from=2026-09-01&to=2026-09-17"
    paths = [
        "/api/v1/cases?open=false&limit=1000",
        *(f"/api/v1/cases/{number}" for number in range(1, 30)),
        *(
            f"/api/v1/sites/town/{key}{path}"
            for key in KEYS
            for path in (
                "",
                f"/health?{period}",
                "/forecast",
                f"/series.csv?quantity=motor&bin=PT1H&{period}",
            )
        ),
        *(f"/de/towns/town/{key}" for key in KEYS),
    ]
    with TestClient(served.web(url, NOW)) as client:
        return {path: client.get(path, headers=walk.TRACE).content for path in paths}


@pytest.fixture
def bench(plain_database: str) -> Iterator[Bench]:
    with benched(plain_database) as bench:
        yield bench


#: what the public sites do: one is up on the last day, one counts ever less, and all
#: are silent for two days
LAST: Final = "t >= %(now)s - interval '1 day'"
WEEK: Final = "t >= %(now)s - interval '8 days'"
SILENT: Final = "t >= %(now)s - interval '12 days' and t < %(now)s - interval '10 days'"
CHANGES: Final = {
    KEYS[0]: f"case when {SILENT} then 0 when {LAST} then 1.6 else 1 end",
    KEYS[1]: f"case when {SILENT} then 0 when {WEEK} then 0.65 else 1 end",
}
USUAL: Final = f"case when {SILENT} then 0 else 1 end"
#: the private ones do that at once, more of it, and are there when those are silent
OTHER: Final = f"case when {LAST} then 1.9 when {WEEK} then 0.6 else 3 end"


def test_public_answers_are_the_same_beside_private_sites(bench: Bench) -> None:
    register(bench.connection, town(*PUBLIC))
    for key in KEYS:
        count(bench, key, CHANGES.get(key, USUAL))
    compute(bench)
    before = answers(bench.url)
    members = "select distinct reason from case_member where withdrawn_at is null"
    found = {reason for (reason,) in bench.rows(members)}
    verdicts = dict(
        bench.rows("select verdict, max(level) from channel_health group by 1")
    )
    (imputed,) = bench.rows("select count(*) from imputed_hour")[0]
    (forecast,) = bench.rows("select count(*) from forecast")[0]
    assert {"above-usual", "day-above-usual"} <= found
    assert "drift" in verdicts
    assert verdicts.get("no-data") == "municipality", verdicts
    assert imputed > 0
    assert forecast > 0

    register(bench.connection, town(*PUBLIC, *PRIVATE))
    for site in PRIVATE:
        count(bench, site.key, OTHER)
    compute(bench)
    after = answers(bench.url)
    assert [path for path in before if before[path] != after[path]] == []
