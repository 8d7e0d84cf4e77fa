"""The analytics worker: computes stale hours until it is stopped."""

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from analytics.cases import alerts
from analytics.jobs import (
    alert_sender,
    case_days,
    case_devices,
    case_hours,
    case_store,
    claims,
    estimates,
    health_store,
)
from analytics.jobs.store import Store, open_store
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import is_lost
from verkehrspuls.storage.roles import require_login

log = logging.getLogger(__name__)

MAINTAIN_S = 86_400.0
#: Interval between two looks at clocks and batteries.
DEVICES_S = 3600.0
MAX_RETRY_WAIT_S = 30.0
#: A larger difference between clocks means that one is wrong, or was set.
MAX_CLOCK_DIFFERENCE_S = 60.0
#: Time after a jump of the clock in which silence is not judged.
SETTLE_S = 300.0
#: Interval between log entries about differing clocks.
CLOCK_LOG_S = 3600.0
#: Time after the start in which health is judged, and forecasts are made, again; it
#: doubles up to the setting.
FIRST_S: Final = 15.0
#: Time before a failed site or municipality is tried again.
RETRY_FAILED_S = 600.0


class Worker:
    """One worker; several may run, each on other sites."""

    def __init__(
        self,
        settings: Settings,
        *,
        on_ready: Callable[[], None],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Prepare; without a `clock`, use that of the database."""
        self._all = settings
        self._settings = settings.analytics
        self._limits = settings.health
        self._url = settings.database.login("analytics")
        self._on_ready = on_ready
        self._clock = clock
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._ready = False
        # not at once: a running back-fill may still deliver missing hours
        self._due: dict[str, float] = {"impute": time.monotonic()}
        self._avoid: dict[int, float] = {}
        self._avoid_towns: dict[int, float] = {}
        #: the last time read from the database, with the monotonic time then
        self._last: tuple[datetime, float] | None = None
        self._settles_until = 0.0
        self._singly_until = 0.0
        self._days_left = False
        self._health_s = min(FIRST_S, self._limits.every_s)
        self._forecast_s = min(FIRST_S, self._settings.forecast_s)

    def stop(self) -> None:
        """Let `run` return after the current claim."""
        self._stop.set()

    def run(self) -> None:
        """Compute until `stop` is called; reconnect to a lost database.

        Each destination of alerts has its own thread, so that a slow server delays
        nothing else. If a thread dies, the worker ends with its error, and its
        supervisor restarts it.
        """
        alerts.require_addresses(self._all.alerts)
        for destination in alerts.destinations(self._all.alerts):
            threading.Thread(
                target=self._send_alerts,
                args=(destination,),
                name=f"alerts.{destination}",
                daemon=True,  # an interrupted message is sent again
            ).start()
        self._compute_all()
        if self._failure is not None:
            raise self._failure

    def _send_alerts(self, destination: str) -> None:
        try:
            alert_sender.run(self._all, destination, self._stop)
        except BaseException as error:
            self._failure = error
            self._stop.set()

    def _compute_all(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                with open_store(
                    self._url, application="verkehrspuls analytics"
                ) as store:
                    require_login(store.connection, "analytics")
                    self._announce()
                    failures = 0
                    self._work(store)
            except Exception as error:
                if not is_lost(error):
                    raise
                # a lost transaction is repeated
                wait = min(MAX_RETRY_WAIT_S, 0.25 * 2**failures)
                # jitter, so that workers do not all reconnect at once
                wait *= random.uniform(0.5, 1.0)  # noqa: S311 - no secret
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
                claims.maintain(store, self._settings, now=self._now(store))
                case_store.part_mixed(store)
                alert_sender.discard_unset(store.connection, self._all.alerts)
                self._done("maintain")
            if self._process(store):
                continue
            if self._judge_cases(store):
                continue
            now = self._now(store)
            if self._is_due("silence", self._settings.silence_s) and self._settled:
                self._check_silence(store, now)
            if self._is_due("devices", DEVICES_S) and self._settled:
                self._check_devices(store, now)
            if self._judge_health(store):
                continue
            self._estimate(store)
            self._stop.wait(self._settings.poll_s)

    def _process(self, store: Store) -> bool:
        """Perform one claim; return whether another one may follow at once."""
        began = time.monotonic()
        try:
            marks = claims.process(
                store,
                self._settings,
                now=self._now(store),
                avoid=[site for site, until in self._avoid.items() if until > began],
                singly=began < self._singly_until,
            )
        except claims.ClaimFailed as failed:
            if is_lost(failed):
                raise
            self._set_aside(store, failed, now=began)
            return True
        if marks:
            took_s = round(time.monotonic() - began, 3)
            log.info("computed", extra={"marks": marks, "took_s": took_s})
        return marks >= self._settings.claim_hours

    def _judge_cases(self, store: Store) -> bool:
        """Judge hours or days of a town; return whether more may be due."""
        began, now = time.monotonic(), self._now(store)
        avoid = [town for town, until in self._avoid_towns.items() if until > began]
        try:
            return bool(
                case_hours.judge(store, now=now, avoid=avoid)
                or case_days.judge(store, now=now, avoid=avoid)
            )
        except case_store.TownFailed as failed:
            if is_lost(failed):
                raise
            log.exception("judging_failed", extra={"municipality": failed.municipality})
            self._avoid_towns[failed.municipality] = began + RETRY_FAILED_S
            self._note(store, failed, municipality=failed.municipality)
            return True

    def _check_silence(self, store: Store, now: datetime) -> None:
        self._done("silence")
        try:
            claims.check_silence(store, now=now)
        except Exception as error:
            if is_lost(error):
                raise
            log.exception("silence_failed")

    def _check_devices(self, store: Store, now: datetime) -> None:
        self._done("devices")
        try:
            case_devices.check_devices(store, self._limits, now=now)
        except Exception as error:
            if is_lost(error):
                raise
            log.exception("devices_failed")

    def _judge_health(self, store: Store) -> bool:
        """Judge a week of due days; return whether more are due."""
        if self._is_due("health", self._health_s):
            if "health" in self._due:
                # soon at first: a new town, or a back-fill, has no verdicts yet
                self._health_s = min(2 * self._health_s, self._limits.every_s)
            health_store.mark_running(store, now=self._now(store))
            self._done("health")
            self._days_left = True
        try:
            self._days_left = self._days_left and health_store.judge(
                store, self._limits, now=self._now(store)
            )
        except Exception as error:
            if is_lost(error):
                raise
            # the marks remain for the next attempt
            log.exception("health_failed")
            self._days_left = False
        return self._days_left

    def _estimate(self, store: Store) -> None:
        """Impute and forecast if due; a failure is retried when it is due again."""
        for name, every_s, work in (
            ("impute", self._settings.impute_s, estimates.put_imputed),
            ("forecast", self._forecast_s, estimates.put_forecasts),
        ):
            if not self._is_due(name, every_s) or self._stop.is_set():
                continue
            if name == "forecast" and name in self._due:
                # soon at first, as health
                longer = min(2 * self._forecast_s, self._settings.forecast_s)
                self._forecast_s = longer
            self._done(name)
            try:
                work(store, self._settings, now=self._now(store))
            except Exception as error:
                if is_lost(error):
                    raise
                log.exception("estimate_failed", extra={"work": name})

    def _set_aside(
        self, store: Store, failed: claims.ClaimFailed, *, now: float
    ) -> None:
        """Find the failing site by single claims, and skip it for some time."""
        log.error("claim_failed", extra={"sites": failed.sites}, exc_info=failed)
        if len(failed.sites) == 1:
            self._avoid[failed.sites[0]] = now + RETRY_FAILED_S
            self._note(store, failed, site=failed.sites[0])
        else:
            self._singly_until = now + RETRY_FAILED_S

    def _note(
        self,
        store: Store,
        failed: Exception,
        *,
        site: int | None = None,
        municipality: int | None = None,
    ) -> None:
        """Record for `doctor` which site or municipality is skipped."""
        reason = " ".join(repr(failed.__cause__).split())
        store.execute(
            "put_set_aside", site=site, municipality=municipality, reason=reason
        )

    def _now(self, store: Store) -> datetime:
        """Return the time of the database; log if our clock differs, or if it jumps.

        After a jump, or after this machine was suspended, messages wait at the broker:
        silence is judged only after they have been processed.
        """
        if self._clock is not None:
            return self._clock()
        now, steady = store.now(), time.monotonic()
        if self._last is not None:
            jump_s = (now - self._last[0]).total_seconds() - (steady - self._last[1])
            if abs(jump_s) > MAX_CLOCK_DIFFERENCE_S:
                log.warning("clock_jumped", extra={"s": round(jump_s)})
                self._settles_until = steady + SETTLE_S
        self._last = now, steady
        ahead_s = (datetime.now(UTC) - now).total_seconds()
        if abs(ahead_s) > MAX_CLOCK_DIFFERENCE_S and self._is_due("clock", CLOCK_LOG_S):
            log.warning("clock_differs", extra={"ahead_s": round(ahead_s)})
            self._done("clock")
        return now

    @property
    def _settled(self) -> bool:
        return time.monotonic() >= self._settles_until

    def _is_due(self, name: str, every_s: float) -> bool:
        last = self._due.get(name)
        return last is None or time.monotonic() - last >= every_s

    def _done(self, name: str) -> None:
        self._due[name] = time.monotonic()
