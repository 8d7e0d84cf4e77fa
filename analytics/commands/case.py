"""List, show and decide anomaly cases."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json, OfMunicipality

if TYPE_CHECKING:
    from verkehrspuls.storage.database import Connection

app = typer.Typer(no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Number of the case; see `list`.", min=1)]
Numbers = Annotated[
    list[int], typer.Argument(help="Numbers of cases; see `list`.", min=1)
]
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
        ("case", "municipality", "severity", "state", "effect", "assignee", "sentence"),
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
    assigned = f", assigned to {case.assignee}" if case.assignee else ""
    output.print_result(
        f"{case.severity}, {case.state}{withdrawn}, {case.effect}{assigned}\n"
    )
    evidence = ("site", "channel", "detector", "reason", "began", "ended", "observed")
    output.show(
        [asdict(each) for each in case.members],
        (*evidence, "usual", "score", "withdrawn_at"),
    )
    output.print_result()
    output.show(
        [asdict(each) for each in case.history],
        ("at", "who", "kind", "assignee", "state", "effect", "comment"),
    )


@app.command()
def confirm(
    numbers: Numbers, effect: Effect = None, comment: Text = "", by: By = None
) -> None:
    """Confirm cases.

    With `--effect exclude`, figures leave their hours out.
    """
    _decide(numbers, "confirmed", effect, comment, by)


@app.command()
def explain(
    numbers: Numbers, effect: Effect = None, comment: Text = "", by: By = None
) -> None:
    """Mark cases as explained, such as by a match or a closed road.

    Say by what in --comment.
    """
    _decide(numbers, "explained", effect, comment, by)


@app.command()
def reject(numbers: Numbers, comment: Text = "", by: By = None) -> None:
    """Reject cases as false alarms; figures stay as they are."""
    _decide(numbers, "rejected", None, comment, by)


@app.command()
def reopen(numbers: Numbers, comment: Text = "", by: By = None) -> None:
    """Give cases back to the detectors: they are suspected again, and updated."""
    _decide(numbers, "suspected", None, comment, by)


@app.command()
def undo(numbers: Numbers, comment: Text = "", by: By = None) -> None:
    """Undo the newest decision of cases, if nothing came after it."""
    from analytics.cases import casework

    _each(
        numbers,
        lambda connection, number: casework.undo(
            connection, number, who=_who(by), comment=comment
        ),
    )


@app.command()
def assign(
    numbers: Numbers,
    to: Annotated[
        str | None,
        typer.Option("--person", help="E-mail of somebody who may decide them."),
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Assign to nobody.")] = False,
    comment: Text = "",
    by: By = None,
) -> None:
    """Assign cases to somebody who may decide them, or to nobody."""
    from analytics.cases import casework
    from verkehrspuls.errors import UsageError

    if nobody == (to is not None):
        raise UsageError(reason="name somebody with --person, or use --nobody")

    def put(connection: "Connection", number: int) -> int:
        town = casework.show(connection, number).municipality
        account = None if to is None else casework.person(connection, town, to)
        return casework.assign(
            connection, number, to=account, who=_who(by), comment=comment
        )

    _each(numbers, put)


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
    numbers: list[int], state: str, effect: str | None, comment: str, by: str | None
) -> None:
    from analytics.cases import casework
    from analytics.cases.states import EFFECT_OF, EFFECTS
    from verkehrspuls import wording
    from verkehrspuls.errors import UsageError

    if effect is not None and effect not in EFFECTS:
        known = wording.choice(effect, EFFECTS)
        raise UsageError(reason=f"there is no effect {effect}; {known}")
    _each(
        numbers,
        lambda connection, number: casework.change(
            connection,
            number,
            who=_who(by),
            state=state,
            effect=effect or EFFECT_OF.get(state),
            comment=comment,
        ),
    )


def _each(numbers: list[int], do: "Callable[[Connection, int], int]") -> None:
    """Do something with each case; fail if nothing could be done with one of them."""
    from functools import partial

    from analytics.cases import casework
    from verkehrspuls.cli import database
    from verkehrspuls.errors import FoundProblems

    with database.connection() as connection:
        outcomes = casework.each(connection, numbers, partial(do, connection))
    refused = [outcome for outcome in outcomes if outcome.error]
    if len(outcomes) == 1 and outcomes[0].error:
        raise outcomes[0].error
    hours = sum(outcome.hours or 0 for outcome in outcomes)
    output.print_note(f"hours to recompute: {hours}")
    for outcome in refused:
        output.print_note(f"case {outcome.case}: {outcome.error}")
    if refused:
        raise FoundProblems(count=len(refused))


def _who(by: str | None) -> str:
    import getpass

    return by or getpass.getuser()
