"""The account that the servers run as: never root.

An ordinary user's servers run as that user. Root's servers run as an account
(`stack.account`) that owns their directories; the permissions of other directories are
never loosened.

Other programs of that account can read their passwords and data. Accounts are not
created here: `up` and `doctor` print the commands that create one.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from verkehrspuls.errors import StackFailed

#: Shared accounts, used by many programs.
SHARED = ("nobody", "daemon")
SEARCH = 0o1
READ = 0o4


@dataclass(frozen=True, slots=True)
class Account:
    """An ordinary account that root switches to."""

    name: str
    uid: int
    gid: int

    def may(self, path: Path, bits: int) -> bool:
        """Return whether the permissions of a file or folder grant it all of `bits`."""
        status = path.stat()
        if status.st_uid == self.uid:
            shift = 6
        else:
            shift = 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & bits == bits

    def reaches(self, path: Path) -> bool:
        """Return whether it may pass all folders above `path`."""
        above = path.absolute().resolve().parents
        return all(self.may(folder, SEARCH) for folder in above if folder.exists())


def server_account(name: str, *, part: str) -> Account | None:
    """Find the account of a server; None: the current user."""
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
    """Describe who else may run as an account; empty if only the servers do."""
    if account.name in SHARED:
        return "which other programs of this machine use as well"
    others = sum(
        _owner(process) == account.uid for process in Path("/proc").glob("[0-9]*")
    )
    return f"as which other programs run, too ({others} processes)" if others else ""


def own_account(directory: Path) -> str:
    """Describe how to create a separate account for the servers."""
    return (
        "Give the servers a separate account: stop everything, then as root "
        "`useradd --system --user-group --shell /usr/sbin/nologin verkehrspuls`, "
        "`chown --recursive "
        f"verkehrspuls: {directory}/postgres {directory}/broker` if these exist, "
        "and set VERKEHRSPULS_STACK__ACCOUNT=verkehrspuls"
    )


def _owner(process: Path) -> int | None:
    try:
        return process.stat().st_uid
    except OSError:
        return None  # the process has ended


def private_directory(path: Path, account: Account | None, *, part: str) -> None:
    """Create a folder that only its server can enter, or check an existing one."""
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
    """Write a file that only its owner can read, atomically.

    Unless `lasting`, it may be missing or empty after a power failure.
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
