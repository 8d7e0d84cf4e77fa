"""Whom the servers run as: never as root.

An ordinary user's servers run as that user. Root's run as an account (`stack.account`)
that owns their directories; the permissions of other directories are never loosened.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from verkehrspuls.errors import StackFailed

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
