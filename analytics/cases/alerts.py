"""Alerts: which changes of cases are sent to whom, in which words, and when again.

Nothing here touches a network or the database; `analytics.jobs.alert_sender` does.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from typing import Any, Final
from zoneinfo import ZoneInfo

from analytics.cases import states
from analytics.cases.sentences import sentence
from analytics.cases.severity import LEVELS
from verkehrspuls.cases import Case
from verkehrspuls.errors import UsageError
from verkehrspuls.settings import Alerts
from verkehrspuls.text import mark, translate, translate_plural

#: Cases that a message names; the others are counted.
MAX_CASES_LISTED: Final = 30
#: Characters of a line.
MAX_LINE_LENGTH: Final = 1000
#: Waits between attempts double from the first to the longest.
FIRST_WAIT: Final = timedelta(seconds=30)
MAX_WAIT: Final = timedelta(hours=2)

#: Reasons of cases that are about a device, not about the street.
OF_DEVICES: Final = ("silent", "device-clock", "device-battery")
#: What became of a case, by kind of event.
KINDS: Final = states.KINDS | {"opened": mark("new")}


def destinations(settings: Alerts) -> list[str]:
    """List where messages go; nowhere, unless addresses are set."""
    found = []
    if settings.webhook_url.get_secret_value():
        found.append("webhook")
    if settings.email_to and settings.smtp_host:
        found.append("email")
    return found


def least_severities(rules: Sequence[str], keys: Iterable[str]) -> dict[str, str]:
    """Return the least severity that is sent, by municipality; the others get nothing.

    A rule is `municipality:severity`; `*` stands for all that have none of their own,
    and the severity `off` for nothing.
    """
    wanted = dict(rule.split(":", 1) for rule in rules)
    found = {key: wanted.get(key, wanted.get("*", "off")) for key in keys}
    return {key: level for key, level in found.items() if level in LEVELS}


def require_addresses(settings: Alerts) -> None:
    """Refuse settings by which messages that are wanted would be sent nowhere."""
    if settings.lacks:
        raise UsageError(reason=settings.lacks)


def quiet_until(quiet: str, now: datetime, zone: str) -> datetime | None:
    """Return when the quiet period (`22:00-06:00`, local) around `now` ends, if any."""
    if not quiet:
        return None
    begin, end = (time.fromisoformat(part) for part in quiet.split("-"))
    local = now.astimezone(ZoneInfo(zone))
    clock = local.time()
    within = begin <= clock < end if begin <= end else clock >= begin or clock < end
    if not within:
        return None
    day = local.date() + timedelta(days=int(clock >= end))
    return datetime.combine(day, end, ZoneInfo(zone)).astimezone(now.tzinfo)


def wait(attempts: int) -> timedelta:
    """Return how long to wait after a number of failed attempts."""
    return min(FIRST_WAIT * int(2 ** min(attempts, 20)), MAX_WAIT)


def lines(
    changes: Sequence[Mapping[str, Any]],
    cases: Mapping[int, Case],
    language: str,
) -> list[str]:
    """Write a line for each case of `changes`, with its newest change."""
    newest = {change["anomaly_case_id"]: change for change in changes}
    shown = [
        f"#{number} [{translate(_become(change, cases[number]), language)}] "
        f"{in_a_line(sentence(cases[number], language))}"
        for number, change in list(newest.items())[:MAX_CASES_LISTED]
    ]
    if (more := len(newest) - MAX_CASES_LISTED) > 0:
        text = translate_plural(
            "… and %(count)s more case", "… and %(count)s more cases", more, language
        )
        shown.append(text % {"count": more})
    return shown


def in_a_line(text: str) -> str:
    """Make a text one line of bounded length, without control characters."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(shown.split())[:MAX_LINE_LENGTH]


def subject(changes: Sequence[Mapping[str, Any]], language: str) -> str:
    """Write the subject of a digest."""
    count = len({change["anomaly_case_id"] for change in changes})
    text = translate_plural(
        "%(place)s: %(count)s case", "%(place)s: %(count)s cases", count, language
    )
    place = changes[0]["municipality_name"]
    if changes[0]["simulated"]:
        place += f" ({translate(mark('simulated'), language)})"
    return text % {"place": place, "count": count}


def email(
    changes: Sequence[Mapping[str, Any]],
    cases: Mapping[int, Case],
    settings: Alerts,
) -> EmailMessage:
    """Write the message of a digest."""
    message = EmailMessage()
    message["Subject"] = f"Verkehrspuls, {subject(changes, settings.language)}"
    message["From"] = settings.email_from or settings.email_to[0]
    message["To"] = ", ".join(settings.email_to)
    message["Message-ID"] = f"<{key(changes)}@verkehrspuls>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n\n".join(lines(changes, cases, settings.language)) + "\n")
    return message


def webhook_body(
    changes: Sequence[Mapping[str, Any]], cases: Mapping[int, Case]
) -> bytes:
    """Write a digest as one JSON object; the `id` of a change is unique."""
    body = {name: changes[0][name] for name in ("municipality", "simulated")}
    body["changes"] = [
        _entry(change, cases[change["anomaly_case_id"]]) for change in changes
    ]
    return json.dumps(body, ensure_ascii=False).encode()


def _entry(change: Mapping[str, Any], case: Case) -> dict[str, Any]:
    plain = ("site", "reason", "severity", "state", "effect")
    return {
        "id": change["alert_id"],
        "change": change["kind"],
        "at": change["at"].isoformat(),
        "by": change["who"],
        "case": change["anomaly_case_id"],
        **{name: getattr(case, name) for name in plain},
        **{name: getattr(case, name).isoformat() for name in ("began", "ended")},
        **{f"sentence_{key}": sentence(case, key) for key in ("de", "en")},
    }


def key(changes: Sequence[Mapping[str, Any]]) -> str:
    """Return the same key for the same digest, so that a repetition is recognised."""
    numbers = ",".join(str(change["alert_id"]) for change in changes)
    return hashlib.sha256(numbers.encode()).hexdigest()[:32]


def signature(body: bytes, secret: str, *, now: datetime) -> str:
    """`t=<Unix time>,v1=<HMAC-SHA-256 of time, full stop and body>`."""
    stamp = str(int(now.timestamp()))
    signed = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    return f"t={stamp},v1={signed.hexdigest()}"


def _become(change: Mapping[str, Any], case: Case) -> str:
    kind: str = change["kind"]
    return states.STATES[case.state] if kind == "decided" else KINDS[kind]
