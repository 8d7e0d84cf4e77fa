"""The worker: computes what is stale as it comes, until it is told to stop."""

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
from adbc_driver_manager import Error as ArrowError

from analytics import (
    alert_sender,
    alerts,
    case_days,
    case_hours,
    estimates,
    health_store,
    jobs,
)
from analytics.store import Store, open_store
from verkehrspuls.errors import DatabaseUnavailable
from verkehrspuls.settings import Settings

log = logging.getLogger(__name__)

#: What a lost database raises; a transaction that was lost is done again.
LOST = (psycopg.OperationalError, DatabaseUnavailable, ArrowError)

MAINTAIN_S = 86_400.0
LONGEST_WAIT_S = 30.0
#: For so long a site whose figures could not be computed is left alone.
AVOID_S = 600.0


def _now() -> datetime:
    return datetime.now(UTC)


class Worker:
    """One worker. Several may run: each site has one at a time."""

    def __init__(
        self,
        settings: Settings,
        *,
        on_ready: Callable[[], None],
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._all = settings
        self._settings = settings.analytics
        self._limits = settings.health
        self._url = settings.database.url.get_secret_value()
        self._on_ready = on_ready
        self._clock = clock
        self._stop = threading.Event()
        self._ready = False
        # what a back-fill is about to bring is not missing
        self._due: dict[str, float] = {"impute": time.monotonic()}
        self._avoid: dict[int, float] = {}
        self._singly_until = 0.0
        self._days_left = False

    def stop(self) -> None:
        """Let `run` return after the claim that is being computed."""
        self._stop.set()

    def run(self) -> None:
        """Compute until `stop` is called; a lost database is waited for.

        Alerts are sent beside it, so that a slow server holds nothing up.
        """
        if alerts.destinations(self._all.alerts):
            threading.Thread(
                target=alert_sender.run,
                args=(self._all, self._stop),
                name="alerts",
                daemon=True,  # what is being sent is sent again
            ).start()
        failures = 0
        while not self._stop.is_set():
            try:
                with open_store(
                    self._url, application="verkehrspuls analytics"
                ) as store:
                    self._announce()
                    failures = 0
                    self._work(store)
            except LOST as error:
                wait = min(LONGEST_WAIT_S, 0.25 * 2**failures)
                # several workers shall not come back in step
                wait *= random.uniform(0.5, 1.0)  # noqa: S311
                failures += 1
                reason = " ".join(str(error).split())
                log.warning(
                    "database_lost", extra={"reason": reason, "wait_s": round(wait, 2)}
                )
                self._stop.wait(wait)

    def _announce(self) -> None:
        if not self._ready:
            self._ready = True
            self._on_ready()

    def _work(self, store: Store) -> None:
        while not self._stop.is_set():
            if self._is_due("maintain", MAINTAIN_S):
                jobs.maintain(store, self._settings, now=self._clock())
                self._done("maintain")
            if self._process(store):
                continue
            if self._judge_cases(store):
                continue
            if self._is_due("silence", self._settings.silence_s):
                jobs.check_silence(store, now=self._clock())
                self._done("silence")
            if self._judge_health(store):
                continue
            self._estimate(store)
            self._stop.wait(self._settings.poll_s)

    def _process(self, store: Store) -> bool:
        """Do one claim; tells whether there may be more at once."""
        began = time.monotonic()
        try:
            marks = jobs.process(
                store,
                self._settings,
                now=self._clock(),
                avoid=[site for site, until in self._avoid.items() if until > began],
                singly=began < self._singly_until,
            )
        except jobs.ClaimFailed as failed:
            if isinstance(failed.__cause__, LOST):
                raise failed.__cause__ from None
            self._set_aside(failed, now=began)
            return True
        if marks:
            took_s = round(time.monotonic() - began, 3)
            log.info("computed", extra={"marks": marks, "took_s": took_s})
        return marks >= self._settings.claim_hours

    def _judge_cases(self, store: Store) -> bool:
        """Judge hours or days of a town; tells whether there may be more at once."""
        now = self._clock()
        return bool(case_hours.judge(store, now=now) or case_days.judge(store, now=now))

    def _judge_health(self, store: Store) -> bool:
        """Judge a week of days that are due; tells whether there are more at once."""
        if self._is_due("health", self._limits.every_s):
            health_store.mark_running(store, now=self._clock())
            self._done("health")
            self._days_left = True
        try:
            self._days_left = self._days_left and health_store.judge(
                store, self._limits, now=self._clock()
            )
        except LOST:
            raise
        except Exception:
            # the marks stay, for the next time that it is due
            log.exception("health_failed")
            self._days_left = False
        return self._days_left

    def _estimate(self, store: Store) -> None:
        """Impute and forecast what is due; what fails is tried when it is due again."""
        for name, every_s, work in (
            ("impute", self._settings.impute_s, estimates.put_imputed),
            ("forecast", self._settings.forecast_s, estimates.put_forecasts),
        ):
            if not self._is_due(name, every_s) or self._stop.is_set():
                continue
            self._done(name)
            try:
                work(store, self._settings, now=self._clock())
            except LOST:
                raise
            except Exception:
                log.exception("estimate_failed", extra={"work": name})

    def _set_aside(self, failed: jobs.ClaimFailed, *, now: float) -> None:
        """Go on with the other sites: find the one that fails, and try it later."""
        log.error("claim_failed", extra={"sites": failed.sites}, exc_info=failed)
        if len(failed.sites) == 1:
            self._avoid[failed.sites[0]] = now + AVOID_S
        else:
            self._singly_until = now + AVOID_S

    def _is_due(self, name: str, every_s: float) -> bool:
        last = self._due.get(name)
        return last is None or time.monotonic() - last >= every_s

    def _done(self, name: str) -> None:
        self._due[name] = time.monotonic()
