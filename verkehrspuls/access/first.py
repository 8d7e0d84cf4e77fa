"""The first account of an installation, for who runs it on their own machine."""

from typing import Final

from verkehrspuls.access import accounts, links
from verkehrspuls.access.links import Made
from verkehrspuls.access.permissions import OPERATOR, Role
from verkehrspuls.settings import Access
from verkehrspuls.storage.database import Connection, one
from verkehrspuls.storage.sites import list_municipalities

EMAIL: Final = "admin@localhost"
NAME: Final = "Admin"
#: in each municipality, so that everything can be tried
_ROLES: Final[tuple[Role, ...]] = ("administrator", "planner", "engineer")


def login_link(connection: Connection, *, settings: Access) -> Made | None:
    """Make a link for logging in once; None where somebody has a password."""
    if one(connection, "count_people")["people"]:
        return None
    account_id = accounts.add(connection, EMAIL, NAME)
    accounts.give(connection, account_id, OPERATOR, None)
    for town in list_municipalities(connection):
        for role in _ROLES:
            accounts.give(connection, account_id, role, town.key)
    return links.create(connection, account_id, "login", settings=settings)
