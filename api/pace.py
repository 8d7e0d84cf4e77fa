"""How fast a client may ask: limits a minute by address, account and token.

What a client asks fills a bucket, which empties within a minute; so as much as a minute
allows may come at once. Buckets are in memory: a request costs no query. Once a second
a server adds those that are no longer nearly empty to the database, and goes on with
what all servers have filled; without a database, with its own.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems
from api.database import Database
from api.errors import TooFast
from api.session import ASSETS, SAFE
from verkehrspuls.access import limits
from verkehrspuls.errors import Unavailable
from verkehrspuls.metrics import Metrics
from verkehrspuls.settings import Api
from verkehrspuls.storage.database import execute

log = logging.getLogger(__name__)

#: what is limited, by setting
LIMITS: Final = {
    "address_requests_per_minute": "{} requests of an address",
    "address_changes_per_minute": "{} changes of an address",
    "account_requests_per_minute": "{} requests of an account or token",
    "account_changes_per_minute": "{} changes of an account or token",
    "ingest_per_minute": "{} messages of a token",
}
#: paths without a limit: whoever watches over the server asks them
PROBES: Final = ("/healthz", "/readyz")
#: most buckets in memory, about 5 MB; of more, those that were filled last are kept
MAX_BUCKETS: Final = 20_000
#: how full a bucket is that servers share
SHARED_FROM: Final = 0.1
#: pause between sharing
SHARE_S: Final = 1.0
#: addresses of which is remembered as what they count
_MAX_ADDRESSES: Final = 4096
_ROUNDING_S: Final = 1e-6

_Network = IPv4Network | IPv6Network


@dataclass(slots=True)
class _Bucket:
    """How full it was at a time, 1 is the limit, and how much of that is not shared."""

    at: float
    fill: float = 0.0
    unshared: float = 0.0

    def empty(self, now: float) -> None:
        """Let out what ran out since."""
        self.fill = max(0.0, self.fill - max(0.0, now - self.at) / 60)
        self.unshared = min(self.unshared, self.fill)
        self.at = now


class Pace:
    """The buckets of one server."""

    def __init__(
        self,
        settings: Api,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = {name: getattr(settings, name) for name in LIMITS}
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        #: by limit and client; the one filled last is last
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        #: to be shared
        self._due: set[tuple[str, str]] = set()

    def count(self, scope: Scope, of: Literal["address", "account"], who: str) -> None:
        """Count a request; raise `TooFast` if there were too many."""
        if scope["path"] in PROBES or scope["path"].startswith(ASSETS):
            return
        kind = "requests" if scope["method"] in SAFE else "changes"
        self.take(f"{of}_{kind}_per_minute", who)

    def take(self, limit: str, who: str, count: int = 1) -> None:
        """Count something that is limited; raise `TooFast` if there was too much.

        What is more than the limit by itself is taken from a client that waited.
        """
        most = self._most[limit]
        if not most:
            return
        key, part = (limit, who), count / most
        with self._lock:
            now = self._clock()
            bucket = self._buckets.pop(key, None) or _Bucket(now)
            self._buckets[key] = bucket
            if len(self._buckets) > MAX_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
            bucket.empty(now)
            wait_s = (bucket.fill + min(part, 1.0) - 1) * 60
            if wait_s <= _ROUNDING_S:
                bucket.fill += part
                bucket.unshared += part
                if bucket.fill >= SHARED_FROM:
                    self._due.add(key)
                return
        self._metrics.count_refused(limit)
        raise TooFast(allowed=LIMITS[limit].format(most), retry_s=math.ceil(wait_s))

    def share(self, database: Database) -> None:
        """Share full buckets with other servers; without a database, later."""
        with self._lock:
            sent = {}
            for key in self._due & self._buckets.keys():
                bucket = self._buckets[key]
                bucket.empty(self._clock())
                sent[key] = bucket.unshared
            self._due = set(sent)
        if not sent:
            return
        try:
            with database.writing() as connection:
                rows = execute(
                    connection,
                    "fill_buckets",
                    clients=[" ".join(key) for key in sent],
                    added=list(sent.values()),
                ).fetchall()
        except Unavailable:
            return
        with self._lock:
            now = self._clock()
            for (key, part), row in zip(sent.items(), rows, strict=True):
                if found := self._buckets.get(key):
                    found.empty(now)
                    found.unshared = max(0.0, found.unshared - part)
                    found.fill = row["fill"] + found.unshared
                    if not found.unshared:
                        self._due.discard(key)

    @asynccontextmanager
    async def shared(self, database: Database) -> AsyncIterator[None]:
        """Share with other servers while the context lasts."""
        sharing = asyncio.create_task(self._keep_sharing(database), name="pace")
        try:
            yield
        finally:
            sharing.cancel()
            with suppress(asyncio.CancelledError):
                await sharing

    async def _keep_sharing(self, database: Database) -> None:
        while True:
            await asyncio.sleep(SHARE_S)
            if self._due:
                try:
                    await run_in_threadpool(self.share, database)
                except Exception:
                    # each server goes on with its own buckets
                    log.exception("failed")


class Paced:
    """Middleware that refuses requests of an address that sends too many."""

    def __init__(self, app: ASGIApp, *, pace: Pace, settings: Api) -> None:
        self.app = app
        self.pace = pace
        # where a proxy names no client, its own address says nothing
        names = (*settings.trusted_proxies, *settings.unlimited_addresses)
        unlimited = [ip_network(name) for name in names]
        self._counted = lru_cache(_MAX_ADDRESSES)(lambda a: counted(a, unlimited))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, unless its address has sent too many."""
        if scope["type"] == "http":
            address, _ = scope.get("client") or ("", 0)
            if who := self._counted(address):
                try:
                    self.pace.count(scope, "address", who)
                except TooFast as error:
                    refused = problems.own(Request(scope), error)
                    await refused(scope, receive, send)
                    return
        await self.app(scope, receive, send)


def counted(address: str, unlimited: Sequence[_Network]) -> str:
    """Return what an address counts as; empty: it has no limit, or is no address."""
    who = limits.network(address)
    if who:
        found = ip_address(address)
        found = getattr(found, "ipv4_mapped", None) or found
        if any(found in network for network in unlimited):
            return ""
    return who
