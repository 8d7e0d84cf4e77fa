"""What reads need of whoever runs them: connections for rows, a source for frames."""

from contextlib import AbstractContextManager
from typing import Protocol

from verkehrspuls.storage.database import Connection, FrameSource


class Reader(Protocol):
    """Lends connections to the database, for as long as a read takes."""

    def connection(self) -> AbstractContextManager[Connection]:
        """Lend a connection that reads rows."""
        ...

    def frames(self) -> AbstractContextManager[FrameSource]:
        """Lend a source of frames."""
        ...
