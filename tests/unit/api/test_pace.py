"""Limits a minute: buckets, and what counts as whose."""

from ipaddress import ip_network
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api import pace
from api.errors import TooFast
from api.pace import Pace, counted
from verkehrspuls.metrics import Metrics
from verkehrspuls.settings import Api

LIMIT: Final = "address_requests_per_minute"
HOME: Final = "203.0.113.7"


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def paced(clock: Clock, metrics: Metrics | None = None, **limits: Any) -> Pace:
    return Pace(Api(**limits), metrics or Metrics(), clock=clock)


def taken(of: Pace, times: int, who: str = HOME, limit: str = LIMIT) -> int:
    """Ask so often, and return how often it was taken."""
    found = 0
    for _ in range(times):
        try:
            of.take(limit, who)
        except TooFast:
            continue
        found += 1
    return found


def wait_of(of: Pace, who: str = HOME, limit: str = LIMIT, count: int = 1) -> int:
    """Return how long a client has to wait that is refused."""
    with pytest.raises(TooFast) as refused:
        of.take(limit, who, count)
    return refused.value.retry_s


@pytest.mark.parametrize("most", [1, 3, 7, 60, 3000])
def test_a_minutes_worth_is_taken_at_once_and_no_more(clock: Clock, most: int) -> None:
    of = paced(clock, address_requests_per_minute=most)
    assert taken(of, most + 5) == most
    # others have their own, and so has what changes something
    assert taken(of, most, who="203.0.113.8") == most
    assert taken(of, 5, limit="address_changes_per_minute") == 5


@pytest.mark.parametrize("most", [1, 3, 7, 60, 3000])
def test_who_comes_back_when_told_is_let_in(clock: Clock, most: int) -> None:
    of = paced(clock, address_requests_per_minute=most)
    for _ in range(20):
        taken(of, most)
        clock.now += wait_of(of)
        of.take(LIMIT, HOME)
    # refusals are not counted
    clock.now += 60
    assert taken(of, most + 1) == most


def test_whoever_asks_on_gets_what_a_minute_allows(clock: Clock) -> None:
    of = paced(clock, address_requests_per_minute=60)
    found = 0
    for _ in range(600):
        found += taken(of, 3)
        clock.now += 0.5
    # five minutes, and what was free in the beginning
    assert found == pytest.approx(60 * 6, abs=2)


def test_a_refusal_says_how_much_is_taken_and_when_again(clock: Clock) -> None:
    of = paced(clock, ingest_per_minute=4)
    of.take("ingest_per_minute", "token 1", 3)
    with pytest.raises(TooFast) as refused:
        of.take("ingest_per_minute", "token 1", 3)
    assert refused.value.http_status == 429
    assert str(refused.value) == (
        "No more than 4 messages of a token are taken in a minute. Try again in 30 s."
    )


def test_more_than_a_minutes_worth_is_taken_from_who_waited(clock: Clock) -> None:
    of = paced(clock, ingest_per_minute=4)
    of.take("ingest_per_minute", "token 1", 9)
    assert wait_of(of, "token 1", "ingest_per_minute") == 90
    clock.now += 90
    of.take("ingest_per_minute", "token 1")


def test_a_limit_of_zero_is_none(clock: Clock) -> None:
    of = paced(clock, address_requests_per_minute=0)
    assert taken(of, 100_000) == 100_000


@pytest.mark.parametrize("jump", [-86_400.0, -1.0, 86_400.0])
def test_a_clock_that_jumps_shuts_nobody_out(clock: Clock, jump: float) -> None:
    of = paced(clock, address_requests_per_minute=60)
    taken(of, 60)
    clock.now += jump
    assert taken(of, 1) == (jump > 0)
    clock.now += 60
    assert taken(of, 60) == 60


def test_a_flood_of_addresses_takes_no_memory_and_hides_nobody(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "MAX_BUCKETS", 100)
    of = paced(clock, address_requests_per_minute=10)
    taken(of, 10)
    for number in range(1000):
        assert taken(of, 1, who=f"2001:db8:{number:x}::") == 1
        # who goes on asking stays known
        assert taken(of, 1) == 0
    assert len(of._buckets) == 100


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("GET", "/de/", "account_requests_per_minute"),
        ("HEAD", "/api/v1/sites", "account_requests_per_minute"),
        ("OPTIONS", "/api/v1/sites", "account_requests_per_minute"),
        ("GET", "/metrics", "account_requests_per_minute"),
        ("GET", "/healthz/", "account_requests_per_minute"),
        ("POST", "/de/cases/1", "account_changes_per_minute"),
        ("PATCH", "/api/v1/cases/1", "account_changes_per_minute"),
        ("DELETE", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/assets/style.0.css", None),
    ],
)
def test_what_a_request_counts_as(
    clock: Clock, method: str, path: str, limit: str | None
) -> None:
    limits = dict.fromkeys(pace.LIMITS, 1)
    metrics = Metrics()
    of = paced(clock, metrics, **limits)
    scope = {"method": method, "path": path}
    of.count(scope, "account", "1")
    if limit is None:
        of.count(scope, "account", "1")
        return
    with pytest.raises(TooFast):
        of.count(scope, "account", "1")
    refused = {
        sample.labels["limit"]: sample.value
        for family in text_string_to_metric_families(metrics.render(None).decode())
        for sample in family.samples
        if sample.name == "verkehrspuls_refused_requests_total"
    }
    assert refused == {limit: 1}


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("198.51.100.9", ""),
        ("::ffff:198.51.100.9", ""),
        ("2001:db8:ff:1::5", ""),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("testclient", ""),
    ],
)
def test_what_an_address_counts_as(address: str, who: str) -> None:
    unlimited = [ip_network("198.51.100.0/24"), ip_network("2001:db8:ff::/48")]
    assert counted(address, unlimited) == who


def test_each_limit_is_a_setting() -> None:
    settings = Api()
    for limit, allowed in pace.LIMITS.items():
        assert getattr(settings, limit) > 0
        assert allowed.startswith("{} ")
