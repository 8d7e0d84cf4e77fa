"""Hours of a town held against each other, however late some of them come."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from analytics.jobs import case_hours, case_store, claims
from tests.integration.test_analytics import HOUR, NOW, WEEK, Bench, T, benched
from verkehrspuls.model import Channel, Site, Town
from verkehrspuls.registry.towns import register

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
LARGE_VOLUME = 1450


@pytest.fixture
def bench(plain_database: str) -> Iterator[Bench]:
    with benched(plain_database) as bench:
        register(bench.connection, TOWN)
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
    count(bench, first, LARGE_VOLUME)
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
    assert expected == [(LARGE_VOLUME, 1000)]


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


def test_a_site_that_becomes_private_leaves_the_case_of_public_ones(
    bench: Bench,
) -> None:
    for site in SITES:
        count(bench, site, 3000)
    bench.compute()
    assert states(bench) == [("above-usual", False)]
    bench.connection.execute(
        "update site set visibility = 'private' where key = any(%s)", [[*SITES[4:]]]
    )
    # one that was parted is not touched again
    assert [case_store.part_mixed(bench.store) for _ in range(2)] == [1, 0]
    cases = bench.rows(
        "select a.sites, array_agg(s.key::text order by s.key) from anomaly_case a "
        "join case_member e using (anomaly_case_id) join channel c "
        "on c.channel_id = e.channel_id join site s on s.site_id = c.site_id "
        "group by a.anomaly_case_id order by 2"
    )
    assert cases == [(4, [*SITES[:4]]), *((1, [site]) for site in SITES[4:])]


def test_a_running_hour_is_judged_when_it_has_ended(bench: Bench) -> None:
    count(bench, SITES[0], LARGE_VOLUME)
    bench.compute(now=T + HOUR - timedelta(seconds=1))
    assert states(bench) == []
    assert case_hours.judge(bench.store, now=T + HOUR) == 1
    assert states(bench) == [("above-usual", False)]
    assert case_hours.judge(bench.store, now=T + HOUR) == 0


def test_hours_that_turn_out_to_be_stuck_are_no_longer_unusual(bench: Bench) -> None:
    channel = bench.channel("all", site=SITES[0])
    for week in range(1, 6):
        hours = [1000, 990, 1010, 1005]
        bench.count(hours, start=T - week * WEEK, channel=channel)
    for hour in range(4):
        bench.count([1700], start=T + hour * HOUR, channel=channel)
        bench.compute()
        standing = {detector for _, detector, *_ in members(bench)}
        assert standing == {"stuck" if hour == 3 else "unusual-volume"}
    # and are again when one of them is corrected
    bench.count([1000], start=T + HOUR, channel=channel)
    bench.compute()
    found = sorted((began, ended) for _, _, began, ended, *_ in members(bench))
    assert found == [(T, T + HOUR), (T + 2 * HOUR, T + 4 * HOUR)]


def test_hours_of_a_long_time_are_judged_in_parts(bench: Bench) -> None:
    for days in (0, 27, 28, 100):
        bench.connection.execute(
            "insert into stale_case_hour select municipality_id, %s "
            "from municipality where key = %s",
            (T - timedelta(days=days), TOWN.key),
        )
    taken = [case_hours.judge(bench.store, now=NOW) for _ in range(4)]
    assert taken == [1, 2, 1, 0]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_comes_in_pieces_ends_with_the_cases_of_all_at_once(
    bench: Bench, seed: int
) -> None:
    chance = random.Random(seed)
    hours = 48
    town = [chance.choice([1, 1, 1, 0.8, 1.25]) for _ in range(hours)]
    counts = {
        site: [round(1000 * ratio * chance.uniform(0.95, 1.05)) for ratio in town]
        for site in SITES
    }
    for _ in range(6):
        site, first = chance.choice(SITES), chance.randrange(hours - 6)
        factor = chance.choice([0, 0.55, 1.7])
        for hour in range(first, first + chance.randint(1, 6)):
            counts[site][hour] = round(counts[site][hour] * factor)
    pieces = [
        (site, T + first * HOUR, counts[site][first : first + 8])
        for site in SITES
        for first in range(0, hours, 8)
    ]
    # what is usual comes late, too
    pieces += [
        (site, T - week * WEEK, [1000 + 20 * week] * hours)
        for site in SITES
        for week in range(1, 4)
    ]
    chance.shuffle(pieces)
    for site, start, series in pieces:
        bench.count(series, start=start, channel=bench.channel("all", site=site))
        if chance.random() < 0.3:
            bench.compute(now=T + hours * HOUR)
    bench.compute(now=T + hours * HOUR)
    standing = members(bench)
    assert {detector for _, detector, *_ in standing} >= {"unusual-volume"}
    claims.mark_stale(bench.store, claims.Choice())
    bench.compute(now=T + hours * HOUR)
    assert members(bench) == standing


def members(bench: Bench) -> set[tuple[Any, ...]]:
    """All that stands, with its evidence."""
    return set(
        bench.rows(
            "select channel_id, detector, began, ended, reason, observed, usual, score "
            "from case_member where withdrawn_at is null"
        )
    )
