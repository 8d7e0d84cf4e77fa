"""The web application: the API, and the pages for people."""

from fastapi import FastAPI

from verkehrspuls.settings import Settings


def create_web(settings: Settings) -> FastAPI:
    """Make the application that `verkehrspuls api run` serves."""
    from api.app import create_app
    from dashboards.assets import Assets
    from dashboards.pages import add_pages
    from dashboards.remembered import Remembered
    from verkehrspuls.access import oidc

    app = create_app(settings)
    app.state.provider = oidc.provider_of(settings)
    app.state.assets = Assets()
    app.state.remembered = Remembered()
    add_pages(app)
    return app
