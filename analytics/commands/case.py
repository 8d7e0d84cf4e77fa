"""List, show and decide anomaly cases."""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json, OfMunicipality

app = typer.Typer(no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Number of the case; see `list`.", min=1)]
By = Annotated[
    str | None,
    typer.Option(
        "--by", help="Author noted in the history. [default: your account's name]"
    ),
]
Text = Annotated[str, typer.Option("--comment", help="Reason of the decision.")]
Effect = Annotated[
    str | None,
    typer.Option(
        "--effect",
        help="Effect on figures: exclude, caveat or keep. [default: unchanged]",
    ),
]
Tongue = Annotated[
    Literal["de", "en"], typer.Option("--language", help="Language of sentences.")
]


@app.command("list")
def list_cases(
    municipality: OfMunicipality = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Include decided, withdrawn and older cases.")
    ] = False,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Only cases that had ended for a week when they were found.",
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of cases.")] = 100,
    language: Tongue = "de",
    as_json: Json = False,
) -> None:
    """List current cases, newest first.

    Current is an open case that lasts, or ended no more than a week ago.
    """
    from analytics.cases.sentences import sentence
    from analytics.reports.cases import report_cases
    from verkehrspuls.cli import database
    from verkehrspuls.errors import UsageError
    from verkehrspuls.storage.case_lists import CURRENT, HISTORY

    if everything and history:
        raise UsageError(reason="use --all or --history, not both")
    chosen = HISTORY if history else CURRENT
    with database.connection(municipality) as connection:
        report = report_cases(
            connection,
            municipality=municipality,
            standing=None if everything else chosen,
            limit=limit,
        )
    rows = [
        asdict(case) | {"sentence": sentence(case, language)} for case in report.cases
    ]
    output.show_list(
        rows,
        ("case", "municipality", "severity", "state", "effect", "sentence"),
        as_json=as_json,
        shown=lambda row: {**row, "case": row["anomaly_case_id"]},
    )
    if report.total > len(rows):
        output.print_note(f"these are the newest {len(rows)} of {report.total} cases")


@app.command()
def show(number: Number, language: Tongue = "de", as_json: Json = False) -> None:
    """Show a case with its evidence and history."""
    from analytics.cases import casework
    from analytics.cases.sentences import sentence
    from verkehrspuls.cli import database

    with database.connection() as connection:
        case = casework.show(connection, number)
    if as_json:
        output.show_json(case)
        return
    withdrawn = ", withdrawn" if case.withdrawn_at else ""
    output.print_result(sentence(case, language))
    output.print_result(f"{case.severity}, {case.state}{withdrawn}, {case.effect}\n")
    evidence = ("site", "channel", "detector", "reason", "began", "ended", "observed")
    output.show(
        [asdict(each) for each in case.members],
        (*evidence, "usual", "score", "withdrawn_at"),
    )
    output.print_result()
    output.show(
        [asdict(each) for each in case.history],
        ("at", "who", "kind", "state", "effect", "comment"),
    )


@app.command()
def confirm(
    number: Number, effect: Effect = None, comment: Text = "", by: By = None
) -> None:
    """Confirm a case.

    With `--effect exclude`, figures leave its hours out.
    """
    _decide(number, "confirmed", effect, comment, by)


@app.command()
def explain(
    number: Number, effect: Effect = None, comment: Text = "", by: By = None
) -> None:
    """Mark a case as explained, such as by a match or a closed road.

    Say by what in --comment.
    """
    _decide(number, "explained", effect, comment, by)


@app.command()
def reject(number: Number, comment: Text = "", by: By = None) -> None:
    """Reject a case as a false alarm; figures stay as they are."""
    _decide(number, "rejected", "keep", comment, by)


@app.command()
def reopen(number: Number, comment: Text = "", by: By = None) -> None:
    """Undo a decision: the case is suspected again, and detectors update it."""
    _decide(number, "suspected", "caveat", comment, by)


@app.command()
def comment(
    number: Number,
    text: Annotated[str, typer.Argument(help="Text of the comment.")],
    by: By = None,
) -> None:
    """Add a comment to a case."""
    from analytics.cases import casework
    from verkehrspuls.cli import database
    from verkehrspuls.errors import UsageError

    if not text.strip():
        raise UsageError(reason="the comment is empty")
    with database.connection() as connection:
        casework.remark(connection, number, who=_who(by), comment=text)


def _decide(
    number: int, state: str, effect: str | None, comment: str, by: str | None
) -> None:
    from analytics.cases import casework
    from analytics.cases.states import EFFECTS
    from verkehrspuls import wording
    from verkehrspuls.cli import database
    from verkehrspuls.errors import UsageError

    if effect is not None and effect not in EFFECTS:
        known = wording.choice(effect, EFFECTS)
        raise UsageError(reason=f"there is no effect {effect}; {known}")
    with database.connection() as connection:
        hours = casework.change(
            connection,
            number,
            who=_who(by),
            state=state,
            effect=effect,
            comment=comment,
        )
    output.print_note(f"hours to recompute: {hours}")


def _who(by: str | None) -> str:
    import getpass

    return by or getpass.getuser()
