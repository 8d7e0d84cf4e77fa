"""Completeness from readings in the database to what is served of each bin."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from analytics import frames
from analytics.quality import completeness
from tests.cases import Finding, open_case
from tests.integration.test_analytics import HOUR, WEEK, Bench, T
from verkehrspuls.storage.sites import list_sites
from verkehrspuls.storage.volumes import read_volumes

MINUTE = timedelta(minutes=1)


@pytest.fixture
def bench(plain_bench: Bench) -> Bench:
    return plain_bench


def served(bench: Bench, *, direction: str = "in", bins: int = 1) -> pl.DataFrame:
    (site,) = (site for site in list_sites(bench.connection) if site.key == "b420")
    return read_volumes(
        bench.url,
        site_id=site.site_id,
        quantity="motor",
        start=T,
        end=T + bins * HOUR,
        interval_s=3600,
        direction=direction,
    )


def valid(bench: Bench, time: datetime = T) -> bool | None:
    ((found,),) = bench.rows(
        "select valid from volume where interval_s = 3600 and time = %s "
        "and channel_id = %s",
        time,
        bench.channel(),
    )
    return bool(found)


def count_but(bench: Bench, lost: set[int], cars: int) -> None:
    """Store the readings of the hour from T, but for these minutes."""
    for minute in set(range(0, 60, 5)) - lost:
        bench.count([cars], start=T + minute * MINUTE, interval_s=300)


def test_each_bin_is_served_with_what_analytics_says_of_it(bench: Bench) -> None:
    for n, minutes in enumerate((60, 45, 30, 25)):
        bench.count([6] * (minutes // 5), start=T + n * HOUR, interval_s=300)
    bench.compute()
    open_case(
        bench.connection,
        Finding("b420", "in", "above-usual", T, T + HOUR / 2),
        state="confirmed",
        effect="exclude",
    )
    stored = bench.store.read(
        "stored_volumes",
        channels=[bench.channel()],
        intervals=[3600],
        since=[T],
        until=[T + 4 * HOUR],
    )
    spans = pl.DataFrame(
        [(bench.channel(), T, T + HOUR / 2)],
        schema=dict(frames.SPANS),
        orient="row",
    )
    bins = completeness.of_bins(
        frames.check(stored, frames.VALID_VOLUMES),
        excluded=spans,
        imputed=frames.empty(frames.IMPUTED),
    ).sort("time")
    found = served(bench, bins=4)
    for name in ("observed", "normalised", "excluded"):
        shares = (bins[f"{name}_s"] / 3600).round(4)
        assert found[name].to_list() == pytest.approx(shares.to_list(), abs=1e-4)
    for name in ("volume", "car", "valid"):
        assert found[name].to_list() == bins[name].to_list()
    estimates = bins["volume_normalised"].to_list()
    assert found["volume_normalised"].to_list() == pytest.approx(estimates, abs=0.05)
    assert found["volume"].to_list() == [None, 54, 36, 30]
    assert found["expected"].to_list() == [1, 1, 1, 1]


def test_a_silent_lane_leaves_the_cross_section_incomplete(bench: Bench) -> None:
    bench.count([6] * 12, interval_s=300)
    bench.compute()
    found = served(bench, direction="all").row(0, named=True)
    assert (found["observed"], found["expected"], found["valid"]) == (0.5, 1, False)
    assert served(bench)["valid"].to_list() == [True]


def test_trap_5_a_late_dump_of_days_makes_them_whole(bench: Bench) -> None:
    query = (
        "select observed, valid from daily_figure where direction = 'in' order by day"
    )
    start = datetime.combine(date(2026, 9, 14), T.timetz()) - 10 * HOUR
    bench.count([9] * 10, start=start)
    bench.compute()
    (first,) = bench.rows(query)
    assert first == (pytest.approx(10 / 24), False)
    # everything once more, and what was missing
    bench.count([9] * 72, start=start)
    bench.compute()
    assert bench.rows(query) == [(1, True)] * 3
    assert bench.rows(
        "select sum(volume) from daily_figure where direction = 'in'"
    ) == [(72 * 9,)]


def test_trap_9_the_same_interval_twice_counts_once(bench: Bench) -> None:
    for _ in range(2):
        bench.count([6] * 12, interval_s=300)
        bench.compute()
        assert bench.hour() == (72, 3600, None)


def test_late_history_changes_how_long_a_gap_is_acceptable(bench: Bench) -> None:
    # two readings in a row are missing: ten minutes, acceptable below 1,500 an hour
    count_but(bench, {20, 25}, cars=140)
    bench.compute()
    assert not valid(bench)
    for n in range(1, 6):
        bench.count([800], start=T - n * WEEK)
    bench.compute()
    assert valid(bench)
    assert bench.rows("select count(*) from stale_bucket") == [(0,)]
