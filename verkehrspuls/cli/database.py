"""The database of a command."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from verkehrspuls.errors import UnknownKey

if TYPE_CHECKING:
    from verkehrspuls.settings import Settings
    from verkehrspuls.storage.database import Connection, FrameSource


class Tables:
    """Lends connections to tables, for reports that read frames as well."""

    def connection(self) -> "AbstractContextManager[Connection]":
        """Lend a connection that reads rows."""
        return connection()

    def frames(self) -> "AbstractContextManager[FrameSource]":
        """Lend a source of frames."""
        from verkehrspuls.stack.state import resolve

        return nullcontext(resolve().database.url.get_secret_value())


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
