"""The pages as tests open them: of a database, at a time."""

from datetime import datetime

from fastapi import FastAPI

from dashboards import render
from dashboards.app import create_web
from tests.parts import as_web
from verkehrspuls.settings import load


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
