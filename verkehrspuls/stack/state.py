"""The data of the embedded parts, and how commands find the running ones.

    <state directory>/
        lock           held by `up` while it runs; the kernel always releases it
        running.json   URLs with their passwords, and what runs; only the owner reads it
        postgres/  broker/  log/

Commands in another terminal use `resolve`: a URL that is not set is that of the `up`
which runs on the same state directory.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from pydantic import SecretStr

from verkehrspuls.errors import (
    BrokerUnavailable,
    DatabaseUnavailable,
    StackFailed,
    StateGone,
)
from verkehrspuls.settings import Section, Settings, load
from verkehrspuls.stack.account import private_file, server_account
from verkehrspuls.stack.process import wait_until

FOLDER = ".verkehrspuls"
SHARED = Path("/var/lib/verkehrspuls")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """A part as its supervisor sees it."""

    name: str
    pid: int | None
    restarts: int
    answers: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running `up`, as others see it."""

    pid: int
    since: datetime
    database_url: str = ""
    web_url: str = ""
    ingest_url: str = ""
    analytics_url: str = ""
    broker_url: str = ""
    publish_url: str = ""
    admin_url: str = ""
    address: str = ""
    parts: tuple[PartState, ...] = ()


def state_directory(settings: Settings, *, project: Path | None = None) -> Path:
    """Return the state directory: as set, else in the project's folder.

    For root, whose servers run as another account, only if that account reaches the
    folder; else below /var/lib, under a name made from the project's path.
    """
    if settings.stack.directory is not None:
        return settings.stack.directory.absolute()
    folder = (project or Path.cwd()).resolve()
    account = None
    if os.geteuid() == 0 and needs_servers(settings):
        account = server_account(settings.stack.account, part="up")
    if account is None or account.reaches(folder / FOLDER):
        return folder / FOLDER
    return SHARED / hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]


def resolve(
    settings: Settings | None = None, *, database: bool = True, broker: bool = False
) -> Settings:
    """Fill in missing URLs from the running `up`; some may be required."""
    settings = settings or load()
    running = None
    if needs_servers(settings):
        running = read_running(state_directory(settings))
    if running is not None:
        given = {
            "database": {
                "url": running.database_url,
                "web_url": running.web_url,
                "ingest_url": running.ingest_url,
                "analytics_url": running.analytics_url,
            },
            "broker": {
                "url": running.broker_url,
                "publish_url": running.publish_url,
                "admin_url": running.admin_url,
            },
        }
        updates: dict[str, Section] = {}
        for section, values in given.items():
            group = getattr(settings, section)
            updates[section] = group.model_copy(
                update={
                    key: SecretStr(value)
                    for key, value in values.items()
                    if not group.url.get_secret_value()
                }
            )
        pages = settings.pages
        updates["pages"] = pages.model_copy(
            update={"address": pages.address or running.address}
        )
        settings = settings.model_copy(update=updates)
    if database and not settings.database.url.get_secret_value():
        raise DatabaseUnavailable(reason=_none_runs(settings))
    if broker and not settings.broker.url.get_secret_value():
        raise BrokerUnavailable(reason=_none_runs(settings))
    return settings


def make_directory(directory: Path) -> None:
    """Create the state directory; others may pass through it, not list it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "log").mkdir(mode=0o700, exist_ok=True)
        if directory.stat().st_uid == os.geteuid():
            directory.chmod(0o711)
        if directory.parent == SHARED:
            SHARED.chmod(0o755)
    except OSError as error:
        raise StackFailed(
            part="up",
            reason=f"{directory}: {error.strerror}. Set VERKEHRSPULS_STACK__DIRECTORY "
            "to a folder that you may write.",
        ) from error


@contextmanager
def locked(directory: Path) -> Iterator[Callable[[], None]]:
    """Lock the state directory; raise `StackFailed` with the current holder.

    The yielded function raises `StateGone` if the directory was removed or replaced.
    """
    lock, running = directory / "lock", directory / "running.json"
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)

    def take() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        # a command that only reads may hold it for a moment
        if not wait_until(take, timeout_s=0.5):
            raise StackFailed(part="up", reason=_who_runs(directory))

        def require() -> None:
            try:
                same = os.path.samestat(os.fstat(descriptor), lock.stat())
            except FileNotFoundError:
                same = False
            except OSError:
                return  # a disk that does not answer is ignored
            if not same:
                raise StateGone(directory=directory)

        # while the lock is held the file is ours, even one left by a killed process
        running.unlink(missing_ok=True)
        yield require
        with suppress(OSError):
            running.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def write_running(directory: Path, running: Running) -> None:
    """Write what runs, for other commands."""
    content = msgspec.json.encode(running)
    private_file(directory / "running.json", content, lasting=False)


def read_running(directory: Path) -> Running | None:
    """Read what runs on a state directory; None if its lock is free."""
    try:
        if not is_locked(directory):
            return None
        return msgspec.json.decode(
            (directory / "running.json").read_bytes(), type=Running
        )
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise DatabaseUnavailable(
            reason=f"the state of the one that runs on {directory} cannot be read; "
            "it may be of another version"
        ) from error
    except PermissionError as error:
        raise DatabaseUnavailable(
            reason=f"the one that runs on {directory} belongs to another user"
        ) from error


def is_locked(directory: Path) -> bool:
    """Return whether an `up` runs on a state directory."""
    descriptor = os.open(directory / "lock", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def needs_servers(settings: Settings) -> bool:
    """Return whether a URL is missing, so that the embedded server is needed."""
    urls = (settings.database.url, settings.broker.url)
    return not all(url.get_secret_value() for url in urls)


def _none_runs(settings: Settings) -> str:
    return f"none is set and none runs on {state_directory(settings)}"


def _who_runs(directory: Path) -> str:
    try:
        running = read_running(directory)
    except DatabaseUnavailable:
        running = None
    if running is None:
        return f"another one is just starting or stopping on {directory}"
    # not negative after the clock was set back
    minutes = max(0, (datetime.now(UTC) - running.since).total_seconds() / 60)
    return (
        f"it runs already on {directory}: pid {running.pid}, for {minutes:.0f} min, "
        f"{running.address or 'no page yet'}. Stop it with `kill {running.pid}`, or "
        "set VERKEHRSPULS_STACK__DIRECTORY to another folder"
    )
