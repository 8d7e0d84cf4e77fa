"""The commands `verkehrspuls db`."""

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json

app = typer.Typer()


@app.command()
def migrate(as_json: Json = False) -> None:
    """Bring the database up to this program's revision; safe to repeat."""
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage.migrate import migrate as bring_up

    url = resolve().database.url.get_secret_value()
    before, after = bring_up(url)
    if as_json:
        output.show_json({"before": before, "after": after})
    elif before == after:
        output.say(f"The database has revision {after} already.")
    else:
        output.say(
            f"The database has revision {after} now; before: {before or 'none'}."
        )


@app.command()
def status(as_json: Json = False) -> None:
    """Tell the database's revision and the one that this program needs.

    Ends with exit code 4 where they differ.
    """
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage.migrate import status as ask

    current, needed = ask(resolve().database.url.get_secret_value())
    if as_json:
        output.show_json({"current": current, "needed": needed})
    else:
        output.say(
            f"The database has revision {current or 'none'}, needed is {needed}."
        )
    if current != needed:
        output.tell("Run `verkehrspuls db migrate`.")
        raise typer.Exit(4)
