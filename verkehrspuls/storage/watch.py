"""A server that does not answer: it works for us, or it is lost.

One that was stopped keeps its sockets open, and nothing ever comes from them; nor does
from a connection whose other end is gone. The driver waits for ever, so the server is
asked, over another connection, what it does for the one that waits.
"""

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec
import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import set_json_loads

from verkehrspuls.storage.named import queries

T = TypeVar("T")

#: Seconds without an answer until the server is asked, and for its answer to that.
ASK_S: Final = 3.0
#: Questions in a row without an answer, or without work for us, until it is lost.
DOUBTS: Final = 2
#: A network that is gone is noticed by the system after a minute, not two hours.
REACH: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: Interval of checks of work in another thread.
LOOK_S: Final = 0.1
#: Time that a healthy server has to report the timeout of a statement itself.
GRACE_S: Final = 1.0

_TIMEOUT: Final = re.compile(r"statement_timeout=(\d+)")
#: States of a backend from which nothing will come.
_IDLE: Final = ("idle", "idle in transaction", "idle in transaction (aborted)")


class Lost(psycopg.OperationalError):
    """The server has not answered for a while, and does not work for us."""

    def __init__(self) -> None:
        super().__init__(" ".join((type(self).__doc__ or "").split()))


#: the same few for every statement
@lru_cache(maxsize=64)
def conninfo(url: str, **session: Any) -> str:
    """Add time limits to a URL; those that it has stay."""
    return make_conninfo("", **{**REACH, **conninfo_to_dict(url), **session})


class Watch:
    """Watches one statement; raises `Lost` where waiting is in vain."""

    def __init__(
        self, where: str, *, limit_s: float | None = None, asks: bool = True
    ) -> None:
        """Begin; `where` is the conninfo of the connection that waits."""
        self._where = where
        self._limit_s = limit_s
        self._asks = asks
        #: the process of the server that works for us; None: not known yet
        self.backend: int | None = None
        self._since = time.monotonic()
        self._next = self._since + ASK_S
        self._doubts = 0

    def look(self) -> None:
        """Ask the server if nothing came for a while; raise `Lost` if it is lost."""
        now = time.monotonic()
        if self._limit_s is not None and now - self._since > self._limit_s:
            raise Lost
        if not self._asks or now < self._next:
            return
        state = _state(self._where, self.backend)
        works = state is not None and state not in _IDLE
        self._doubts = 0 if works else self._doubts + 1
        if self._doubts >= DOUBTS:
            raise Lost
        # one that did not answer has had its time
        self._next = time.monotonic() + (ASK_S if state else 0)


class Watched(psycopg.Connection[Any]):
    """A connection that does not wait for a server that is lost."""

    #: Maximum wait for an answer; None: that of the session's statement_timeout.
    answer_s: float | None = None
    asks = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Decode JSON with msgspec, because lists of sites contain much of it."""
        super().__init__(*args, **kwargs)
        set_json_loads(msgspec.json.decode, self)

    def wait(self, gen: PQGen[T], *args: Any, **kwargs: Any) -> T:
        """Wait for an answer, and watch the server meanwhile."""
        return super().wait(self._watched(gen), *args, **kwargs)

    def _watched(self, gen: PQGen[T]) -> PQGen[T]:
        watch: Watch | None = None
        ready: Any = None
        try:
            while True:
                ready = yield gen.send(ready)
                if ready:
                    watch = None
                elif watch is None:
                    watch = self._watch()
                else:
                    watch.look()
        except StopIteration as end:
            answer: T = end.value
            return answer
        except Lost:
            # nothing more can be said over it
            self.pgconn.finish()
            raise

    def _watch(self) -> Watch:
        info = self.info
        where = make_conninfo("", **info.get_parameters(), password=info.password)
        limit_s = self.answer_s or timeout_s(info.options)
        watch = Watch(where, limit_s=limit_s, asks=self.asks)
        watch.backend = info.backend_pid
        return watch


def in_time(where: str, work: Callable[[Watch], T]) -> T:
    """Do work of a driver that waits for ever: in a thread, which is left when lost.

    The connection that it uses is its own from then on, and must not be closed.
    """
    watch = Watch(where, limit_s=_limit_s(where))
    found: Future[T] = Future()

    def run() -> None:
        try:
            found.set_result(work(watch))
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=run, name="database", daemon=True).start()
    while not wait([found], LOOK_S).done:
        watch.look()
    return found.result()


@lru_cache(maxsize=16)
def _limit_s(where: str) -> float | None:
    """Return how long a statement may take over connections of a conninfo."""
    return timeout_s(str(conninfo_to_dict(where).get("options", "")))


def timeout_s(options: str) -> float | None:
    """Return how long a statement may take by the options of its session."""
    found = _TIMEOUT.search(options)
    return int(found[1]) / 1000 + GRACE_S if found else None


def _state(where: str, backend: int | None) -> str | None:
    """Ask what the server does for one of its processes; None: it does not answer."""
    try:
        with Watched.connect(
            where, options="", connect_timeout=int(ASK_S), autocommit=True
        ) as connection:
            connection.asks, connection.answer_s = False, ASK_S
            query = queries()["backend_state"]
            row = connection.execute(query, {"pid": backend}).fetchone()
    except psycopg.Error as error:
        # one that refuses us, such as for too many clients, is there
        return error.sqlstate
    # unknown where another one is between us
    return (row and row[0]) or "unknown"
