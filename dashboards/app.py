"""The web application: the API, and the pages for people."""

from fastapi import FastAPI

from verkehrspuls.settings import Settings


def create_web(settings: Settings) -> FastAPI:
    """Make the application that `verkehrspuls api run` serves."""
    from api.app import create_app
    from dashboards import pages
    from dashboards.assets import Assets

    app = create_app(settings)
    app.state.assets = Assets()
    app.state.problem_page = pages.problem_page
    app.include_router(pages.router)
    return app
