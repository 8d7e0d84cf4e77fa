"""What reads need of whoever runs them: connections for rows, an address for frames."""

from contextlib import AbstractContextManager
from typing import Protocol

from verkehrspuls.storage.database import Connection


class Reader(Protocol):
    """Lends connections to the database, for as long as a read takes."""

    def connection(self) -> AbstractContextManager[Connection]:
        """Lend a connection that reads rows."""
        ...

    def frames(self) -> AbstractContextManager[str]:
        """Lend an address from which frames are read."""
        ...
