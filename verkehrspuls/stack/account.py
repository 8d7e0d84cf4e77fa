"""Whom the servers run as: never as root.

An ordinary user's servers run as that user. Root's run as an account (`stack.account`)
that owns their directories; the permissions of other directories are never loosened.

Whoever else runs as that account can read their passwords and data. No account is made
here: `up` and `doctor` say so instead, with the lines that make one.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from verkehrspuls.errors import StackFailed

#: Accounts that are nobody's own.
SHARED = ("nobody", "daemon")
SEARCH = 0o1
READ = 0o4


@dataclass(frozen=True, slots=True)
class Account:
    """An ordinary account that root drops to."""

    name: str
    uid: int
    gid: int

    def may(self, path: Path, bits: int) -> bool:
        """Tell whether the permissions of a file or folder grant it all of `bits`."""
        status = path.stat()
        if status.st_uid == self.uid:
            shift = 6
        else:
            shift = 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & bits == bits

    def reaches(self, path: Path) -> bool:
        """Tell whether every folder above `path` lets it through."""
        above = path.absolute().resolve().parents
        return all(self.may(folder, SEARCH) for folder in above if folder.exists())


def server_account(name: str, *, part: str) -> Account | None:
    """Find whom a server is to run as; none: as who we are."""
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError as error:
            raise StackFailed(
                part=part,
                reason=f"user id {os.geteuid()} has no entry in /etc/passwd, and the "
                "embedded parts need one. Run as a user that has one, or set "
                "VERKEHRSPULS_DATABASE__URL and VERKEHRSPULS_BROKER__URL.",
            ) from error
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise StackFailed(
            part=part,
            reason=f"there is no account {name}. Name an ordinary one with "
            "VERKEHRSPULS_STACK__ACCOUNT.",
        ) from error
    if entry.pw_uid == 0:
        raise StackFailed(
            part=part,
            reason=f"it never runs as {name}. Name an ordinary account with "
            "VERKEHRSPULS_STACK__ACCOUNT.",
        )
    return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)


def shared_with(account: Account) -> str:
    """Say who else may run as an account; empty where it is the servers' alone."""
    if account.name in SHARED:
        return "which other programs of the machine use as well"
    others = sum(
        _owner(process) == account.uid for process in Path("/proc").glob("[0-9]*")
    )
    return f"as which other programs run, too ({others} processes)" if others else ""


def own_account(directory: Path) -> str:
    """Say how to give the servers an account of their own."""
    return (
        "Give the servers an account of their own: stop everything, then as root "
        "`useradd --system --user-group --shell /usr/sbin/nologin verkehrspuls`, "
        "`chown --recursive "
        f"verkehrspuls: {directory}/postgres {directory}/broker` where they are there, "
        "and set VERKEHRSPULS_STACK__ACCOUNT=verkehrspuls"
    )


def _owner(process: Path) -> int | None:
    try:
        return process.stat().st_uid
    except OSError:
        return None  # it has ended


def private_directory(path: Path, account: Account | None, *, part: str) -> None:
    """Make a folder that only its server can enter, or check that it is such a one."""
    owner = account.uid if account else os.geteuid()
    if account and not account.reaches(path):
        raise StackFailed(
            part=part,
            reason=f"the account {account.name} cannot reach {path}. Set "
            "VERKEHRSPULS_STACK__DIRECTORY to a folder that it can reach.",
        )
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if account and not any(path.iterdir()):
            os.chown(path, account.uid, account.gid)
        status = path.lstat()
        if status.st_uid == owner and not path.is_symlink():
            path.chmod(0o700)
    except OSError as error:
        raise StackFailed(part=part, reason=f"{path}: {error.strerror}.") from error
    if status.st_uid != owner or path.is_symlink():
        raise StackFailed(
            part=part,
            reason=f"{path} belongs to user id {status.st_uid}, not {owner}. Run as "
            "that user, or set VERKEHRSPULS_STACK__DIRECTORY to another folder.",
        )


def private_file(
    path: Path, content: bytes, account: Account | None = None, *, lasting: bool = True
) -> None:
    """Write a file that only its owner reads: whole, or not at all.

    What is not `lasting` may be gone or empty after a power failure.
    """
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
        if account:
            os.fchown(file.fileno(), account.uid, account.gid)
        file.write(content)
        file.flush()
        if lasting:
            os.fsync(file.fileno())
    fresh.replace(path)
