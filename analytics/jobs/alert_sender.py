"""Send alerts by webhook and e-mail, only to the configured addresses.

The table `alert` holds the alerts to send; several workers may send them. Each message
is sent at least once; a repeated digest has the same key, by which the receiver can
recognise it. Redirects are not followed, and only the status of an answer is read.

Any error with a message is a failed attempt, which is retried later: neither a message
nor an address delays the others.
"""

import io
import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from email.message import EmailMessage
from http.client import HTTPConnection, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg

from analytics.cases import alerts
from verkehrspuls.cases import Case
from verkehrspuls.errors import DatabaseUnavailable
from verkehrspuls.settings import Alerts, Settings
from verkehrspuls.storage.case_lists import CURRENT_DAYS, list_cases
from verkehrspuls.storage.database import Connection, connect, execute, one

log = logging.getLogger(__name__)

#: Time that a server has for each step, and for a whole message.
STEP_TIMEOUT_S: Final = 10.0
MESSAGE_TIMEOUT_S: Final = 20.0
#: Maximum size of a mail server's replies to one message.
MAX_REPLY_BYTES: Final = 1_000_000
POLL_S: Final = 5.0
#: Maximum changes in a message; the rest follows in the next one. An e-mail lists only
#: the first ones and counts the rest.
MAX_CHANGES: Final = {"webhook": 200, "email": 100_000}

Changes = Sequence[Mapping[str, Any]]
Cases = Mapping[int, Case]
Deliver = Callable[[Alerts, Any, Changes, datetime], None]


class HTTPError(OSError):
    """The server answered with a status other than success."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def run(settings: Settings, destination: str, stop: threading.Event) -> None:
    """Send to a destination until `stop` is set; reconnect to a lost database."""
    url = settings.database.login("analytics")
    while not stop.is_set():
        try:
            with connect(url, application="verkehrspuls alerts") as connection:
                while not stop.is_set():
                    with connection.transaction():
                        now = one(connection, "clock")["now"]
                    if not send(connection, settings.alerts, now=now, to=[destination]):
                        stop.wait(POLL_S)
        except (
            psycopg.OperationalError,
            psycopg.InterfaceError,
            DatabaseUnavailable,
        ) as error:
            log.warning("database_lost", extra={"reason": str(error).strip()})
            stop.wait(POLL_S)


def send(
    connection: Connection,
    settings: Alerts,
    *,
    now: datetime,
    to: Sequence[str] | None = None,
) -> bool:
    """Create alerts, and send the due ones of one destination.

    `to` are the destinations, by default all configured ones. Return False if nothing
    is due.
    """
    _make(connection, settings, now=now)
    with connection.transaction():
        due = _due(connection, alerts.destinations(settings) if to is None else to, now)
        if not due:
            return False
        try:
            with connection.transaction():
                _try(connection, settings, due, now=now)
        except psycopg.OperationalError:
            raise
        except Exception as error:
            _put_off(connection, settings, due, error, now=now)
    return True


def discard_unset(connection: Connection, settings: Alerts) -> None:
    """Discard messages for destinations without an address in the settings."""
    with connection.transaction():
        execute(
            connection,
            "give_up_unset_alerts",
            destinations=alerts.destinations(settings),
        )


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
            always=list(alerts.OF_DEVICES) if settings.devices else [],
            destinations=alerts.destinations(settings),
            digest_min=settings.digest_min,
            newest_h=settings.newest_h,
            current_days=CURRENT_DAYS,
        )
        execute(connection, "hasten_alerts", now=now)


def _due(connection: Connection, to: Sequence[str], now: datetime) -> Changes:
    rows = execute(
        connection,
        "due_alerts",
        now=now,
        destinations=list(to),
        most=[MAX_CHANGES[destination] for destination in to],
    ).fetchall()
    return [
        {**row, "municipality_name": alerts.in_a_line(row["municipality_name"])}
        for row in rows
    ]


def _try(
    connection: Connection, settings: Alerts, due: Changes, *, now: datetime
) -> None:
    """Send the due changes in one message; put off those that cannot be composed."""
    until = alerts.quiet_until(settings.quiet, now, due[0]["time_zone"])
    if until is not None:
        _delay(connection, due, due_at=until, attempts=0)
        return
    cases = _cases(connection, due)
    stale = [row for row in due if _is_obsolete(row, cases)]
    _settle(connection, stale, given_up="withdrawn before it was told")
    rest = [row for row in due if row not in stale]
    compose, deliver = _DESTINATIONS[due[0]["destination"]]
    try:
        message = rest and compose(rest, cases, settings)
    except Exception as error:
        sound = [row for row in rest if _is_sound(row, cases, settings)]
        unsound = [row for row in rest if row not in sound]
        if not unsound:
            raise
        _put_off(connection, settings, unsound, error, now=now)
        rest = sound
        message = rest and compose(rest, cases, settings)
    if rest:
        deliver(settings, message, rest, now)
        log.info("alerts_sent", extra={"changes": len(rest)})
        _settle(connection, rest, sent_at=now)


def _is_sound(row: Mapping[str, Any], cases: Cases, settings: Alerts) -> bool:
    compose, _ = _DESTINATIONS[row["destination"]]
    try:
        compose([row], cases, settings)
    except Exception:
        return False
    return True


def _put_off(
    connection: Connection,
    settings: Alerts,
    rows: Changes,
    error: Exception,
    *,
    now: datetime,
) -> None:
    """Record a failed attempt; schedule the next one, or give up after the last."""
    # an error message may contain the address with a secret: log only its type
    code = getattr(error, "code", None) or getattr(error, "smtp_code", None) or ""
    reason = f"{type(error).__name__} {code}".strip()
    attempts = max(row["attempts"] for row in rows) + 1
    log.warning("alert_failed", extra={"reason": reason, "attempts": attempts})
    if attempts >= settings.attempts:
        _settle(connection, rows, given_up=reason)
    else:
        _delay(connection, rows, due_at=now + alerts.wait(attempts), attempts=1)


def _webhook(settings: Alerts, body: bytes, due: Changes, now: datetime) -> None:
    url = urlsplit(settings.webhook_url.get_secret_value())
    if url.scheme not in ("http", "https") or not url.hostname:
        raise OSError("not an HTTP address")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "verkehrspuls",
        "Idempotency-Key": alerts.key(due),
        "Connection": "close",
    }
    if secret := settings.webhook_secret.get_secret_value():
        headers["Verkehrspuls-Signature"] = alerts.signature(body, secret, now=now)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    # no proxy, no redirect: only the address that is set
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    with (
        closing(kind(url.hostname, url.port, timeout=STEP_TIMEOUT_S)) as connection,
        _bounded(lambda: connection.sock),
    ):
        connection.request("POST", target, body, headers)
        status = connection.getresponse().status
    if not 200 <= status < 300:
        raise HTTPError(status)


def _email(
    settings: Alerts, message: EmailMessage, _due: Changes, now: datetime
) -> None:
    message["Date"] = now
    secure = ssl.create_default_context()
    where = (settings.smtp_host, settings.smtp_port)
    made: list[_Brief] = []
    with _bounded(lambda: made[0].sock if made else None):
        server: smtplib.SMTP = (
            _BriefTls(*where, timeout=STEP_TIMEOUT_S, context=secure, made=made)
            if settings.smtp_security == "tls"
            else _Brief(*where, timeout=STEP_TIMEOUT_S, made=made)
        )
        with closing(server):
            if settings.smtp_security == "starttls":
                server.starttls(context=secure)
            if settings.smtp_user:
                password = settings.smtp_password.get_secret_value()
                server.login(settings.smtp_user, password)
            refused = server.send_message(message)
            if refused:
                log.warning("recipients_refused", extra={"recipients": len(refused)})
            # the server has the message: errors of QUIT do not matter
            with suppress(OSError, smtplib.SMTPException):
                server.quit()


class _Brief(smtplib.SMTP):
    """A mail client that limits the size of replies; `made` receives it at once."""

    def __init__(self, *arguments: Any, made: "list[_Brief]", **more: Any) -> None:
        self.sock = None
        made.append(self)
        super().__init__(*arguments, **more)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Limited(self.sock.makefile("rb", buffering=0))
        return super().getreply()


class _BriefTls(_Brief, smtplib.SMTP_SSL):
    """The same, with TLS from the start."""


class _Limited(io.BufferedReader):
    """A reader of lines that raises an error beyond `MAX_REPLY_BYTES`."""

    left = MAX_REPLY_BYTES

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise OSError("the server's replies are too long")
        return line


@contextmanager
def _bounded(find: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Shut a connection down after `MESSAGE_TIMEOUT_S`, even while data still arrives.

    The time-out of a socket begins anew with each piece that arrives.
    """
    done = threading.Event()

    def watch() -> None:
        left = MESSAGE_TIMEOUT_S
        while not done.wait(left):
            if (found := find()) is not None:
                with suppress(OSError):
                    socket.socket.shutdown(found, socket.SHUT_RDWR)
            left = 1.0

    threading.Thread(target=watch, name="alerts.watch", daemon=True).start()
    try:
        yield
    finally:
        done.set()


#: Functions that compose and deliver a message, by destination.
_DESTINATIONS: Final[
    Mapping[str, tuple[Callable[[Changes, Cases, Alerts], Any], Deliver]]
] = {
    "webhook": (
        lambda due, cases, _: alerts.webhook_body(due, cases),
        _webhook,
    ),
    "email": (alerts.email, _email),
}


def _cases(connection: Connection, due: Changes) -> dict[int, Case]:
    """Find the cases that changes are of, by number; one that is gone is left out."""
    found = {}
    for number in {row["anomaly_case_id"] for row in due}:
        for case in list_cases(connection, case=number, standing=None):
            found[number] = case
    return found


def _is_obsolete(row: Mapping[str, Any], cases: Cases) -> bool:
    """Return whether an unsent change no longer applies."""
    case = cases.get(row["anomaly_case_id"])
    if case is None:
        return True
    gone = case.withdrawn_at is not None
    return gone and row["kind"] in ("opened", "raised", "returned")


def _settle(
    connection: Connection,
    rows: Changes,
    *,
    sent_at: datetime | None = None,
    given_up: str | None = None,
) -> None:
    _update(connection, "settle_alerts", rows, sent_at=sent_at, given_up=given_up)


def _delay(
    connection: Connection, rows: Changes, *, due_at: datetime, attempts: int
) -> None:
    _update(connection, "delay_alerts", rows, due_at=due_at, attempts=attempts)


def _update(connection: Connection, query: str, rows: Changes, **values: Any) -> None:
    execute(connection, query, alerts=[row["alert_id"] for row in rows], **values)
