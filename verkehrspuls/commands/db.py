"""Migrate the database, and show its revision."""

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json

app = typer.Typer()


@app.command()
def migrate(as_json: Json = False) -> None:
    """Migrate the database to this program's revision; safe to repeat."""
    from verkehrspuls.access import oidc
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage import migrate as migrations
    from verkehrspuls.storage.database import connect

    settings = resolve()
    url = settings.database.url.get_secret_value()
    before, after = migrations.migrate(url)
    with connect(url) as connection:
        oidc.register(connection, settings.oidc)
    if as_json:
        output.show_json({"before": before, "after": after})
    elif before == after:
        output.print_result(f"The database has revision {after} already.")
    else:
        output.print_result(
            f"The database has revision {after} now; before: {before or 'none'}."
        )
    _print_changed(migrations.status(url).changed)


@app.command()
def status(as_json: Json = False) -> None:
    """Show the database's revision and the one that this program needs.

    Exits with 4 if they differ, or if a migration was changed after it was applied.
    """
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage import migrate as migrations

    found = migrations.status(resolve().database.url.get_secret_value())
    if as_json:
        versions = {"current": found.current, "needed": found.needed}
        output.show_json(versions | {"changed": found.changed})
    else:
        needed = f"The database has revision {found.current}, as is needed."
        output.print_result(str(found.fault or needed))
        _print_changed(found.changed)
    if found.fault or found.changed:
        raise typer.Exit(4)


def _print_changed(files: tuple[str, ...]) -> None:
    """Name migrations whose files are not what was applied."""
    if files:
        output.print_note(f"Changed after they were applied: {', '.join(files)}.")
