"""The roles of the database: as whom each process logs in.

`roles.sql` makes them, on a server of the operator's as on the embedded one; the
migrations say what each may do. See docs/adr/0012-access.md.
"""

from importlib import resources
from typing import Final, NamedTuple

from verkehrspuls.errors import RolesMissing, WrongRole
from verkehrspuls.storage.database import Connection, one, read_record

#: owns the database: migrations, and commands of the operator
OWNER: Final = "vp"
WEB: Final = "vp_web"
INGEST: Final = "vp_ingest"
ANALYTICS: Final = "vp_analytics"
LOGINS: Final = (OWNER, WEB, INGEST, ANALYTICS)
#: whom the views of tables belong to
SHOWN: Final = "vp_shown"
#: whose rights the web's connections have: those of reading what is shown
READER: Final = "vp_reader"
#: taken for a transaction that changes something
ACTOR: Final = "vp_actor"


class Part(NamedTuple):
    """A part that logs in as a role of its own."""

    role: str
    words: str
    #: the roles whose rights it needs
    uses: tuple[str, ...]

    @property
    def setting(self) -> str:
        """The setting with its URL."""
        return f"{self.role.removeprefix('vp_')}_url".upper()


PARTS: Final = {
    "api": Part(WEB, "The web", (READER, ACTOR)),
    "ingest": Part(INGEST, "Ingest", (INGEST,)),
    "analytics": Part(ANALYTICS, "Analytics", (ANALYTICS,)),
}


def require_roles(connection: Connection) -> None:
    """Raise `RolesMissing` where an administrator has not made them all."""
    roles = [*LOGINS[1:], SHOWN, READER, ACTOR]
    names = one(connection, "roles_missing", roles=roles)["names"]
    if names:
        raise RolesMissing(names=names)


def statements() -> bytes:
    """Return what makes the roles where they are missing."""
    file = resources.files("verkehrspuls.storage") / "roles.sql"
    return file.read_bytes()


def require_login(connection: Connection, part: str) -> None:
    """Raise `WrongRole` where a session may do more, or less, than that of a part."""
    own = PARTS[part]
    found = read_record(connection, _Role, "role_of_session", needed=[*own.uses])
    faults = {
        "is a superuser": found.is_superuser,
        "bypasses row security": found.bypasses,
        "owns the tables": found.owns,
        f"is no member of {' and '.join(own.uses)}": not found.is_member,
    }
    for fault, is_so in faults.items():
        if is_so:
            raise WrongRole(
                part=own.words,
                role=found.role,
                fault=fault,
                needed=own.role,
                setting=own.setting,
            )


class _Role(NamedTuple):
    """As whom a session logged in."""

    role: str
    is_superuser: bool
    bypasses: bool
    owns: bool
    #: whether it has, or may take, the roles that it needs
    is_member: bool
