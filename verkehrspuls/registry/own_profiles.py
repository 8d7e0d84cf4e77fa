"""Device profiles that a municipality keeps, and with them those of the program.

Kept is the TOML as it was saved. An own profile is used wherever one of the program is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from verkehrspuls import wording
from verkehrspuls.errors import BadParameter, UnknownKey, UsageError
from verkehrspuls.model import Key
from verkehrspuls.registry.device_profiles import (
    FOLDER,
    BadProfile,
    DeviceProfile,
    parse,
    register,
    shipped,
)
from verkehrspuls.registry.edit import EntryChanged, edit, require
from verkehrspuls.registry.registration import Change
from verkehrspuls.registry.registration import version as version_of
from verkehrspuls.storage.database import Connection, execute, read_records
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

#: Characters of a profile, and profiles of a municipality.
MAX_CHARACTERS: Final = 100_000
MAX_PROFILES: Final = 100
_KIND: Final = "device profile"
_UNSEEN: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_HIDDEN: Final = mark(
    "it has control characters or marks of text direction; take them out"
)
_LONG: Final = mark("it has more than 100,000 characters")
_OF_PROGRAM: Final = mark(
    "a device profile of this key comes with the program; choose another key"
)


class TooManyProfiles(UsageError):
    """A municipality keeps at most 100 device profiles: remove one first."""

    code = "too-many-profiles"
    http_status = 409


@dataclass(frozen=True, slots=True)
class OwnProfile:
    """A device profile that a municipality keeps."""

    key: str
    #: TOML
    document: str
    saved_at: datetime
    saved_by: str

    @property
    def version(self) -> str:
        """Return what tells this document from every other one."""
        return version_of({"document": self.document})


class Known(NamedTuple):
    """A device profile that is known in a municipality."""

    key: str
    #: None: it cannot be read any more, see `problem`
    profile: DeviceProfile | None
    #: None: it comes with the program
    own: OwnProfile | None = None
    problem: Phrase | None = None

    @property
    def document(self) -> str:
        """Return its TOML."""
        if self.own is not None:
            return self.own.document
        return (FOLDER / f"{self.key}.toml").read_text("utf-8")


def list_profiles(connection: Connection, municipality: str) -> list[Known]:
    """List the device profiles known in a municipality: own ones first, by key.

    An own one takes the place of one of the program that came later with its key.
    """
    own = [_known(each) for each in _read(connection, municipality)]
    keys = {one.key for one in own}
    others = (each for each in shipped().items() if each[0] not in keys)
    return [*own, *(Known(key, profile) for key, profile in others)]


def profiles(connection: Connection, municipality: str) -> Mapping[str, DeviceProfile]:
    """Return the device profiles that can be used in a municipality, by key."""
    known = list_profiles(connection, municipality)
    return {one.key: one.profile for one in known if one.profile is not None}


def find(connection: Connection, municipality: str, key: str) -> Known:
    """Find a device profile known in a municipality; raise `UnknownKey`."""
    known = {one.key: one for one in list_profiles(connection, municipality)}
    if key not in known:
        raise UnknownKey(kind="profile", key=key, meant=wording.nearest(key, known))
    return known[key]


def usable(known: Known) -> DeviceProfile:
    """Return the profile; raise `BadProfile` if it cannot be read any more."""
    return known.profile or parse(known.document)


def own_version(connection: Connection, municipality: str, key: str) -> str | None:
    """Return the `version` of an own device profile; None: there is none."""
    found = _read(connection, municipality, key)
    return found[0].version if found else None


def save(
    connection: Connection,
    municipality: str,
    key: str,
    document: str,
    *,
    seen: str | None,
) -> OwnProfile:
    """Keep a device profile; to be committed.

    `seen` is the `version` that the person saw, None where there was none. Raise
    `EntryChanged` if it is another one by now, and `BadProfile` with what is wrong.
    """
    require(connection, municipality)
    try:
        msgspec.convert(key, Key)
    except msgspec.ValidationError as error:
        detail = wording.explain(error).text
        raise BadParameter(parameter="key", detail=detail) from error
    if len(document) > MAX_CHARACTERS:
        raise _refused(_LONG)
    if _UNSEEN.search(document):
        raise _refused(_HIDDEN)
    parse(document)
    _lock(connection, municipality, key, seen)
    if seen is None:
        if key in shipped():
            raise BadParameter(parameter="key", detail=_OF_PROGRAM)
        if len(_read(connection, municipality)) >= MAX_PROFILES:
            raise TooManyProfiles
    execute(
        connection,
        "put_device_profile",
        municipality=municipality,
        key=key,
        document=document,
    )
    return _read(connection, municipality, key)[0]


def remove(
    connection: Connection, municipality: str, key: str, *, seen: str | None
) -> None:
    """Remove an own device profile; sensors that were registered by it stay.

    To be committed. `seen` is as in `save`.
    """
    require(connection, municipality)
    if not _read(connection, municipality, key):
        raise UnknownKey(kind="profile", key=f"{municipality}/{key}")
    _lock(connection, municipality, key, seen)
    given = {"municipality": municipality, "key": key}
    execute(connection, "remove_device_profile", **given)


def use(
    connection: Connection,
    municipality: str,
    profile: DeviceProfile,
    *,
    sensor: str,
    site: str,
    name: str = "",
    since: datetime | None = None,
    ids: Mapping[str, str] = {},
    outputs: Mapping[str, str] | None = None,
    payload_format: str | None = None,
    language: str = "de",
    dry_run: bool = False,
) -> list[Change]:
    """Register a sensor by a device profile, with the channels that its site lacks.

    It is installed from now on, unless `since` is given. Return the entries that
    differ; to be committed, unless it is a dry run.
    """
    require(connection, municipality)
    become = register(
        profile,
        site=site,
        key=sensor,
        name=name or profile.name.in_language(language),
        since=since or datetime.now(UTC),
        ids=ids,
        outputs=outputs,
        payload_format=payload_format,
        language=language,
    )
    return edit(connection, municipality, become, dry_run=dry_run)


def _read(
    connection: Connection, municipality: str, key: str | None = None
) -> list[OwnProfile]:
    require(connection, municipality)
    given = {"municipality": municipality, "key": key}
    return read_records(connection, OwnProfile, "list_device_profiles", **given)


def _lock(
    connection: Connection, municipality: str, key: str, seen: str | None
) -> None:
    """Let nobody else change it; raise `EntryChanged` if somebody did."""
    execute(connection, "lock_registration", municipality=municipality)
    if own_version(connection, municipality, key) != seen:
        raise EntryChanged(kind=_KIND, key=key)


def _known(own: OwnProfile) -> Known:
    try:
        return Known(own.key, _parsed(own.document), own)
    except BadProfile as error:
        return Known(own.key, None, own, error.reason)


@lru_cache(maxsize=MAX_PROFILES * 10)
def _parsed(document: str) -> DeviceProfile:
    return parse(document)


def _refused(text: str) -> BadProfile:
    phrase = Phrase(text)
    return BadProfile(reason=phrase, field="", phrase=phrase)
