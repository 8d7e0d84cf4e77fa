"""People of tests: the operator's connection, and the web as who shows a credential."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final

import pytest

from api.database import Database
from tests.parts import as_web
from verkehrspuls.access import accounts, links, passwords, sessions, tokens
from verkehrspuls.access.passwords import Cost
from verkehrspuls.access.permissions import Role
from verkehrspuls.access.sessions import Begun, Origin
from verkehrspuls.access.viewer import ANONYMOUS, Viewer
from verkehrspuls.settings import Access
from verkehrspuls.storage.database import Connection, Transaction, connect

#: of hashes in tests, of which there are many
CHEAP: Final = Cost(time=1, memory_kib=8, lanes=1)
PASSWORD: Final = "Zug-Tasse-Wolke-91"
ANNE: Final = "anne@example.org"
BERND: Final = "bernd@example.org"
HOME: Final = Origin("203.0.113.7", "Firefox")
USUAL: Final = Access()
TOWN: Final = "kaiserslautern"
OTHER: Final = "verborgen"


class People:
    """A database with people: as the operator sees it, and as the web does."""

    def __init__(self, url: str, web: Database) -> None:
        self.url = url
        self.database = web

    def operator(self) -> AbstractContextManager[Connection]:
        """Lend a connection of the database's owner for a transaction."""
        return connect(self.url)

    def web(self, credential: str = "") -> Transaction:
        """Return what lends the web's connections for a credential."""
        viewer = _viewer_of(credential)
        return partial(self.database.writing, viewer)

    def reading(self, credential: str = "") -> AbstractContextManager[Connection]:
        """Lend a connection for a page that is read."""
        viewer = _viewer_of(credential)
        return self.database.connection(viewer)

    def put(
        self,
        email: str = ANNE,
        *roles: tuple[Role, str | None],
        name: str = "Anne Muster",
        password: str = PASSWORD,
    ) -> int:
        """Add a person who has chosen a password, as by an invitation."""
        with self.operator() as connection:
            account_id = accounts.add(connection, email, name)
            for role, town in roles:
                accounts.give(connection, account_id, role, town)
            made = links.create(connection, account_id, "invitation", settings=USUAL)
        begun = links.use(
            self.web(made.token), password=password, origin=HOME, settings=USUAL
        )
        assert begun is not None
        with self.web(begun.id)() as connection:
            sessions.end(connection)
        return account_id

    def try_log_in(
        self,
        email: str = ANNE,
        password: str = PASSWORD,
        *,
        origin: Origin = HOME,
        settings: Access = USUAL,
    ) -> Begun | None:
        """Log in over the web."""
        return sessions.log_in(
            self.web(), email, password, origin=origin, settings=settings
        )

    def log_in(self, email: str = ANNE, *, settings: Access = USUAL) -> str:
        """Log in over the web, and return the id of the session."""
        begun = self.try_log_in(email, settings=settings)
        assert begun is not None
        return begun.id

    def session(self, credential: str) -> sessions.Session | None:
        """Find the session of a credential, as each page does."""
        with self.reading(credential) as connection:
            return sessions.find(connection)

    def outlast_proofs(self) -> None:
        """Let the time pass in which everybody has shown who they are."""
        with self.operator() as connection:
            connection.execute(
                "update vp.session set proved_at = proved_at - interval '11 minutes'"
            )

    def sites(self, credential: str = "") -> set[str]:
        """Return the names of the sites that are seen."""
        with self.reading(credential) as connection:
            rows = connection.execute("select name from site").fetchall()
        return {row[0] for row in rows}


def _viewer_of(credential: str) -> Viewer:
    """Return who shows a token, session or link."""
    if credential.startswith("vp_"):
        return tokens.viewer_of(credential)
    return sessions.viewer_of(credential) if credential else ANONYMOUS


@contextmanager
def of(url: str) -> Iterator[People]:
    """Open a database for people, whose passwords are hashed quickly."""
    web = Database(as_web(url), size=4)
    web.open()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(passwords, "COST", CHEAP)
            yield People(url, web)
    finally:
        web.close()
