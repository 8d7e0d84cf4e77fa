"""Limits of attempts, which all processes share: by account and by network address."""

import math
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

from verkehrspuls.errors import VerkehrspulsError
from verkehrspuls.settings import Access
from verkehrspuls.storage.database import Connection, one

Kind = Literal["password", "passkey", "second-factor", "address", "challenge"]
#: by network address
_OF_ADDRESS: Final = ("address", "challenge")


class TooManyAttempts(VerkehrspulsError):
    """There were too many attempts; try again at {when}."""

    code = "too-many-attempts"
    http_status = 429

    until: datetime
    #: seconds from when it is raised
    retry_s: int

    def __init__(self, *, until: datetime) -> None:
        wait_s = math.ceil((until - datetime.now(UTC)).total_seconds())
        super().__init__(
            until=until, when=f"{until:%H:%M:%S} UTC", retry_s=max(1, wait_s)
        )


def count(
    connection: Connection, kind: Kind, subject: str, settings: Access
) -> datetime | None:
    """Count an attempt; return until when none is possible, None if this one is.

    The transaction has to be committed, whatever comes of the attempt.
    """
    most = settings.attempts_per_minute
    if kind in _OF_ADDRESS:
        most = settings.address_attempts_per_minute
    until: datetime | None = one(
        connection,
        "count_attempt",
        kind=kind,
        subject=subject,
        most=most,
        lockout=timedelta(seconds=settings.lockout_s),
        longest=timedelta(minutes=settings.longest_lockout_min),
    )["until"]
    return until


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 the network of a customer."""
    try:
        known = ip_address(address)
    except ValueError:
        return ""
    if isinstance(known, IPv6Address):
        known = known.ipv4_mapped or IPv6Address(int(known) >> 64 << 64)
    return str(known)
