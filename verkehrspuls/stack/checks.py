"""What `verkehrspuls doctor` looks at: each part, and what to do where it is wrong."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from verkehrspuls import __version__
from verkehrspuls.errors import BrokerUnavailable, VerkehrspulsError
from verkehrspuls.settings import Settings
from verkehrspuls.stack import binaries, broker, postgres
from verkehrspuls.stack.account import server_account
from verkehrspuls.stack.state import Running, read_running, resolve, state_directory

if TYPE_CHECKING:
    from verkehrspuls.stack.probe import Probe
    from verkehrspuls.storage.slots import Slot

OK: Final = "ok"
OFF: Final = "off"
PROBLEM: Final = "problem"

#: a database that runs out of room stops taking readings
LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a part, and what to do about it."""

    part: str
    state: Literal["ok", "off", "problem"]
    detail: str
    version: str = ""
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at all parts."""
    directory = state_directory(settings)
    running = read_running(directory)
    settings = resolve(settings, database=False)
    findings = [_program(), _directory(directory, running), _embedded(settings)]
    for check in (_database, _broker):
        try:
            findings += check(settings)
        except VerkehrspulsError as error:
            part = check.__name__.removeprefix("_")
            findings.append(Finding(part, PROBLEM, str(error)))
    return [*findings, *_parts(running, directory)]


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
    state = "in use" if running else "there" if directory.exists() else "not made yet"
    detail = f"{directory} ({state}), {free / 1e9:.0f} GB free"
    if free < LEAST_FREE_BYTES:
        return Finding("data", PROBLEM, detail, advice="Make room on the disk.")
    if directory.exists() and directory.stat().st_uid != os.geteuid():
        return Finding(
            "data",
            PROBLEM,
            f"{detail}, belongs to user id {directory.stat().st_uid}",
            advice="Run as that user, or set VERKEHRSPULS_STACK__DIRECTORY.",
        )
    return Finding("data", OK, detail)


def _embedded(settings: Settings) -> Finding:
    """The programs that `up` starts where no URL is set."""
    part = "embedded parts"
    try:
        folder = binaries.postgres_binaries(settings.stack.postgres_binaries)
        program = binaries.broker_binary()
        account = server_account(settings.stack.account, part=part)
        version = (
            f"PostgreSQL {postgres.program_version(folder)}, "
            f"NATS {broker.program_version(program)}"
        )
    except (VerkehrspulsError, OSError) as error:
        return Finding(part, PROBLEM, str(error))
    whom = f", run as {account.name}" if account else ""
    return Finding(part, OK, f"{version}{whom}", version)


def _database(settings: Settings) -> Iterator[Finding]:
    from verkehrspuls.storage.database import connect, execute
    from verkehrspuls.storage.ledger import only_counted
    from verkehrspuls.storage.migrate import status
    from verkehrspuls.storage.slots import slots

    url = settings.database.url.get_secret_value()
    if not url:
        yield Finding("database", OFF, "none is set and none runs", advice=_START)
        return
    with connect(url, application="verkehrspuls doctor") as connection:
        row = execute(connection, "server_version").fetchone()
        version = str(row["server_version"]) if row else ""
        yield Finding("database", OK, f"PostgreSQL {version}", version)
        current, needed = status(url)
        if current != needed:
            detail = f"revision {current or 'none'}, needed is {needed}"
            advice = "Run `verkehrspuls db migrate`."
            yield Finding("migrations", PROBLEM, detail, current or "", advice)
            return
        yield Finding("migrations", OK, f"revision {current}", current or "")
        edition = execute(connection, "storage_edition").fetchone() or {}
        yield _rejects(only_counted(connection))
        yield from _slots(slots(connection))
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


def _rejects(only_counted: int) -> Finding:
    if not only_counted:
        return Finding("rejected messages", OK, "there is room to keep all of them")
    return Finding(
        "rejected messages",
        PROBLEM,
        f"{only_counted} in the last two hours were only counted: there is no room",
        advice="See `verkehrspuls reject count`; mend and replay, or raise "
        "VERKEHRSPULS_INGEST__KEEP_REJECTS.",
    )


def _slots(found: "list[Slot]") -> Iterator[Finding]:
    """Slots whose messages wait in vain, or whose session the broker had forgotten."""
    for one in found:
        part = f"ingest slot {one.slot}"
        if one.stranded:
            yield Finding(
                part,
                PROBLEM,
                f"no worker serves it; it wrote at {one.committed_at:%Y-%m-%d %H:%M}Z, "
                "and messages may wait for it at the broker",
                advice="Start its worker again; if it is gone for good, run "
                f"`verkehrspuls ingest drain --slot {one.slot}`.",
            )
        elif _lately(one.session_lost_at):
            yield Finding(
                part,
                PROBLEM,
                "the broker had forgotten its session at "
                f"{one.session_lost_at:%Y-%m-%d %H:%M}Z: messages may be missing",
                advice="See the gaps with `verkehrspuls ledger check`, and how the "
                "broker has to be set up in docs/how-to/run-in-production.md.",
            )
        else:
            state = "closed" if one.drained else "a worker serves it"
            yield Finding(part, OK, state)


def _lately(moment: datetime | None) -> bool:
    return moment is not None and datetime.now(UTC) - moment < timedelta(days=1)


def _broker(settings: Settings) -> Iterator[Finding]:
    """Each credential that is known has to be let in."""
    from verkehrspuls.mqtt import Publisher
    from verkehrspuls.stack.probe import probe

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
            with Publisher(
                url, f"vp-doctor-{os.getpid()}", ca_file=settings.broker.ca_file
            ):
                yield Finding(part, OK, f"{detail} lets us in")
        except BrokerUnavailable as error:
            yield Finding(part, PROBLEM, f"{detail}: {error}")
            continue
        if right == "receiving":
            yield from _keeping(probe(url, ca_file=settings.broker.ca_file))


def _keeping(found: "Probe | None") -> Iterator[Finding]:
    """Whether the broker keeps messages for a worker that is away."""
    part = "broker, keeping"
    advice = "Set it up as docs/how-to/run-in-production.md tells."
    if found is None:
        yield Finding(
            part,
            OFF,
            "not tried: our credential may not publish under vp/v1/doctor/probe",
            advice="Allow it; no reading has that topic.",
        )
        return
    if found.returned < found.sent:
        lost = found.sent - found.returned
        detail = f"lost {lost} of {found.sent} messages for a worker that was away"
        yield Finding(part, PROBLEM, detail, advice=advice)
    elif found.dropped:
        detail = f"has dropped {found.dropped} messages since it was started"
        yield Finding(part, PROBLEM, detail, advice=advice)
    else:
        detail = f"kept {found.sent} messages for a worker that was away"
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


_START = "Start it with `make up`."
