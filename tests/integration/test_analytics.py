"""From readings in the database to figures and cases, in each storage edition."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import polars as pl
import pytest
import time_machine

from analytics.jobs import case_hours, claims, health_store
from analytics.jobs.store import Store, open_store
from analytics.jobs.worker import Worker
from tests.parts import PATIENCE_S, as_analytics, logins, wait_for
from tests.towns import TOWN
from verkehrspuls.model import Site
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Analytics, Database, Health, Settings, load
from verkehrspuls.storage.database import Connection, connect

HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
#: Wednesday, 10:00 in Berlin; the past weeks have no change of clocks
T = datetime(2026, 9, 16, 8, tzinfo=UTC)
NOW = T + timedelta(days=1)
SETTINGS = Analytics()
HEALTH = Health()


class Bench:
    """A database with the test town, and what a sensor and a worker do to it."""

    def __init__(self, url: str, store: Store, connection: Connection) -> None:
        """Begin; the store is that of a worker, the connection the owner's."""
        self.url = url
        self.store = store
        self.connection = connection
        register(connection, TOWN)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, parameters).fetchall()

    def channel(self, key: str = "in", *, site: str = "b420") -> int:
        query = (
            "select channel_id from channel c join site s using (site_id) "
            "where c.key = %s and s.key = %s"
        )
        return int(self.rows(query, key, site)[0][0])

    def count(
        self,
        series: Sequence[int],
        *,
        start: datetime = T,
        channel: int | None = None,
        interval_s: int = 3600,
    ) -> None:
        """Store counts of cars, or correct them, as ingest does."""
        channel = channel or self.channel()
        step = timedelta(seconds=interval_s)
        end = start + len(series) * step
        with self.connection.transaction():
            self.rows("select ensure_range('count_reading', %s, %s)", start, end)
            for n, cars in enumerate(series):
                time = start + n * step
                self.connection.execute(
                    "insert into count_reading (channel_id, time, interval_s, "
                    "sensor_id, received_at, car) values (%s, %s, %s, 1, %s, %s) "
                    "on conflict (channel_id, time) do update set "
                    "car = excluded.car, revision = count_reading.revision + 1",
                    (channel, time, interval_s, time + step, cars),
                )
                self.mark(channel, time)

    def mark(self, channel: int, time: datetime) -> None:
        self.connection.execute(
            "insert into stale_bucket values (%s, date_trunc('hour', %s::timestamptz))",
            (channel, time),
        )

    def compute(self, *, now: datetime = NOW) -> int:
        """Let a worker do all that is stale."""
        total = 0
        while done := claims.process(self.store, SETTINGS, now=now):
            total += done
        while case_hours.judge(self.store, now=now):
            pass
        return total

    def hour(self, time: datetime = T, *, key: str = "in") -> tuple[Any, ...] | None:
        found = self.rows(
            "select volume, observed_s, usual from volume "
            "where channel_id = %s and interval_s = 3600 and time = %s",
            self.channel(key),
            time,
        )
        return found[0] if found else None

    def cases(self) -> list[dict[str, Any]]:
        found = self.rows(
            "select detector, reason, began, ended, state, withdrawn_at is not null "
            "from anomaly_case order by began, detector"
        )
        names = ("detector", "reason", "began", "ended", "state", "withdrawn")
        return [dict(zip(names, row, strict=True)) for row in found]

    def usual_weeks(self, volume: int = 100) -> None:
        """Five weeks before T, each with the same volume at the hour of T."""
        for n in range(1, 6):
            self.count([volume], start=T - n * WEEK)


@contextmanager
def benched(url: str) -> Iterator[Bench]:
    """Open a bench in a migrated database."""
    with (
        open_store(as_analytics(url), application="test") as store,
        connect(url, autocommit=True) as connection,
    ):
        yield Bench(url, store, connection)


def test_readings_become_figures(bench: Bench) -> None:
    bench.count([5] * 12, interval_s=300)
    assert bench.compute() == 12
    assert bench.hour() == (60, 3600, None)
    quarters = bench.rows("select volume from volume where interval_s = 900")
    assert quarters == [(15,)] * 4
    found = bench.rows(
        "select direction, volume, observed, peak_hour, peak_volume, day "
        "from daily_figure order by direction"
    )
    day = date(2026, 9, 16)
    # the other direction is installed and silent
    assert found == [
        ("all", 60, pytest.approx(1 / 48), None, None, day),
        ("in", 60, pytest.approx(1 / 24), T, 60, day),
    ]
    assert bench.rows("select count(*) from stale_bucket") == [(0,)]


def test_environment_readings_become_hourly_figures(bench: Bench) -> None:
    channel = bench.channel("no2")
    bench.rows("select ensure_range('environment_reading', %s, %s)", T, T)
    for minute, value in ((0, 10.0), (10, 40.0)):
        bench.connection.execute(
            "insert into environment_reading (channel_id, time, interval_s, sensor_id, "
            "received_at, value) values (%s, %s, 600, 1, now(), %s)",
            (channel, T + minute * HOUR / 60, value),
        )
    bench.mark(channel, T)
    bench.compute()
    query = "select time, observed_s, mean, minimum, maximum from environment_hour"
    assert bench.rows(query) == [(T, 1200, 25, 10, 40)]
    bench.rows("delete from environment_reading returning 1")
    bench.mark(channel, T)
    bench.compute()
    assert bench.rows(query) == []


def test_a_late_reading_reaches_the_figures(bench: Bench) -> None:
    bench.count([5] * 6, interval_s=300)
    bench.compute()
    assert bench.hour() == (30, 1800, None)
    bench.count([7] * 6, start=T + HOUR / 2, interval_s=300)
    bench.compute()
    assert bench.hour() == (72, 3600, None)
    day = "select volume from daily_figure where direction = 'in'"
    assert bench.rows(day) == [(72,)]


def test_a_correction_reaches_the_figures(bench: Bench) -> None:
    bench.count([50, 60])
    bench.compute()
    bench.count([500])
    bench.compute()
    assert bench.hour() == (500, 3600, None)
    day = "select volume from daily_figure where direction = 'in'"
    assert bench.rows(day) == [(560,)]


def test_an_hour_that_lost_its_readings_loses_its_figures(bench: Bench) -> None:
    bench.count([50, 60])
    bench.compute()
    bench.rows("delete from count_reading where time = %s returning 1", T)
    bench.mark(bench.channel(), T)
    bench.compute()
    assert bench.hour() is None
    assert bench.hour(T + HOUR) == (60, 3600, None)
    bench.rows("delete from count_reading returning 1")
    bench.mark(bench.channel(), T + HOUR)
    bench.compute()
    assert bench.rows("select * from daily_figure") == []


def test_an_hour_between_stale_ones_keeps_its_figures(bench: Bench) -> None:
    bench.count([10, 20, 30, 40])
    bench.compute()
    for n, cars in ((0, 11), (1, 21), (3, 41)):
        bench.count([cars], start=T + n * HOUR)
    bench.compute()
    hours = [bench.hour(T + n * HOUR) for n in range(4)]
    assert hours == [(cars, 3600, None) for cars in (11, 21, 30, 41)]


def test_trap_6_a_case_is_withdrawn_when_the_data_is_corrected(bench: Bench) -> None:
    bench.usual_weeks()
    bench.count([400])
    bench.compute()
    assert bench.hour() == (400, 3600, 100)
    unusual = [case for case in bench.cases() if case["reason"] == "above-usual"]
    assert [(case["began"], case["ended"]) for case in unusual] == [(T, T + HOUR)]
    bench.count([105])
    bench.compute()
    unusual = [case for case in bench.cases() if case["reason"] == "above-usual"]
    assert [case["withdrawn"] for case in unusual] == [True]
    # and comes back with its cause
    bench.count([400])
    bench.compute()
    unusual = [case for case in bench.cases() if case["reason"] == "above-usual"]
    assert [case["withdrawn"] for case in unusual] == [False]


def test_trap_6_what_a_person_decided_stays(bench: Bench) -> None:
    bench.usual_weeks()
    bench.count([400])
    bench.compute()
    bench.rows("update anomaly_case set state = 'explained' returning 1")
    before = bench.rows("select * from anomaly_case order by 1")
    bench.count([105])
    bench.compute()
    bench.count([800])
    bench.compute()
    assert bench.rows("select * from anomaly_case order by 1") == before


def test_the_running_hour_is_not_judged(plain_bench: Bench) -> None:
    plain_bench.usual_weeks()
    plain_bench.count([40] * 10, interval_s=300)
    plain_bench.compute(now=T + 50 * HOUR / 60)
    assert not [case for case in plain_bench.cases() if case["reason"] == "above-usual"]
    # it is with the first reading of the next hour, whatever that says
    plain_bench.count([1], start=T + HOUR, interval_s=300)
    plain_bench.compute(now=T + HOUR + 5 * HOUR / 60)
    assert [case for case in plain_bench.cases() if case["reason"] == "above-usual"]


def test_late_data_changes_what_is_usual_later(plain_bench: Bench) -> None:
    plain_bench.count([100], start=T - WEEK)
    plain_bench.count([400])
    plain_bench.compute()
    assert plain_bench.hour() == (400, 3600, None)
    plain_bench.count([100], start=T - 2 * WEEK)
    plain_bench.compute()
    assert plain_bench.hour() == (400, 3600, 100)
    assert [case for case in plain_bench.cases() if case["reason"] == "above-usual"]


def test_a_case_grows_over_claims(plain_bench: Bench) -> None:
    for n in range(1, 6):
        plain_bench.count([100] * 40, start=T - n * WEEK)
    plain_bench.compute()
    for n in range(0, 40, 5):
        plain_bench.count(range(300 + n, 305 + n), start=T + n * HOUR)
        plain_bench.compute(now=T + (n + 5) * HOUR)
    unusual = [case for case in plain_bench.cases() if case["reason"] == "above-usual"]
    assert [(c["began"], c["ended"]) for c in unusual] == [(T, T + 40 * HOUR)]


def test_excluded_hours_leave_what_is_usual(plain_bench: Bench) -> None:
    for week, volume in ((3, 100), (2, 110), (1, 400)):
        plain_bench.count([volume], start=T - week * WEEK)
    plain_bench.count([100])
    plain_bench.compute()
    assert plain_bench.hour() == (100, 3600, 110)
    plain_bench.rows(
        "update anomaly_case set state = 'explained', effect = 'exclude' "
        "where reason = 'above-usual' returning 1"
    )
    plain_bench.mark(plain_bench.channel(), T - WEEK)
    plain_bench.compute()
    assert plain_bench.hour() == (100, 3600, 105)


def test_excluded_hours_leave_the_daily_figures(plain_bench: Bench) -> None:
    plain_bench.usual_weeks()
    plain_bench.count([400, 90])
    plain_bench.compute()
    plain_bench.rows(
        "update anomaly_case set state = 'confirmed', effect = 'exclude' "
        "where reason = 'above-usual' returning 1"
    )
    plain_bench.mark(plain_bench.channel(), T)
    plain_bench.compute()
    query = "select volume, excluded from daily_figure where day = %s"
    found = plain_bench.rows(query + " and direction = 'in'", date(2026, 9, 16))
    assert found == [(90, pytest.approx(1 / 24))]


def test_silence_opens_lasts_and_ends(bench: Bench) -> None:
    bench.count([5] * 12, interval_s=300)
    bench.compute(now=T + HOUR)
    end = T + HOUR
    # the other direction never had a reading: it is not in operation yet
    assert claims.check_silence(bench.store, now=end + HOUR / 2) == 0
    assert claims.check_silence(bench.store, now=end + HOUR) == 1
    assert claims.check_silence(bench.store, now=end + 2 * HOUR) == 1
    (case,) = bench.cases()
    assert (case["reason"], case["began"], case["ended"]) == (
        "silent",
        end,
        end + 2 * HOUR,
    )
    bench.count([5], start=end + 3 * HOUR, interval_s=300)
    bench.compute(now=end + 4 * HOUR)
    (case,) = bench.cases()
    assert (case["ended"], case["withdrawn"]) == (end + 3 * HOUR, False)
    # the sensor had kept the readings and sends them late
    bench.count([5] * 36, start=end, interval_s=300)
    bench.compute(now=end + 5 * HOUR)
    assert [case["withdrawn"] for case in bench.cases()] == [True]


DAY = timedelta(days=1)


def test_what_a_clock_a_day_ahead_made_is_taken_back(bench: Bench) -> None:
    bench.count([5] * 12, interval_s=300)
    end = T + HOUR
    bench.compute(now=end)
    ahead = end + DAY
    assert claims.check_silence(bench.store, now=ahead) == 1
    health_store.mark_running(bench.store, now=ahead)
    while health_store.judge(bench.store, HEALTH, now=ahead):
        pass
    with bench.connection.transaction():
        bench.store.execute(
            "mark_hours", channels=[bench.channel()], hours=[end + 5 * HOUR]
        )
        bench.rows(
            "insert into imputed_hour values (%s, %s, 5, 1, 9, 'linear', 2, %s)"
            " returning 1",
            *(bench.channel(), end + 5 * HOUR, ahead),
        )
    now = end + HOUR / 4
    assert claims.check_silence(bench.store, now=now) == 0
    assert [case["withdrawn"] for case in bench.cases()] == [True]
    assert bench.rows("select * from imputed_hour") == []
    bench.compute(now=now)
    today = T.date()
    assert bench.rows("select max(day) from daily_figure") == [(today,)]
    health_store.mark_running(bench.store, now=now)
    while health_store.judge(bench.store, HEALTH, now=now):
        pass
    found = bench.rows("select day, complete from channel_health order by day desc")
    assert found[0] == (today, False)
    # who is silent indeed is found again, and until now
    assert claims.check_silence(bench.store, now=end + HOUR) == 1
    (case,) = bench.cases()
    assert (case["ended"], case["withdrawn"]) == (end + HOUR, False)


def test_a_case_of_the_future_ends_now_though_a_person_decided_it(
    plain_bench: Bench,
) -> None:
    plain_bench.count([5] * 12, interval_s=300)
    end = T + HOUR
    plain_bench.compute(now=end)
    claims.check_silence(plain_bench.store, now=end + DAY)
    plain_bench.rows("update anomaly_case set state = 'confirmed' returning 1")
    claims.check_silence(plain_bench.store, now=end + 2 * HOUR)
    (case,) = plain_bench.cases()
    assert (case["state"], case["ended"]) == ("confirmed", end + 2 * HOUR)
    assert plain_bench.rows("select ended from case_member") == [(end + 2 * HOUR,)]


def test_a_clock_that_is_ahead_makes_no_gap_and_hides_no_silence(bench: Bench) -> None:
    """A sensor that marks local time as Z, from its second hour on."""
    bench.count([5] * 12, interval_s=300)
    now = T + HOUR
    bench.compute(now=now)
    received = now + timedelta(minutes=5)
    bench.rows(
        "insert into count_reading (channel_id, time, interval_s, sensor_id, "
        "received_at, car) values (%s, %s, 300, 1, %s, 5) returning 1",
        *(bench.channel(), now + HOUR, received),
    )
    bench.mark(bench.channel(), now + HOUR)
    bench.compute(now=received)
    assert bench.cases() == []
    assert claims.check_silence(bench.store, now=received + HOUR / 2) == 0
    later = received + timedelta(minutes=31)
    assert claims.check_silence(bench.store, now=later) == 1
    (case,) = bench.cases()
    assert (case["began"], case["ended"]) == (received, later)


def test_a_sensor_whose_clock_was_mended_is_not_silent(plain_bench: Bench) -> None:
    plain_bench.count([5], start=T + 2 * HOUR, interval_s=300)
    plain_bench.rows("update count_reading set received_at = %s returning 1", T)
    plain_bench.count([5] * 12, interval_s=300)
    now = T + HOUR
    plain_bench.compute(now=now)
    assert claims.check_silence(plain_bench.store, now=now + HOUR / 4) == 0


def test_the_clock_of_the_database_goes_before_the_worker_s(
    plain_bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is ahead of it says so, and makes nothing of the future."""
    settings = Settings(database=Database(url=as_analytics(plain_bench.url)))
    worker = Worker(settings, on_ready=lambda: None)
    (now,) = plain_bench.rows("select now()")[0]
    with time_machine.travel(now + DAY):
        found = worker._now(plain_bench.store)
    assert abs(found - now) < timedelta(minutes=5)
    (record,) = (r for r in caplog.records if r.message == "clock_differs")
    assert record.__dict__["ahead_s"] == pytest.approx(86_400, abs=300)


def test_after_a_jump_of_the_clock_nobody_is_silent_at_once(
    plain_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after this machine was suspended: what waits at the broker comes first."""
    settings = Settings(database=Database(url=as_analytics(plain_bench.url)))
    worker = Worker(settings, on_ready=lambda: None)
    worker._now(plain_bench.store)
    assert worker._settled
    real = plain_bench.store.now()
    monkeypatch.setattr(Store, "now", lambda _: real + 8 * HOUR)
    worker._now(plain_bench.store)
    assert not worker._settled


def test_a_failed_claim_leaves_its_marks(
    plain_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_bench.count([50])

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("analytics.jobs.case_store.write", fail)
        with pytest.raises(claims.ClaimFailed):
            plain_bench.compute()
    assert plain_bench.rows("select * from volume") == []
    assert plain_bench.compute() == 1
    assert plain_bench.hour() == (50, 3600, None)


def test_site_that_fails_does_not_stop_the_others(
    plain_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = msgspec.structs.replace(TOWN.sites[0], key="other")
    town = msgspec.structs.replace(TOWN, sites=(*TOWN.sites, other))
    register(plain_bench.connection, town)
    bad = plain_bench.channel("in", site="other")
    plain_bench.count([50])
    plain_bench.count([70], channel=bad)
    refresh = claims._refresh

    def fail(store: Any, stale: pl.DataFrame, *rest: Any, **more: Any) -> None:
        if bad in stale["channel_id"]:
            raise ZeroDivisionError
        refresh(store, stale, *rest, **more)

    monkeypatch.setattr(claims, "_refresh", fail)
    url = logins(plain_bench.url)
    worker = Worker(load(url), on_ready=lambda: None)
    for _ in range(4):
        worker._process(plain_bench.store)
    assert plain_bench.hour() == (50, 3600, None)
    assert plain_bench.rows("select channel_id from stale_bucket") == [(bad,)]


def test_two_workers_give_the_same_as_one(bench: Bench) -> None:
    sites = tuple(
        Site(
            key=f"s{n}",
            name=f"S{n}",
            channels=TOWN.sites[0].channels,
        )
        for n in range(6)
    )
    register(
        bench.connection,
        msgspec.structs.replace(TOWN, sites=(*TOWN.sites, *sites)),
    )
    channels = [
        bench.channel(key, site=site.key) for site in sites for key in ("in", "out")
    ]
    for n, channel in enumerate(channels):
        bench.count([10 * n + k % 7 for k in range(72)], channel=channel)
    small = SETTINGS.model_copy(update={"claim_hours": 100})

    def work() -> None:
        with open_store(as_analytics(bench.url), application="test") as store:
            while claims.count_stale(store, claims.Choice()):
                claims.process(store, small, now=NOW)

    def figures() -> list[list[tuple[Any, ...]]]:
        return [
            bench.rows(f"select * from {table} order by 1, 2, 3, 4")
            for table in ("volume", "daily_figure")
        ]

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE_S)
    together = figures()
    assert len(together[0]) == 12 * 72
    claims.mark_stale(bench.store, claims.Choice())
    bench.compute()
    assert figures() == together


def test_recomputing_a_choice_marks_its_local_days(plain_bench: Bench) -> None:
    plain_bench.count([1] * 48, start=T)
    plain_bench.compute()
    plain_bench.rows("update volume set volume = 999 returning 1")
    day = date(2026, 9, 17)
    choice = claims.Choice(municipality="kusel", site="b420", first=day, last=day)
    assert claims.mark_stale(plain_bench.store, choice) == 24
    plain_bench.compute()
    wrong = plain_bench.rows(
        "select min(time), max(time), count(*) from volume where volume = 999"
    )
    assert wrong[0][2] == 24
    assert claims.mark_stale(plain_bench.store, replace(choice, site="elsewhere")) == 0


def test_maintenance_makes_room_ahead_and_drops_what_is_old(bench: Bench) -> None:
    old = NOW - timedelta(days=200)
    bench.count([1], start=old)
    bench.count([1])
    bench.compute()
    keep = SETTINGS.model_copy(update={"keep_raw_days": 90})
    assert claims.maintain(bench.store, keep, now=NOW)
    assert bench.rows("select time from count_reading") == [(T,)]
    # figures stay, also when such an hour is marked again
    channel = bench.channel()
    bench.mark(channel, old)
    assert claims.process(bench.store, keep, now=NOW) == 1
    assert bench.hour(old) == (1, 3600, None)


def test_partitions_are_made_ahead(plain_bench: Bench) -> None:
    now = datetime(2031, 5, 31, 12, tzinfo=UTC)
    claims.maintain(plain_bench.store, SETTINGS, now=now)
    found = plain_bench.rows(
        "select relname from pg_class "
        "where relname ~ '^count_reading_20310.$' order by 1"
    )
    assert [name for (name,) in found] == [
        f"count_reading_{month}" for month in (203105, 203106, 203107)
    ]


def test_a_worker_computes_at_once_and_comes_back(plain_bench: Bench) -> None:
    settings = Settings(
        database=Database(url=as_analytics(plain_bench.url)),
        analytics=Analytics(poll_s=0.05),
    )
    ready = threading.Event()
    worker = Worker(settings, on_ready=ready.set, clock=lambda: NOW)
    thread = threading.Thread(target=worker.run, name="worker")
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        plain_bench.count([50])
        wait_for(plain_bench.hour)
        lost = plain_bench.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'verkehrspuls analytics'"
        )
        assert lost
        plain_bench.count([60], start=T + HOUR)
        wait_for(lambda: plain_bench.hour(T + HOUR))
    finally:
        worker.stop()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_readings_that_come_again_with_shifted_times_count_once(bench: Bench) -> None:
    series = [10 + n % 5 for n in range(48)]
    quarter = timedelta(minutes=15)
    bench.count(series, interval_s=900)
    bench.compute()
    before = [bench.hour(T + n * HOUR) for n in range(12)]
    assert before[0] == (sum(series[:4]), 3600, None)
    # 14 minutes later, over the edges of hours too: each second is of one of the two
    bench.count(series, start=T + 14 * timedelta(minutes=1), interval_s=900)
    bench.compute()
    hours = [bench.hour(T + n * HOUR) for n in range(12)]
    assert sum(hour[0] for hour in hours if hour) == round(sum(series) * 734 / 720)
    assert all(hour and hour[1] == 3600 for hour in hours)
    # whoever computes one hour alone finds the same, and those next to it stay right
    for n in range(12):
        bench.mark(bench.channel(), T + n * HOUR)
        bench.compute()
    assert [bench.hour(T + n * HOUR) for n in range(12)] == hours
    # the last quarter of an hour corrected: the first of the next one changes with it
    late = T + HOUR - timedelta(minutes=1)
    bench.rows(
        "update count_reading set received_at = %s, car = 50 "
        "where channel_id = %s and time = %s returning 1",
        NOW,
        bench.channel(),
        T + HOUR - quarter,
    )
    bench.mark(bench.channel(), late)
    bench.compute()
    corrected = [bench.hour(T + n * HOUR) for n in range(12)]
    assert corrected[1] != hours[1] or corrected[0] != hours[0]
    for n in range(12):
        bench.mark(bench.channel(), T + n * HOUR)
    bench.compute()
    assert [bench.hour(T + n * HOUR) for n in range(12)] == corrected


def test_what_a_device_says_that_it_observed_is_observed(bench: Bench) -> None:
    bench.count([100, 100])
    bench.rows(
        "update count_reading set observed_s = case when time = %s then 72 end "
        "returning 1",
        T,
    )
    bench.compute()
    assert bench.hour() == (100, 72, None)
    assert bench.hour(T + HOUR) == (100, 3600, None)
    assert bench.rows("select valid from volume where time = %s", T) == [(False,)]
