"""The tree of errors.

    VerkehrspulsError
    ├── UsageError                exit 2   a command or setting is wrong
    │   ├── BadParameter
    │   │   └── TooLong
    │   ├── UnknownSetting
    │   ├── UnknownKey
    │   ├── BadFile
    │   └── NotPermitted
    ├── Unavailable               exit 3   a part does not answer
    │   ├── DatabaseUnavailable
    │   ├── LoginRefused
    │   ├── RolesMissing
    │   ├── WrongRole
    │   ├── BrokerUnavailable
    │   ├── NotMigrated
    │   ├── NoTables
    │   ├── SlotTaken
    │   ├── StackFailed
    │   └── StateGone
    ├── NotDrained                exit 1
    ├── ServerTooOld              exit 1
    ├── DatabaseTooNew            exit 1
    ├── MachineFailed             exit 1
    └── FoundProblems             exit 4   a check ran and found something

The docstring of a class is its message: what happened and what to do. Attributes fill
its places by name.
"""

from typing import Any, ClassVar, Self


class VerkehrspulsError(Exception):
    """Something went wrong in Verkehrspuls."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, **facts: Any) -> None:
        for name, value in facts.items():
            setattr(self, name, value)
        message = " ".join((type(self).__doc__ or "").split())
        super().__init__(message.format(**{k: _phrase(v) for k, v in facts.items()}))


def _phrase(fact: object) -> str:
    return " ".join(str(fact).split()).rstrip(".?")


class UsageError(VerkehrspulsError):
    """The command or a setting is wrong: {reason}."""

    code = "usage"
    exit_code = 2
    http_status = 400


class BadParameter(UsageError):
    """{detail}."""

    code = "invalid"
    http_status = 422

    parameter: str
    detail: str


class TooLong(BadParameter):
    """{detail}."""

    code = "too-long"


class UnknownSetting(UsageError):
    """There is no setting {named}. All are listed in docs/reference/settings.md."""

    code = "unknown-setting"


class UnknownKey(UsageError):
    """There is no {kind} {named}.

    `verkehrspuls {listed} list` shows all.
    """

    code = "unknown-key"
    http_status = 404

    kind: str
    key: object

    def __init__(self, *, kind: str, key: object, meant: str = "") -> None:
        listed = "town" if kind == "municipality" else kind
        named = f"{key} (did you mean {meant}?)" if meant else key
        super().__init__(kind=kind, key=key, named=named, listed=listed)


class BadFile(UsageError):
    """{path} cannot be read as {format}: {reason}."""

    code = "bad-file"


class NotPermitted(UsageError):
    """The database's role may not do this: {reason}.

    Set the URL of the database's owner in VERKEHRSPULS_DATABASE__URL. The roles of web,
    ingest and analytics are for `api run`, `ingest run` and `analytics run` only.
    """

    code = "not-permitted"


class Unavailable(VerkehrspulsError):
    """A part that is needed does not answer: {reason}."""

    code = "unavailable"
    exit_code = 3
    http_status = 503


class DatabaseUnavailable(Unavailable):
    """The database does not answer: {reason}.

    Start it (`make up`, in containers `docker compose up`), or check
    VERKEHRSPULS_DATABASE__URL.
    """

    code = "database-unavailable"


class RolesMissing(Unavailable):
    """Roles of the database are missing, or not granted: {names}.

    An administrator of the server makes them with verkehrspuls/storage/roles.sql; see
    docs/how-to/connect-your-own-database.md.
    """

    code = "database-unavailable"


class WrongRole(Unavailable):
    """{part} logs in to the database as `{role}`, which {fault}.

    Let it log in as `{needed}`: set VERKEHRSPULS_DATABASE__{setting}. `roles.sql`
    makes the role, see docs/how-to/connect-your-own-database.md.
    """

    code = "database-unavailable"


class LoginRefused(Unavailable):
    """The database refuses the login: {reason}.

    Check role and password in the setting: VERKEHRSPULS_DATABASE__URL, for the web
    __WEB_URL, for ingest __INGEST_URL, for analytics __ANALYTICS_URL. `roles.sql` makes
    the roles, see docs/how-to/connect-your-own-database.md.
    """

    code = "database-unavailable"


class BrokerUnavailable(Unavailable):
    """The MQTT broker does not answer: {reason}.

    Start it (`make up`, in containers `docker compose up`), or check
    VERKEHRSPULS_BROKER__URL.
    """

    code = "broker-unavailable"


class NotMigrated(Unavailable):
    """The database has revision {current}, this program needs {needed}.

    Run `verkehrspuls db migrate`.
    """

    code = "not-migrated"


class NoTables(Unavailable):
    """The database is not set up yet. Run `verkehrspuls db migrate`."""

    code = "not-migrated"


class StackFailed(Unavailable):
    """{part} did not start: {reason}."""

    code = "stack-failed"


class StateGone(Unavailable):
    """{directory} was removed or replaced while `up` ran; everything is stopped.

    New data would be lost, and a second `up` could start in it.
    """

    code = "state-gone"


class SlotTaken(Unavailable):
    """Another ingest worker serves slot {slot}.

    Stop it, or give this one another VERKEHRSPULS_INGEST__SLOT.
    """

    code = "slot-taken"


class NotDrained(VerkehrspulsError):
    """Slot {slot} still has messages; {messages} were stored, its session stays.

    Assign its municipalities to another slot first, or allow more time (--at-most) or
    a shorter silence (--idle).
    """

    code = "not-drained"


class ServerTooOld(VerkehrspulsError):
    """PostgreSQL {version} is too old; {oldest} or newer is needed."""

    code = "server-too-old"


class DatabaseTooNew(VerkehrspulsError):
    """The database has revision {current}, this program knows those up to {newest}.

    Install the version of Verkehrspuls that migrated the database, or a newer one.
    Migrations cannot be undone: for an older version, restore a backup made with it.
    """

    code = "database-too-new"


class MachineFailed(VerkehrspulsError):
    """The operating system refused to read or write: {reason}."""

    code = "machine-failed"

    @classmethod
    def of(cls, error: OSError) -> Self:
        """Wrap an error of the operating system."""
        where = f"{error.filename}: " if error.filename else ""
        return cls(reason=f"{where}{error.strerror or error}")


class FoundProblems(VerkehrspulsError):
    """Problems were found: {count}. See above what to do about each."""

    code = "found-problems"
    exit_code = 4
