"""Pages and API as tests open them: of a database, at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from dashboards import render
from dashboards.app import create_web
from tests.parts import as_web
from tests.world import TOWN
from verkehrspuls.access import tokens
from verkehrspuls.settings import load
from verkehrspuls.storage.database import connect


def web(
    url: str, now: datetime | None, *, address: str = "", **settings: str
) -> FastAPI:
    """Return the application with pages and API; for which it is `now`, if given.

    Further settings are named as in the environment: `OIDC__ISSUER`.
    """
    environment = {
        "VERKEHRSPULS_DATABASE__URL": as_web(url),
        "VERKEHRSPULS_PAGES__ADDRESS": address,
        **{f"VERKEHRSPULS_{name}": value for name, value in settings.items()},
    }
    app = create_web(load(environment))
    if now:
        app.dependency_overrides[render.now] = lambda: now
    return app


@contextmanager
def registering(url: str) -> Iterator[TestClient]:
    """Lend a client of the API with a token of the town that permits to register."""
    with connect(url) as connection:
        token = tokens.create(connection, TOWN.key, permissions=["register"])
    app = create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    with TestClient(app, headers={"Authorization": f"Bearer {token}"}) as client:
        yield client
