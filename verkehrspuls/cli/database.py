"""The database of a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from verkehrspuls.errors import UnknownKey

if TYPE_CHECKING:
    from verkehrspuls.settings import Settings
    from verkehrspuls.storage.database import Connection


@contextmanager
def connection(
    municipality: str | None = None,
    *,
    settings: "Settings | None" = None,
    application: str = "verkehrspuls operator",
) -> "Iterator[Connection]":
    """Connect to the database that is set, or that of a running `up`.

    A municipality that is named must be registered. The error for an unknown key
    suggests the nearest one that is registered.
    """
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage import known
    from verkehrspuls.storage.database import connect

    url = (settings or resolve()).database.url.get_secret_value()
    with connect(url, application=application) as opened:
        try:
            known.require(opened, municipality)
            yield opened
        except UnknownKey as error:
            opened.rollback()
            near = known.meant(opened, error)
            if not near:
                raise
            raise UnknownKey(kind=error.kind, key=error.key, meant=near) from error
