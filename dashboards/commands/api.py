"""Serve the pages and the API."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def api() -> None:
    """Serve the pages and the API."""


@app.command()
def run(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on. [default: from the settings]"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Port to listen on; 0 takes a free one. [default: from the settings]",
        ),
    ] = None,
) -> None:
    """Serve the pages and the API until Ctrl-C or SIGTERM.

    Prints `ready` when it listens.
    """
    from api.database import require_role
    from api.server import serve
    from dashboards.app import create_web
    from verkehrspuls import service
    from verkehrspuls.stack.state import resolve

    # beside a running `up` it serves the same database
    settings = resolve()
    service.begin(settings.log)
    require_role(settings.database.login("api"))
    serve(
        create_web(settings),
        settings.api.host if host is None else host,
        settings.api.port if port is None else port,
        settings.api,
    )
