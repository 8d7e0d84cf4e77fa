"""Forecasts and imputed hours, from volumes in the database to the API."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from analytics.jobs import claims, estimates
from analytics.jobs.recompute import recompute
from analytics.jobs.store import Store, open_store
from analytics.jobs.worker import Worker
from api.app import create_app
from tests.cases import Finding, open_case
from tests.parts import PATIENCE_S, as_analytics, as_web, wait_for
from tests.towns import TOWN
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Analytics, Database, Settings, load
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.estimates import list_forecast_errors

HOUR = timedelta(hours=1)
SETTINGS = Analytics()
#: Wednesday, 10:00 in Berlin
NOW = datetime(2026, 9, 16, 8, tzinfo=UTC)
SINCE = NOW - timedelta(weeks=13)
#: The gap: noon of a Tuesday, in one of two directions
GAP = datetime(2026, 9, 8, 10, tzinfo=UTC)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with open_store(as_analytics(database), application="test") as store:
        with connect(database, autocommit=True) as connection:
            register(connection, TOWN)
        _fill(store, 900)
        _fill(store, 3600)
        yield store


@pytest.fixture
def client(store: Store, database: str) -> Iterator[TestClient]:
    settings = load({"VERKEHRSPULS_DATABASE__URL": as_web(database)})
    with TestClient(create_app(settings)) as client:
        yield client


def _fill(store: Store, interval_s: int) -> None:
    """Thirteen weeks of two directions, 3 hours of one missing."""
    store.execute("ensure_figures", earliest=SINCE, latest=NOW)
    store.connection.execute(
        "insert into volume (channel_id, interval_s, time, observed_s, volume, valid) "
        "select channel_id, %(s)s, t, %(s)s, %(s)s / 900 * "
        "  (30 + 10 * (extract(hour from t)::integer %% 12) + (h + channel_id) %% 7), "
        "  true "
        "from channel cross join lateral (select t, "
        "  extract(epoch from t)::bigint / 3600 as h from generate_series("
        "  %(since)s, %(until)s - make_interval(secs => %(s)s), "
        "  make_interval(secs => %(s)s)) t) times "
        "where quantity = 'motor' and not "
        "  (key = 'in' and t >= %(gap)s and t < %(gap)s + interval '3 hours')",
        {"s": interval_s, "since": SINCE, "until": NOW, "gap": GAP},
    )


def _rows(store: Store, query: str) -> list[Any]:
    return store.connection.execute(query).fetchall()


def _compute(store: Store) -> None:
    while claims.process(store, SETTINGS, now=NOW):
        pass


def test_missing_hours_are_imputed_and_days_say_so(store: Store) -> None:
    assert estimates.put_imputed(store, SETTINGS, now=NOW) == 3
    found = _rows(store, "select time, volume, low, high, gap_h from imputed_hour")
    assert [row[0] for row in sorted(found)] == [GAP + n * HOUR for n in range(3)]
    for _, volume, low, high, gap_h in found:
        assert low <= volume <= high
        assert gap_h == 3
    _compute(store)
    day = _rows(
        store,
        "select direction, imputed, observed, volume, volume_estimated "
        "from daily_figure where day = '2026-09-08' order by direction",
    )
    assert [(row[0], row[1]) for row in day] == [
        ("all", pytest.approx(3 / 48)),
        ("in", pytest.approx(3 / 24)),
        ("out", 0),
    ]
    _, _, observed, volume, estimated = day[1]
    assert observed == pytest.approx(21 / 24)
    assert estimated == pytest.approx(volume + sum(row[1] for row in found))


def test_what_is_imputed_stays_until_its_gap_changes(store: Store) -> None:
    estimates.put_imputed(store, SETTINGS, now=NOW)
    assert estimates.put_imputed(store, SETTINGS, now=NOW + HOUR) == 0
    store.connection.execute(
        "insert into volume (channel_id, interval_s, time, observed_s, volume) "
        "select channel_id, 3600, %s, 3600, 400 from channel where key = 'in'",
        [GAP],
    )
    # one is counted after all, the two others lie in a shorter gap
    assert estimates.put_imputed(store, SETTINGS, now=NOW) == 3
    found = _rows(store, "select time, gap_h from imputed_hour order by time")
    assert found == [(GAP + HOUR, 2), (GAP + 2 * HOUR, 2)]


def test_gaps_of_history_are_imputed_when_asked_for(store: Store) -> None:
    """The worker looks at the last weeks only; more is read in pieces."""
    weeks = SETTINGS.model_copy(update={"estimate_weeks": 5})
    assert estimates.put_imputed(store, weeks, now=NOW) == 0

    def history(**chosen: Any) -> int:
        return estimates.impute_history(store, weeks, now=NOW, **chosen)

    assert history(last=GAP.date() - timedelta(days=1)) == 0
    assert history(first=GAP.date() + timedelta(days=1)) == 0
    assert history(municipality="moon") == 0
    assert history() == 3
    found = _rows(store, "select time, gap_h from imputed_hour order by time")
    assert found == [(GAP + n * HOUR, 3) for n in range(3)]
    assert history() == 0
    assert estimates.put_imputed(store, weeks, now=NOW) == 0


def test_recomputing_imputes_the_history_of_its_choice(
    store: Store, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = claims.Choice(municipality="kusel", first=GAP.date(), last=GAP.date())
    asked: list[dict[str, Any]] = []

    def history(given: Store, _: Analytics, *, now: datetime, **choice: Any) -> int:
        asked.append(choice)
        # as if it had marked an hour
        given.execute("mark_hours", channels=[1], hours=[GAP])
        given.connection.commit()
        return 1

    monkeypatch.setattr(estimates, "impute_history", history)
    settings = Settings(database=Database(url=database))
    assert recompute(settings, chosen, progress=False)
    assert asked == [{"municipality": "kusel", "first": GAP.date(), "last": GAP.date()}]
    assert claims.count_stale(store, chosen) == 0


def test_what_a_person_excluded_is_imputed_and_stays_stored(
    store: Store, client: TestClient
) -> None:
    estimates.put_imputed(store, SETTINGS, now=NOW)
    began = GAP - 5 * HOUR
    open_case(
        store.connection,
        Finding("b420", "out", "below-usual", began, began + 2 * HOUR),
        state="confirmed",
        effect="exclude",
    )
    assert estimates.put_imputed(store, SETTINGS, now=NOW) == 2
    assert estimates.put_imputed(store, SETTINGS, now=NOW) == 0
    answer = client.get(
        "/api/v1/sites/kusel/b420/series.json",
        params={
            "from": began.isoformat(),
            "to": (began + HOUR).isoformat(),
            "direction": "out",
        },
    ).json()
    (hour,) = answer["rows"]
    assert (hour["volume"], hour["observed"], hour["imputed"]) == (None, 0, 1)
    assert (hour["excluded"], hour["valid"]) == (0, False)
    assert hour["volume_estimated"] > 0
    assert hour["imputed_by"]
    stored = "select count(*) from volume where interval_s = 3600 and time = %s"
    assert store.connection.execute(stored, [began]).fetchone() == (2,)
    _compute(store)
    (day,) = _rows(
        store,
        "select observed, imputed, excluded, volume_estimated > volume"
        " from daily_figure where day = '2026-09-08' and direction = 'out'",
    )
    assert day == (pytest.approx(22 / 24), pytest.approx(2 / 24), 0, True)


def test_forecasts_are_replaced_and_kept_to_be_compared(store: Store) -> None:
    made = estimates.put_forecasts(store, SETTINGS, now=NOW - 24 * HOUR)
    # two channels: four quarter-hours, 24 hours
    assert made == 2 * (4 + 24)
    estimates.put_forecasts(store, SETTINGS, now=NOW - 24 * HOUR)
    estimates.put_forecasts(store, SETTINGS, now=NOW)
    kept = _rows(
        store,
        "select made_at, count(*) from forecast group by made_at order by made_at",
    )
    # of the earlier run: 15 minutes, 1 hour and 1 day ahead
    assert kept == [(NOW - 24 * HOUR, 2 * 3), (NOW, 2 * (4 + 24))]
    site = _rows(store, "select site_id from site where key = 'b420'")[0][0]
    errors = list_forecast_errors(
        store.connection, site_id=site, quantity="motor", direction="in"
    )
    assert [(row.lead_s, row.compared) for row in errors] == [
        (900, 1),
        (3600, 1),
        (86_400, 1),
    ]
    assert all(0 <= (row.wape or 0) < 0.3 for row in errors)
    soon = SETTINGS.model_copy(update={"keep_forecast_days": 1})
    estimates.put_forecasts(store, soon, now=NOW + HOUR)
    oldest = _rows(store, "select min(made_at) from forecast")
    assert oldest == [(NOW,)]


def test_the_worker_does_both_when_nothing_else_is_left(
    store: Store, database: str
) -> None:
    settings = Settings(
        database=Database(url=as_analytics(database)),
        analytics=Analytics(poll_s=0.05, impute_s=0.1),
    )
    worker = Worker(settings, on_ready=lambda: None, clock=lambda: NOW)
    thread = threading.Thread(target=worker.run, name="worker")
    thread.start()
    done = (
        "select (select count(*) from imputed_hour) = 3 "
        "and (select count(*) from forecast) = 56 "
        "and (select max(imputed) from daily_figure) > 0"
    )
    try:
        wait_for(lambda: _rows(store, done)[0][0])
    finally:
        worker.stop()
        thread.join(PATIENCE_S)


def test_the_api_tells_of_both(store: Store, client: TestClient) -> None:
    estimates.put_imputed(store, SETTINGS, now=NOW)
    estimates.put_forecasts(store, SETTINGS, now=NOW)
    path = "/api/v1/sites/kusel/b420"
    answer = client.get(
        f"{path}/series.json",
        params={
            "from": (GAP - HOUR).isoformat(),
            "to": (GAP + HOUR).isoformat(),
            "direction": "in",
        },
    ).json()
    counted, imputed = answer["rows"]
    assert counted["volume"] == counted["volume_estimated"]
    assert (counted["imputed"], counted["imputed_by"]) == (0, None)
    assert (imputed["volume"], imputed["observed"], imputed["imputed"]) == (None, 0, 1)
    assert imputed["volume_estimated"] > 0
    assert imputed["imputed_by"]
    passport = answer["passport"]
    assert (passport["observed"], passport["imputed"]) == (0.5, 0.5)
    assert passport["intervals_present"] == 1

    forecast = client.get(f"{path}/forecast").json()
    assert (forecast["quantity"], forecast["direction"]) == ("motor", "all")
    lengths = [row["interval_s"] for row in forecast["intervals"]]
    assert lengths == [900] * 4 + [3600] * 24
    assert all(
        row["low"] <= row["volume"] <= row["high"] for row in forecast["intervals"]
    )
    refused = client.get(f"{path}/forecast", params={"quantity": "no2_ugm3"})
    assert refused.status_code == 422
