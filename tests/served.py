"""The pages as tests open them: of a database, at a time."""

from datetime import datetime

from fastapi import FastAPI

from dashboards import render
from dashboards.app import create_web
from tests.parts import as_web
from verkehrspuls.settings import load


def web(url: str, now: datetime) -> FastAPI:
    """Return the application with pages and API, for which it is `now`."""
    app = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
    app.dependency_overrides[render.now] = lambda: now
    return app
