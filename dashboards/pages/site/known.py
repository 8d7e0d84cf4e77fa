"""Responds with a page of a site, made only if its data is new."""

from collections.abc import Callable
from datetime import datetime

from fastapi import Request, Response

from dashboards.render import database_of, known
from verkehrspuls.language import Language
from verkehrspuls.storage.operation import count_changes
from verkehrspuls.storage.sites import Site, read_site


def known_site(
    request: Request,
    language: Language,
    at: datetime,
    municipality: str,
    key: str,
    *,
    make: Callable[[Site], Response],
) -> Response:
    """Read a site, and return its page: see `render.known`."""
    with database_of(request).connection() as connection:
        changes = count_changes(connection)
        found = read_site(connection, municipality, key)
    return known(request, language, at, changes, found, make=lambda: make(found))
