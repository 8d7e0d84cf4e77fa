"""What a person may do: permissions, and the roles that have them.

The one table of them. The database has a copy, which `db migrate` fills, and the
documentation shows it in docs/reference/permissions.md.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, get_args

from verkehrspuls.text import mark

#: Of a person in a municipality; an operator's is for the whole installation.
Role = Literal["viewer", "planner", "engineer", "administrator", "operator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
#: of roles, as pages show them: what people with the role do
ROLE_NAMES: Final[dict[Role, str]] = {
    "viewer": mark("Reading"),
    "planner": mark("Planning"),
    "engineer": mark("Engineering"),
    "administrator": mark("Administration"),
    "operator": mark("Operation"),
}
OPERATOR: Final = "operator"
ADMINISTRATOR: Final = "administrator"
INSTALLATION: Final = "installation"


class Permission(NamedTuple):
    """Something that not everybody may do."""

    #: what it allows, in words
    allows: str
    roles: tuple[Role, ...]
    #: whether a token may have it
    in_tokens: bool = False


PERMISSIONS: Final[dict[str, Permission]] = {
    "view": Permission(
        "see the sites that are not public: those of the municipality, and those that "
        "towns of the cluster share",
        ("viewer", "planner", "engineer", "administrator", "operator"),
        in_tokens=True,
    ),
    "cases": Permission(
        "confirm, explain, reject and comment anomaly cases, and decide their effect "
        "on figures",
        ("planner", "engineer"),
        in_tokens=True,
    ),
    "register": Permission(
        "register and commission sites and sensors, and issue credentials of sensors",
        ("engineer",),
        in_tokens=True,
    ),
    "readings": Permission("send readings over HTTP", ("engineer",), in_tokens=True),
    "tokens": Permission(
        "see and revoke the tokens of everybody", ("engineer", "administrator")
    ),
    "people": Permission(
        "invite people, give and take roles, disable accounts",
        ("administrator", "operator"),
    ),
    "settings": Permission(
        "change the municipality's name, licence, links and retention",
        ("administrator", "operator"),
    ),
    "audit": Permission(
        "search and export the log of changes", ("administrator", "operator")
    ),
    INSTALLATION: Permission(
        "register and remove municipalities, and see the state of all parts",
        ("operator",),
        in_tokens=True,
    ),
}


def rows() -> Iterator[tuple[Role, str]]:
    """Yield each role with each of its permissions."""
    for name, permission in PERMISSIONS.items():
        for role in permission.roles:
            yield role, name
