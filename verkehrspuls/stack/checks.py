"""Checks of `verkehrspuls doctor`: each part, and what to do about its problems."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from verkehrspuls import __version__
from verkehrspuls.errors import BrokerUnavailable, VerkehrspulsError
from verkehrspuls.settings import Database, Settings
from verkehrspuls.stack import binaries, broker, postgres
from verkehrspuls.stack.account import SHARED, own_account, server_account
from verkehrspuls.stack.state import Running, read_running, resolve, state_directory
from verkehrspuls.wording import some

if TYPE_CHECKING:
    from verkehrspuls.stack.probe import Probe
    from verkehrspuls.storage.alerts import HeldUp
    from verkehrspuls.storage.database import Connection
    from verkehrspuls.storage.ledger import NeverSent, OfNobody
    from verkehrspuls.storage.migrate import Status
    from verkehrspuls.storage.sites import Municipality
    from verkehrspuls.storage.slots import Slot

OK: Final = "ok"
OFF: Final = "off"
PROBLEM: Final = "problem"

#: Faults, sites, sensors or topics listed at once.
MAX_LISTED: Final = 10
#: number of sensors listed whose clock is ahead
MAX_CLOCKS_LISTED: Final = 5
#: with less free space a database will soon stop storing readings
MIN_FREE_BYTES = 1 << 30
#: what a public town registers, or the operator sets for all of them
_ADDRESSES: Final = ("imprint", "privacy", "contact")


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check, and what to do about it."""

    part: str
    state: Literal["ok", "off", "problem"]
    detail: str
    version: str = ""
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Check all parts."""
    directory = state_directory(settings)
    running = read_running(directory)
    own = running is not None or not settings.database.url.get_secret_value()
    findings = [_program()]
    if own:
        findings.append(_directory(directory, running))
    findings += _embedded(settings)
    settings = resolve(settings, database=False)
    for check in (_database, _broker, _credentials):
        try:
            findings += check(settings)
        except VerkehrspulsError as error:
            part = check.__name__.removeprefix("_")
            findings.append(Finding(part, PROBLEM, str(error)))
    return [*findings, *(_parts(running, directory) if own else ())]


def _program() -> Finding:
    python = platform.python_version()
    return Finding(
        "verkehrspuls", OK, f"{__version__}, Python {python}, {sys.prefix}", __version__
    )


def _directory(directory: Path, running: Running | None) -> Finding:
    there = next(
        folder for folder in (directory, *directory.parents) if folder.exists()
    )
    free = shutil.disk_usage(there).free
    state = "in use" if running else "exists" if directory.exists() else "not created"
    detail = f"{directory} ({state}), {free / 1e9:.0f} GB free"
    if free < MIN_FREE_BYTES:
        return Finding("data", PROBLEM, detail, advice="Free space on the disk.")
    if directory.exists() and directory.stat().st_uid != os.geteuid():
        return Finding(
            "data",
            PROBLEM,
            f"{detail}, belongs to user id {directory.stat().st_uid}",
            advice="Run as that user, or set VERKEHRSPULS_STACK__DIRECTORY.",
        )
    return Finding("data", OK, detail)


def _embedded(settings: Settings) -> Iterator[Finding]:
    """Check the programs that `up` starts for parts without a URL."""
    part = "embedded parts"
    database = settings.database.url.get_secret_value()
    versions = []
    try:
        if not database:
            folder = binaries.postgres_binaries(settings.stack.postgres_binaries)
            versions.append(f"PostgreSQL {postgres.program_version(folder)}")
        if not settings.broker.url.get_secret_value():
            program = binaries.broker_binary()
            versions.append(f"NATS {broker.program_version(program)}")
        if not versions:
            return
        account = server_account(settings.stack.account, part=part)
    except (VerkehrspulsError, OSError) as error:
        if database:
            yield Finding(part, OFF, "not installed; only `up` would need them")
        else:
            yield Finding(part, PROBLEM, str(error))
        return
    version = ", ".join(versions)
    if account is None:
        yield Finding(part, OK, version, version)
        return
    whom = f"{version}, run as {account.name}"
    if account.name not in SHARED:
        yield Finding(part, OK, whom, version)
        return
    detail = f"{whom}; other programs run as it too, and can read all passwords"
    advice = own_account(state_directory(settings))
    yield Finding(part, OK, detail, version, advice)


def _database(settings: Settings) -> Iterator[Finding]:
    from verkehrspuls.access.accounts import lone_administrators
    from verkehrspuls.registry.calendar import known_until
    from verkehrspuls.registry.faults import registered_faults
    from verkehrspuls.storage.alerts import held_up
    from verkehrspuls.storage.database import connect, execute
    from verkehrspuls.storage.ledger import never_sent, of_nobody, only_counted
    from verkehrspuls.storage.migrate import status
    from verkehrspuls.storage.sites import list_municipalities
    from verkehrspuls.storage.slots import slots

    url = settings.database.url.get_secret_value()
    if not url:
        yield Finding("database", OFF, "none is set and none runs", advice=_START)
        return
    with connect(url, application="verkehrspuls doctor") as connection:
        row = execute(connection, "server_version").fetchone()
        version = str(row["server_version"]) if row else ""
        yield Finding("database", OK, f"PostgreSQL {version}", version)
        migrated = status(url)
        yield _migrations(migrated)
        if migrated.fault:
            return
        yield _roles(connection)
        yield from _logins(connection, settings.database)
        edition = execute(connection, "storage_edition").fetchone() or {}
        yield _rejects(only_counted(connection))
        yield _alerts(held_up(connection), lacks=settings.alerts.lacks)
        yield from _registry(registered_faults(connection))
        yield _addresses(list_municipalities(connection), settings)
        yield _administrators(lone_administrators(connection))
        yield from _intervals(execute(connection, "unlike_intervals").fetchall())
        yield from _figures(execute(connection, "lately_set_aside").fetchall())
        yield _calendar(known_until(connection), datetime.now(UTC).date())
        yield _silent(never_sent(connection))
        yield _unregistered(of_nobody(connection))
        yield from _slots(slots(connection))
        yield from _clocks(connection)
    if edition["edition"] == edition["detected"]:
        yield Finding("storage edition", OK, edition["edition"], edition["edition"])
    else:
        yield Finding(
            "storage edition",
            PROBLEM,
            f"made for {edition['edition']}, the server is {edition['detected']} now",
            edition["edition"],
            "Give the server back the TimescaleDB that it had.",
        )


def _migrations(found: "Status") -> Finding:
    part, version = "migrations", found.current or ""
    if found.fault:
        return Finding(part, PROBLEM, str(found.fault), version)
    if found.changed:
        return Finding(
            part,
            PROBLEM,
            f"changed after they were applied: {', '.join(found.changed)}",
            version,
            "Restore the files of the release: the changes are not in the database.",
        )
    return Finding(part, OK, f"revision {found.current}", version)


def _roles(connection: "Connection") -> Finding:
    """Report roles that somebody removed or renamed."""
    from verkehrspuls.errors import RolesMissing
    from verkehrspuls.storage.roles import require_roles

    try:
        require_roles(connection)
    except RolesMissing as error:
        return Finding("roles", PROBLEM, str(error))
    return Finding("roles", OK, "all of them are there")


def _logins(connection: "Connection", database: Database) -> Iterator[Finding]:
    """Report parts that log in above their role, and logins that are refused."""
    from verkehrspuls.storage.database import connect, execute
    from verkehrspuls.storage.roles import PARTS, require_login

    owner = database.url.get_secret_value()
    own = {part: url for part in PARTS if (url := database.login(part)) != owner}
    wrong = {
        row[
            "part"
        ]: f"it is connected as `{row['role']}`, which may do everything; set "
        f"VERKEHRSPULS_DATABASE__{PARTS[row['part']].setting}, and start it again"
        for row in execute(connection, "logins_above")
    }
    for part, url in own.items():
        try:
            with connect(url, application="verkehrspuls doctor") as opened:
                require_login(opened, part)
        except VerkehrspulsError as error:
            wrong.setdefault(part, str(error))
    for part, detail in wrong.items():
        yield Finding(f"login of {part}", PROBLEM, detail)
    if not wrong:
        known = (
            f"as roles of their own: {', '.join(own)}" if own else "none is set here"
        )
        yield Finding("logins", OK if own else OFF, known)


def _rejects(only_counted: int) -> Finding:
    if not only_counted:
        return Finding("rejected messages", OK, "all of them are kept")
    return Finding(
        "rejected messages",
        PROBLEM,
        f"{only_counted} in the last two hours were only counted, not kept: the "
        "maximum number is reached",
        advice="See `verkehrspuls reject count`; remove the cause and replay them, or "
        "raise VERKEHRSPULS_INGEST__KEEP_REJECTS.",
    )


def _alerts(found: "HeldUp", *, lacks: str) -> Finding:
    if lacks:
        advice = "Set it, or analytics does not start."
        return Finding("alerts", PROBLEM, lacks, advice=advice)
    if not found:
        return Finding("alerts", OK, "none is delayed")
    return Finding(
        "alerts",
        PROBLEM,
        f"they do not reach their recipients: {found}",
        advice="See `alert_failed` in the log of analytics. Correct the address, or "
        "repair the server that it names; alerts that wait are sent then.",
    )


def _registry(faults: "Mapping[str, Sequence[str]]") -> Iterator[Finding]:
    """Report faults of what is registered, by town."""
    if not faults:
        yield Finding("registrations", OK, "all of them are usable")
    for town, reasons in faults.items():
        yield Finding(
            f"registration {town}",
            PROBLEM,
            "; ".join(reasons[:MAX_LISTED])
            + (f"; {len(reasons)} in all" * (len(reasons) > MAX_LISTED)),
            advice="Correct it in the registration file, and run "
            "`verkehrspuls import town` again.",
        )


def _calendar(until: "Mapping[str, date | None]", today: date) -> Finding:
    """Report until which day school holidays are known in the states of the towns."""
    known = ", ".join(f"{state} until {last}" for state, last in until.items() if last)
    short = [state for state, last in until.items() if not last or last < today]
    if not short:
        return Finding("school holidays", OK, known or "no town is registered")
    return Finding(
        "school holidays",
        PROBLEM,
        f"they are not known for today: {', '.join(short)}"
        + (f" ({known})" if known else ""),
        advice="Means of workdays (DTVw5) have no value for later days. Update the "
        "program, or import the Ferienordnung with `verkehrspuls import holidays`.",
    )


def _addresses(towns: "Sequence[Municipality]", settings: Settings) -> Finding:
    """Report public towns without imprint, privacy notice or contact.

    Beside `up` they are not needed yet.
    """
    part = "imprint and contact"
    lacking = [
        f"{town.key} ({', '.join(lacks)})"
        for town in towns
        if town.public_sites
        and not town.simulated
        and (
            lacks := [
                name
                for name in _ADDRESSES
                if not getattr(town, name) and not getattr(settings.pages, name)
            ]
        )
    ]
    if not lacking:
        return Finding(part, OK, "each municipality with public sites has them")
    detail = f"municipalities that lack some: {some(lacking, most=MAX_LISTED)}"
    trial = read_running(state_directory(settings)) is not None
    return Finding(
        part,
        OK if trial else PROBLEM,
        detail,
        advice="Write them into the registration file, or set "
        "VERKEHRSPULS_PAGES__IMPRINT, __PRIVACY and __CONTACT for all.",
    )


def _administrators(lone: "Sequence[str]") -> Finding:
    """Report municipalities that one person administers alone."""
    part = "administrators"
    if not lone:
        return Finding(part, OK, "no municipality depends on a single one")
    return Finding(
        part,
        PROBLEM,
        f"there is only one of {some(lone, most=MAX_LISTED)}: if the account is lost, "
        "nobody there can invite people",
        advice="Make somebody else one: `verkehrspuls user invite EMAIL --name NAME "
        "--role MUNICIPALITY/administrator`.",
    )


def _intervals(unlike: "Sequence[Mapping[str, Any]]") -> Iterator[Finding]:
    """Report sensors that send other intervals than registered."""
    for row in unlike[:MAX_LISTED]:
        yield Finding(
            f"interval {row['municipality']}/{row['sensor']}",
            PROBLEM,
            f"it sends intervals of {row['sent_s']} s and is registered with "
            f"{row['registered_s']} s: readings are stored, but gaps and expected "
            "readings are computed from the registered one",
            advice=f"Register interval_s = {row['sent_s']}, or reconfigure the device.",
        )


def _figures(failed: "Sequence[Mapping[str, Any]]") -> Iterator[Finding]:
    """Report sites and towns whose computation failed."""
    if not failed:
        yield Finding("figures", OK, "the last computation succeeded for all")
    for row in failed[:MAX_LISTED]:
        where = "/".join(filter(None, (row["municipality"], row["site"])))
        yield Finding(
            f"figures {where}",
            PROBLEM,
            f"they cannot be computed: {row['reason']}",
            advice="Others are computed; it is tried again every 10 minutes, and "
            "nothing is lost. See `claim_failed` in the log of analytics.",
        )


def _silent(found: "list[NeverSent]") -> Finding:
    """Report sensors that never sent anything: the broker may drop their messages."""
    part = "silent sensors"
    if not found:
        return Finding(part, OK, "each installed sensor has sent messages")
    foreign = [one for one in found if one.topic]
    names = (
        f"{one.sensor} ({one.topic})" if one.topic else one.sensor for one in found
    )
    detail = f"{len(found)} never sent: {some(names, most=MAX_LISTED)}"
    if not foreign and not found[0].in_service:
        return Finding(part, OK, detail)
    advice = "Check that each publishes under its topic, and is permitted to."
    if foreign:
        advice += (
            " The broker must permit a foreign topic to the sender and to ingest: see "
            "`verkehrspuls sensor access`."
        )
    return Finding(part, PROBLEM, detail, advice=advice)


def _unregistered(found: "list[OfNobody]") -> Finding:
    """Report topics with messages but without a registered sensor."""
    part = "unknown senders"
    if not found:
        return Finding(
            part, OK, "each message of the last day is from a registered sensor"
        )
    messages = sum(one.messages for one in found)
    topics = some(
        (f"{one.topic[:200]!r} ({one.messages})" for one in found), most=MAX_LISTED
    )
    return Finding(
        part,
        PROBLEM,
        f"{messages} messages of the last day are from no registered sensor, under "
        f"{topics}",
        advice="Register the sensors, or correct the topic of one that never sent; "
        "then run `verkehrspuls reject replay`.",
    )


def _slots(found: "list[Slot]") -> Iterator[Finding]:
    """Report slots that no worker serves, or whose session was lost."""
    for one in found:
        part = f"ingest slot {one.slot}"
        if one.stranded:
            yield Finding(
                part,
                PROBLEM,
                "no worker serves it since "
                f"{one.committed_at:%Y-%m-%d %H:%M}Z; messages may wait for it at the "
                "broker",
                advice="Start its worker again; if it was removed for good, run "
                f"`verkehrspuls ingest drain --slot {one.slot}`.",
            )
        elif _lately(one.session_lost_at):
            yield Finding(
                part,
                PROBLEM,
                "the broker had forgotten its session at "
                f"{one.session_lost_at:%Y-%m-%d %H:%M}Z: messages may be missing",
                advice="See lost messages with `verkehrspuls ledger show`; set up the "
                "broker as described in docs/how-to/run-in-production.md.",
            )
        elif one.certificate_expires(datetime.now(UTC)):
            yield Finding(
                part,
                PROBLEM,
                "the broker's certificate is valid until "
                f"{one.certificate_ends:%Y-%m-%d %H:%M}Z only",
                advice="Renew it: `sudo deploy/prepare --renew HOST`, then restart the "
                "broker; sensors keep their certificate of the authority.",
            )
        elif one.guessable and not one.drained:
            yield Finding(
                part,
                PROBLEM,
                "its session has the name that an older version gave it, which can be "
                "guessed: a client that connects with it receives the waiting messages",
                advice="Start a worker of another slot, stop this one and run "
                f"`verkehrspuls ingest drain --slot {one.slot}`, as described in "
                "docs/how-to/scale-ingest.md.",
            )
        else:
            state = "closed" if one.drained else "a worker serves it"
            yield Finding(part, OK, state)


def _clocks(connection: "Connection") -> Iterator[Finding]:
    """Report whether the clocks of machine, database, ingest and sensors agree."""
    from verkehrspuls.storage import clocks

    differ = {
        "this machine's is": clocks.ours_ahead_s(connection),
        "ingest's was": clocks.receipt_ahead_s(connection),
    }
    wrong = [
        f"{whose} {abs(s):.0f} s {'ahead of' if s > 0 else 'behind'} the database's"
        for whose, s in differ.items()
        if abs(s) > clocks.DIFFER_S
    ]
    if wrong:
        yield Finding(
            "clocks",
            PROBLEM,
            "; ".join(wrong),
            advice="Set the clocks by NTP; analytics uses that of the database.",
        )
    else:
        yield Finding("clocks", OK, "this machine's and the database's agree")
    lately = datetime.now(UTC) - timedelta(days=1)
    for row in clocks.passed_over(connection, since=lately)[:MAX_CLOCKS_LISTED]:
        yield Finding(
            f"times of {row.municipality}/{row.sensor}",
            PROBLEM,
            f"{row.field} said {row.said}, which is impossible; {row.taken} was used",
            advice="Set the clock of the device or gateway.",
        )
    sensors = clocks.sensor_clocks(connection)
    found = [one for one in sensors if one.minutes_ahead is not None]
    if len(found) >= MAX_CLOCKS_LISTED and len(found) > len(sensors) / 2:
        yield Finding(
            "clocks of sensors",
            PROBLEM,
            f"{len(found)} of {len(sensors)} are ahead",
            advice="Check whether the clock of ingest's machine is behind.",
        )
        return
    for one in found[:MAX_CLOCKS_LISTED]:
        yield Finding(
            f"clock of {one.municipality}/{one.sensor}",
            PROBLEM,
            one.problem("en") or "",
            advice="Set its clock or its time zone; see `verkehrspuls sensor show "
            f"{one.municipality}/{one.sensor}`.",
        )
    if len(found) > MAX_CLOCKS_LISTED:
        more = f"{len(found) - MAX_CLOCKS_LISTED} more are ahead"
        yield Finding("clocks of sensors", PROBLEM, more)


def _lately(moment: datetime | None) -> bool:
    return moment is not None and datetime.now(UTC) - moment < timedelta(days=1)


def _broker(settings: Settings) -> Iterator[Finding]:
    """Report whether the broker accepts each known credential."""
    from verkehrspuls.mqtt import Publisher
    from verkehrspuls.stack.probe import probe, sessions_are_open

    known = {
        "receiving": settings.broker.url.get_secret_value(),
        "publishing": settings.broker.publish_url.get_secret_value(),
    }
    if not any(known.values()):
        yield Finding("broker", OFF, "none is set and none runs", advice=_START)
        return
    for right, url in known.items():
        if not url:
            continue
        part = f"broker, {right}"
        where = urlsplit(url)
        detail = f"{where.scheme}://{where.hostname}:{where.port or 'default'}"
        try:
            with Publisher(url, "verkehrspuls-doctor", ca_file=settings.broker.ca_file):
                yield Finding(part, OK, f"{detail} accepts the credential")
        except BrokerUnavailable as error:
            yield Finding(part, PROBLEM, f"{detail}: {error}")
            continue
        if right == "receiving":
            yield from _keeping(probe(url, ca_file=settings.broker.ca_file))
        elif known["receiving"] not in ("", url):
            yield _sessions(
                is_open=sessions_are_open(
                    known["receiving"], url, ca_file=settings.broker.ca_file
                )
            )


def _credentials(settings: Settings) -> Iterator[Finding]:
    """Report where broker and registry differ about the credentials of sensors."""
    from verkehrspuls.registry import credentials
    from verkehrspuls.registry.brokers import administrated
    from verkehrspuls.storage.database import connect

    part = "credentials"
    url = settings.database.url.get_secret_value()
    admin_url = settings.broker.admin_url.get_secret_value()
    if not url or not admin_url:
        yield Finding(part, OFF, "not compared: broker.admin_url is not set")
        return
    with (
        administrated(admin_url, ca_file=settings.broker.ca_file) as broker,
        connect(url, application="verkehrspuls doctor") as connection,
    ):
        state = broker.state()
        found = credentials.compare(connection, state)
    if found:
        differ = some((f"{user} {what}" for user, what in found), most=MAX_LISTED)
        yield Finding(
            part,
            PROBLEM,
            f"broker and registry differ: {differ}",
            advice="Run `verkehrspuls credential sync`, and check that "
            "`verkehrspuls credential run` runs.",
        )
    else:
        number = len(state.logins)
        yield Finding(part, OK, f"the broker has those of the registry: {number}")
    if others := credentials.adoptable(state):
        yield Finding(
            "credentials, others",
            PROBLEM,
            f"the registry does not know {some(others, most=MAX_LISTED)}",
            advice="Run `verkehrspuls credential adopt`; nothing changes for them.",
        )


def _sessions(*, is_open: bool) -> Finding:
    """Report whether a session is bound to its credential, or only to its id."""
    return Finding(
        "broker, sessions",
        OK,
        "any client that knows the name of a session can end it; the names of ours "
        "are random"
        if is_open
        else "a session belongs to its credential",
    )


def _keeping(found: "Probe | None") -> Iterator[Finding]:
    """Report whether the broker keeps messages for a worker that is away."""
    part = "broker, keeping"
    advice = "Set it up as described in docs/how-to/run-in-production.md."
    if found is None:
        yield Finding(
            part,
            OFF,
            "not tried: the credential may not publish under vp/v1/doctor/probe",
            advice="Permit it; no reading has that topic.",
        )
        return
    if found.returned < found.sent:
        lost = found.sent - found.returned
        detail = f"lost {lost} of {found.sent} messages for a disconnected worker"
        yield Finding(part, PROBLEM, detail, advice=advice)
    elif found.dropped:
        detail = f"has dropped {found.dropped} messages since it was started"
        yield Finding(part, PROBLEM, detail, advice=advice)
    else:
        detail = f"kept {found.sent} messages for a disconnected worker"
        yield Finding(part, OK, detail)


def _parts(running: Running | None, directory: Path) -> Iterator[Finding]:
    if running is None:
        yield Finding("up", OFF, "not running", advice=_START)
        return
    detail = f"pid {running.pid}, {running.address or 'no page yet'}"
    yield Finding("up", OK, detail)
    for part in running.parts:
        restarts = f", started again {part.restarts} times" if part.restarts else ""
        if part.pid is None:
            yield Finding(
                part.name,
                PROBLEM,
                f"dead{restarts}",
                advice=f"See why in {directory / 'log' / part.name}.log.",
            )
        else:
            says = "answers" if part.answers else "is starting"
            yield Finding(part.name, OK, f"pid {part.pid} {says}{restarts}")


_START = "Start it with `make up`, in containers with `docker compose up`."
