"""The command `verkehrspuls import`: files, straight into the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import FromDay, Json, ToDay, takes

if TYPE_CHECKING:
    from collections import Counter

    from ingest.files import CountFile
    from verkehrspuls.settings import Settings

app = typer.Typer()

#: Skipped lines of a recording that are listed one by one.
MAX_LINES_LISTED: Final = 20

FileOrFolder = Annotated[
    Path, typer.Argument(help="File or folder to read.", exists=True)
]
Format = Annotated[
    Literal["generic", "muenster-bike", "muenster-kfz"],
    typer.Option(help="Type of the file; see docs/how-to/replay-real-data.md."),
]
Municipality = Annotated[
    str | None,
    typer.Option(
        help="Key of the municipality; registered if it is new.",
        show_default="muenster, for its file types",
    ),
]
State = Annotated[
    str | None,
    typer.Option(
        help="State of a new municipality, such as RP; decides on holidays.",
        show_default="NW, for Münster's file types",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--site", help="Key of a site to read; may be repeated. [default: all]"
    ),
]


class Selection(NamedTuple):
    """The counts to read: parameters of both `import counts` and `replay`."""

    path: FileOrFolder
    format: Format
    municipality: Municipality = None
    state: State = None
    site: Only = None
    from_: FromDay = None
    to: ToDay = None


@app.callback()
def _group() -> None:
    """Import files into the database."""


@app.command()
@takes(Selection)
def counts(
    selection: Selection,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Store nothing; show what would be stored, and all errors.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Import a file of counts, with the same checks and ledger as messages."""
    from ingest.files.write import write_file
    from verkehrspuls.stack.state import resolve

    settings = resolve()
    if dry_run:
        _dry_run(settings, selection, json=json)
        return
    file = read(settings, selection)
    result = write_file(settings, file)
    _show(result, json=json)
    _check_rejected(result)


@app.command()
def messages(
    path: Annotated[
        Path,
        typer.Argument(
            help="Recording, such as the output of `mosquitto_sub -F %j`.",
            exists=True,
            dir_okay=False,
        ),
    ],
    json: Json = False,
) -> None:
    """Import a recording of messages, as if the broker had delivered them.

    Lines that are not messages are reported and skipped.
    """
    from ingest.files.write import write_recording
    from verkehrspuls.stack.state import resolve

    skipped = 0

    def show_skipped(number: int, reason: str) -> None:
        nonlocal skipped
        skipped += 1
        if skipped <= MAX_LINES_LISTED:
            output.print_note(f"line {number} is skipped: {reason}")

    result = write_recording(resolve(), path, skipped=show_skipped)
    _show(result, json=json)
    if skipped:
        output.print_note(
            f"{skipped} line{'s' * (skipped != 1)} of {path} skipped; correct them and "
            "import the file again: no reading counts twice."
        )
    _check_rejected(result)


def _show(result: "Counter[str]", *, json: bool) -> None:
    if json:
        output.show_json(dict(result))
        return
    output.print_note(
        f"{result['messages_received']} messages, {result['readings_received']} "
        f"readings: {result['readings_stored']} stored, "
        f"{result['readings_duplicate']} already there, "
        f"{result['readings_corrected']} corrected, "
        f"{result['readings_rejected']} rejected."
    )
    if overlapping := result["readings_overlapping"]:
        output.print_note(
            f"{overlapping} readings overlap others of their channel: each second "
            "counts once, by the reading received last. If you did not expect that, "
            "check the times and intervals in the file."
        )
    if fields := result["fields_dropped"]:
        output.print_note(
            f"{fields} field{'s' * (fields != 1)} left out because their values cannot "
            "be used; see `verkehrspuls ledger show`."
        )


def _check_rejected(result: "Counter[str]") -> None:
    """Print where rejected messages are; exit with 4 if nothing could be used."""
    from verkehrspuls.errors import FoundProblems

    refused = result["readings_rejected"] or result["messages_refused"]
    if refused:
        output.print_note(
            "Rejected messages are kept with their reason: see `verkehrspuls "
            "reject list`. After fixing the cause, run `verkehrspuls reject "
            "replay`."
        )
    if (
        refused
        and result["messages_refused"] >= result["messages_received"]
        and result["readings_received"] == result["readings_rejected"]
    ):
        raise FoundProblems(count=refused)


def _dry_run(settings: "Settings", selection: Selection, *, json: bool) -> None:
    """Print what an import would store, or all problems of the file."""
    from ingest.files import outlook
    from verkehrspuls.errors import BadFile, FoundProblems

    try:
        file = read(settings, selection, dry_run=True)
    except BadFile as error:
        problems: list[str] = getattr(error, "problems", [])
        if not problems:
            raise
        number: int = getattr(error, "number", len(problems))
        if json:
            output.show_json({"problems": problems, "number": number})
        for line in () if json else problems:
            output.print_result(line)
        if more := number - len(problems):
            output.print_note(f"… and {more} more.")
        raise FoundProblems(count=number) from error
    found = outlook(file)
    if json:
        output.show_json(found._asdict())
        return
    output.print_result(
        f"{found.readings} readings of {found.channels} channels at {found.sites} "
        f"sites, from {found.first} to {found.last}. Nothing was stored."
    )
    for what, number in found.rejected.items():
        output.print_result(f"{number} of them would be rejected: {what}")
    for what, number in found.fields_dropped.items():
        output.print_result(f"{number} fields would be left out: {what}")


def read(
    settings: "Settings", selection: Selection, *, dry_run: bool = False
) -> "CountFile":
    """Read the selected counts of a file; register its sites unless `dry_run`."""
    from ingest.files import cut, file_types
    from ingest.files.write import municipality_of
    from verkehrspuls.cli import database, periods
    from verkehrspuls.errors import UsageError
    from verkehrspuls.registry.towns import register

    first, end = periods.days(selection.from_, selection.to)
    municipality, state = selection.municipality, selection.state
    if selection.format.startswith("muenster-"):
        municipality, state = municipality or "muenster", state or "NW"
    if municipality is None:
        raise UsageError(reason="set --municipality to the town where this was counted")
    with database.connection(settings=settings) as connection:
        town = municipality_of(connection, municipality, state=state)
        file = cut(
            file_types()[selection.format](selection.path, town),
            since=first,
            until=end,
            sites=selection.site or (),
        )
        if not dry_run:
            register(connection, file.town, keep=True)
    for reason, rows in file.left_out.items():
        if rows:
            output.print_note(f"{rows} rows without a reading: {reason}")
    for what, rows in file.remarks.items():
        output.print_note(f"{rows} rows {what}.")
    return file
