"""Hours of a town held against each other, however late some of them come."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from analytics import case_hours
from analytics.store import open_store
from tests.integration.test_analytics import HOUR, NOW, WEEK, Bench, T
from verkehrspuls.model import Channel, Site, Town
from verkehrspuls.storage.registry import register

SITES = tuple(f"site-{n}" for n in range(6))
TOWN = Town(
    key="town",
    name="Town",
    state="RP",
    sites=tuple(
        Site(
            key=key,
            name=key,
            channels=(Channel(key="all", name="All", quantity="motor"),),
        )
        for key in SITES
    ),
    sensors=(),
)
#: much more than the usual 1000, but not beside a town that has a quarter more
MUCH = 1450


@pytest.fixture
def bench(plain_database: str) -> Iterator[Bench]:
    with open_store(plain_database, application="test") as store:
        bench = Bench(plain_database, store)
        register(store.connection, TOWN)
        for site in SITES:
            for week in range(1, 6):
                count(bench, site, 1000, weeks_ago=week)
        bench.compute()
        yield bench


def count(bench: Bench, site: str, volume: int, *, weeks_ago: int = 0) -> None:
    channel = bench.channel("all", site=site)
    bench.count([volume], start=T - weeks_ago * WEEK, channel=channel)


def states(bench: Bench) -> list[tuple[str, bool]]:
    return [(case["reason"], case["withdrawn"]) for case in bench.cases()]


def test_an_hour_is_judged_again_with_each_site_that_comes(bench: Bench) -> None:
    first, *others = SITES
    count(bench, first, MUCH)
    bench.compute()
    assert states(bench) == [("above-usual", False)]
    for site in others:
        count(bench, site, 1250)
        bench.compute()
    assert states(bench) == [("above-usual", True)]
    for site in others:
        count(bench, site, 1000)
    bench.compute()
    assert states(bench) == [("above-usual", False)]
    expected = bench.rows("select observed, usual from case_member")
    assert expected == [(MUCH, 1000)]


def test_the_order_in_which_sites_come_makes_no_difference(bench: Bench) -> None:
    first, *others = SITES
    for site in others:
        count(bench, site, 700)
    bench.compute()
    assert states(bench) == []
    count(bench, first, 1250)
    bench.compute()
    ((observed, usual),) = bench.rows("select observed, usual from case_member")
    assert (observed, round(usual)) == (1250, 820)


def test_a_running_hour_is_judged_when_it_has_ended(bench: Bench) -> None:
    count(bench, SITES[0], MUCH)
    bench.compute(now=T + HOUR - timedelta(seconds=1))
    assert states(bench) == []
    assert case_hours.judge(bench.store, now=T + HOUR) == 1
    assert states(bench) == [("above-usual", False)]
    assert case_hours.judge(bench.store, now=T + HOUR) == 0


def test_hours_of_a_long_time_are_judged_in_parts(bench: Bench) -> None:
    for days in (0, 27, 28, 100):
        bench.store.connection.execute(
            "insert into stale_case_hour select municipality_id, %s "
            "from municipality where key = %s",
            (T - timedelta(days=days), TOWN.key),
        )
    taken = [case_hours.judge(bench.store, now=NOW) for _ in range(4)]
    assert taken == [1, 2, 1, 0]
