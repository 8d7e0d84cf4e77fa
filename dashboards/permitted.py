"""Where a person may do something, for pages that need a permission."""

from fastapi import Request

from api.errors import RoleMissing
from dashboards.render import database_of
from verkehrspuls.access.permissions import PERMISSIONS
from verkehrspuls.access.sessions import Session
from verkehrspuls.storage.sites import Municipality, list_municipalities


def towns_where(
    request: Request, session: Session, permission: str
) -> list[Municipality]:
    """Return the towns where a person has a permission; refuse who has it nowhere."""
    if not session.may_somewhere(permission):
        raise RoleMissing(permission=permission, allows=PERMISSIONS[permission].allows)
    with database_of(request).connection() as connection:
        known = list_municipalities(connection)
    return [town for town in known if session.may(permission, town.key)]
