"""Sends alerts: by webhook and e-mail, to the addresses that are set and to no other.

What is to be sent stands in the table `alert`; several workers may send. A message is
sent at least once; the same digest has the same key, so that who gets it twice can
tell. Redirects are not followed.
"""

import logging
import smtplib
import ssl
import threading
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg

from analytics import alerts
from verkehrspuls.errors import DatabaseUnavailable
from verkehrspuls.settings import Alerts, Settings
from verkehrspuls.storage import series
from verkehrspuls.storage.database import Connection, connect, execute

log = logging.getLogger(__name__)

#: How long a server may take to answer.
ANSWER_S: Final = 10.0
EVERY_S: Final = 5.0

Changes = Sequence[Mapping[str, Any]]
Cases = Mapping[int, Mapping[str, Any]]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def run(settings: Settings, stop: threading.Event) -> None:
    """Send until `stop` is set; a lost database is waited for."""
    url = settings.database.url.get_secret_value()
    while not stop.is_set():
        try:
            with connect(url, application="verkehrspuls alerts") as connection:
                while not stop.is_set():
                    now = datetime.now(UTC)
                    if not send(connection, settings.alerts, now=now):
                        stop.wait(EVERY_S)
        except (psycopg.OperationalError, DatabaseUnavailable) as error:
            log.warning("database_lost", extra={"reason": str(error).strip()})
            stop.wait(EVERY_S)


def send(connection: Connection, settings: Alerts, *, now: datetime) -> bool:
    """Make and send what is due to one destination; False where nothing is."""
    _make(connection, settings, now=now)
    with connection.transaction():
        due = execute(connection, "due_alerts", now=now).fetchall()
        if not due:
            return False
        until = alerts.quiet_until(settings.quiet, now, due[0]["time_zone"])
        if until is not None:
            _delay(connection, due, due_at=until, attempts=0)
            return True
        cases = _cases(connection, due)
        stale = [row for row in due if _in_vain(row, cases)]
        _settle(connection, stale, given_up="withdrawn before it was told")
        rest = [row for row in due if row not in stale]
        if rest:
            _try(connection, settings, rest, cases, now=now)
    return True


def _make(connection: Connection, settings: Alerts, *, now: datetime) -> None:
    with connection.transaction():
        rows = execute(connection, "municipality_keys").fetchall()
        wanted = alerts.least_severities(settings.rules, [row["key"] for row in rows])
        execute(
            connection,
            "make_alerts",
            now=now,
            rules=list(wanted),
            severities=list(wanted.values()),
            destinations=alerts.destinations(settings),
            digest_min=settings.digest_min,
            newest_h=settings.newest_h,
        )


def _try(
    connection: Connection,
    settings: Alerts,
    due: Changes,
    cases: Cases,
    *,
    now: datetime,
) -> None:
    deliver: Callable[..., None] = (
        _webhook if due[0]["destination"] == "webhook" else _email
    )
    try:
        deliver(settings, due, cases, now=now)
    except (OSError, smtplib.SMTPException) as error:
        # the address may hold a secret: only what the server said is logged
        reason = f"{type(error).__name__} {getattr(error, 'code', '')}".strip()
        attempts = max(row["attempts"] for row in due) + 1
        log.warning("alert_failed", extra={"reason": reason, "attempts": attempts})
        if attempts >= settings.attempts:
            _settle(connection, due, given_up=reason)
        else:
            _delay(connection, due, due_at=now + alerts.wait(attempts), attempts=1)
    else:
        log.info("alerts_sent", extra={"changes": len(due)})
        _settle(connection, due, sent_at=now)


def _webhook(settings: Alerts, due: Changes, cases: Cases, *, now: datetime) -> None:
    url = settings.webhook_url.get_secret_value()
    if urlsplit(url).scheme not in ("http", "https"):
        raise OSError("not an HTTP address")
    body = alerts.webhook_body(due, cases)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "verkehrspuls",
        "Idempotency-Key": alerts.key(due),
    }
    if secret := settings.webhook_secret.get_secret_value():
        headers["Verkehrspuls-Signature"] = alerts.signature(body, secret, now=now)
    request = urllib.request.Request(  # noqa: S310 - looked at above
        url, body, headers, method="POST"
    )
    # no proxy, no redirect: only the address that is set
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=ANSWER_S):
        return


def _email(settings: Alerts, due: Changes, cases: Cases, *, now: datetime) -> None:
    message = alerts.email(due, cases, settings)
    message["Date"] = now
    secure = ssl.create_default_context()
    where = (settings.smtp_host, settings.smtp_port)
    with (
        smtplib.SMTP_SSL(*where, timeout=ANSWER_S, context=secure)
        if settings.smtp_security == "tls"
        else smtplib.SMTP(*where, timeout=ANSWER_S)
    ) as server:
        if settings.smtp_security == "starttls":
            server.starttls(context=secure)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        server.send_message(message)


def _cases(connection: Connection, due: Changes) -> dict[int, dict[str, Any]]:
    found = {}
    for number in {row["anomaly_case_id"] for row in due}:
        (found[number],) = series.cases(
            connection, case=number, open_only=False, visible=series.EVERYTHING
        )
    return found


def _in_vain(row: Mapping[str, Any], cases: Cases) -> bool:
    """Tell whether a change that nobody was told of is not so any more."""
    gone = cases[row["anomaly_case_id"]]["withdrawn_at"] is not None
    return gone and row["kind"] in ("opened", "raised", "returned")


def _settle(
    connection: Connection,
    rows: Changes,
    *,
    sent_at: datetime | None = None,
    given_up: str | None = None,
) -> None:
    execute(
        connection,
        "settle_alerts",
        alerts=[row["alert_id"] for row in rows],
        sent_at=sent_at,
        given_up=given_up,
    )


def _delay(
    connection: Connection, rows: Changes, *, due_at: datetime, attempts: int
) -> None:
    execute(
        connection,
        "delay_alerts",
        alerts=[row["alert_id"] for row in rows],
        due_at=due_at,
        attempts=attempts,
    )
