"""Check device profiles by their examples."""

from pathlib import Path
from typing import Annotated

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json

app = typer.Typer(no_args_is_help=True)


@app.command("check")
def check_profile(
    file: Annotated[Path, typer.Argument(help="TOML file with a device profile.")],
    as_json: Json = False,
) -> None:
    """Check a device profile, and that its examples become what it says.

    Exits with 4 if they do not. Nothing is stored.
    """
    from ingest.trial import judge
    from verkehrspuls.errors import FoundProblems
    from verkehrspuls.registry.device_profiles import load
    from verkehrspuls.stack.state import resolve

    found = load(file)
    problems = list(judge(found, resolve().ingest))
    examples = len(found.examples) * len(found.formats)
    if as_json:
        output.show_json({"examples": examples, "problems": problems})
    for problem in () if as_json else problems:
        output.print_result(problem)
    if problems:
        raise FoundProblems(count=len(problems))
    output.print_note(f"{file}: {examples} examples become what it says.")
