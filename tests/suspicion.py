"""A suspected fault of a sensor, what a person decides of it, and doubled hours."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from analytics.cases import casework
from tests.cases import Finding, open_case
from verkehrspuls.storage.database import connect


@contextmanager
def suspicion(
    url: str, site: str, quantity: str, began: datetime, ended: datetime
) -> Iterator[Callable[..., int]]:
    """For a while, a channel is suspected to be stuck; yields how a person decides."""
    with connect(url, autocommit=True) as connection:
        number = open_case(
            connection, Finding(site, quantity, "stuck", began, ended, score=1)
        )

        def decide(**decision: Any) -> int:
            return casework.change(connection, number, who="Ada", **decision)

        try:
            yield decide
        finally:
            for table in ("case_event", "case_member", "anomaly_case"):
                query = f"delete from vp.{table} where anomaly_case_id = %s"
                connection.execute(query.encode(), [number])


@contextmanager
def ambiguous(url: str, site: str, quantity: str, time: datetime) -> Iterator[None]:
    """For a while, nobody knows which pass of a doubled hour a reading is of."""
    with connect(url, autocommit=True) as connection:
        connection.execute(
            "insert into vp.ambiguous_reading (channel_id, time, why)"
            " select channel_id, %s, 'once' from vp.channel join vp.site s"
            " using (site_id) where s.key = %s and quantity = %s",
            [time, site, quantity],
        )
        try:
            yield
        finally:
            connection.execute("delete from vp.ambiguous_reading")


def suspected_until_decided(
    ask: Callable[[], dict[str, Any]],
    url: str,
    site: str,
    quantity: str,
    began: datetime,
    ended: datetime,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check an answer before, with, and after a suspicion; returns its two values."""
    plain = ask()
    assert plain["without_suspected"] is None
    with suspicion(url, site, quantity, began, ended) as decide:
        found = ask()
        trusted = found["without_suspected"]
        assert _figures(found) == _figures(plain)
        assert _figures(trusted) != _figures(found, like=trusted)
        assert _share(found, "suspected") > 0 == _share(trusted, "suspected")
        with ambiguous(url, site, quantity, began):
            doubled = ask()
        passport = doubled["without_suspected"]["passport"]
        assert hours_of(passport) == hours_of(doubled["passport"]) == [began]
        decide(state="rejected")
        rejected = ask()
        assert rejected["without_suspected"] is None
        assert _share(rejected, "suspected") == 0
        assert _figures(rejected) == _figures(plain)
        decide(state="confirmed", effect="exclude")
        confirmed = ask()
        assert confirmed["without_suspected"] is None
        assert _share(confirmed, "excluded") == _share(trusted, "excluded")
        assert _figures(confirmed, like=trusted) == _figures(trusted)
    assert _figures(ask()) == _figures(plain)
    return found, trusted


def _figures(
    found: Mapping[str, Any], *, like: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    names = (like or found).keys() - {"passport", "without_suspected"}
    return {name: found[name] for name in names}


def hours_of(passport: Mapping[str, Any]) -> list[datetime]:
    """Ambiguous hours of a passport, or of passports by quantity."""
    return [
        datetime.fromisoformat(hour)
        for one in _passports(passport)
        for hour in one["ambiguous_hours"]
    ]


def _share(found: Mapping[str, Any], name: str) -> float:
    """The greatest share of the passport, or of the passports by quantity."""
    return max(float(one[name]) for one in _passports(found["passport"]))


def _passports(passport: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [passport] if "method" in passport else list(passport.values())
