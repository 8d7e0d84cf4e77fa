"""The command `verkehrspuls case`: look at cases, and decide them."""

from typing import Annotated, Literal

import typer

from api.operator import Json, OfMunicipality

app = typer.Typer(help="Look at anomaly cases, and decide them.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Number of the case.", min=1)]
By = Annotated[
    str | None, typer.Option("--by", help="Who decides; default: the account's name.")
]
Text = Annotated[str, typer.Option("--comment", help="Why.")]
Effect = Annotated[
    str | None,
    typer.Option(
        "--effect", help="On figures: exclude, caveat or keep; default: as it is."
    ),
]
Tongue = Annotated[
    Literal["de", "en"], typer.Option("--language", help="Of sentences.")
]


@app.command("list")
def list_cases(
    municipality: OfMunicipality = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what is decided, withdrawn or old.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    language: Tongue = "de",
    as_json: Json = False,
) -> None:
    """List cases, newest first: open ones that ended no more than a week ago."""
    from analytics.sentences import sentence
    from api import operator, tables
    from verkehrspuls.storage import series

    with operator.connection(municipality) as connection:
        found = series.cases(
            connection,
            municipality=municipality,
            open_only=not everything,
            current_only=not everything,
            limit=limit,
            visible=series.EVERYTHING,
        )
    rows = [row | {"sentence": sentence(row, language)} for row in found]
    if as_json:
        tables.show_json(rows)
        return
    columns = ("case", "municipality", "severity", "state", "effect", "sentence")
    tables.show([row | {"case": row["anomaly_case_id"]} for row in rows], columns)


@app.command()
def show(number: Number, language: Tongue = "de", as_json: Json = False) -> None:
    """Show a case with its evidence and its history."""
    from analytics.sentences import sentence
    from api import casework, operator, tables
    from verkehrspuls.storage import series

    with operator.connection() as connection:
        case = casework.show(connection, number, visible=series.EVERYTHING)
    if as_json:
        tables.show_json(case)
        return
    withdrawn = ", withdrawn" if case["withdrawn_at"] else ""
    print(sentence(case, language))
    print(f"{case['severity']}, {case['state']}{withdrawn}, {case['effect']}\n")
    evidence = ("site", "channel", "detector", "reason", "began", "ended", "observed")
    tables.show(case["members"], (*evidence, "usual", "score", "withdrawn_at"))
    print()
    tables.show(case["history"], ("at", "who", "kind", "state", "effect", "comment"))


@app.command()
def confirm(
    number: Number, effect: Effect = None, comment: Text = "", by: By = None
) -> None:
    """It is so; with `--effect exclude` its hours leave the figures."""
    _decide(number, "confirmed", effect, comment, by)


@app.command()
def explain(
    number: Number, effect: Effect = None, comment: Text = "", by: By = None
) -> None:
    """It is so, and the comment says why: a match, a closed road."""
    _decide(number, "explained", effect, comment, by)


@app.command()
def reject(number: Number, comment: Text = "", by: By = None) -> None:
    """It is nothing: figures stay as they are."""
    _decide(number, "rejected", "keep", comment, by)


@app.command()
def reopen(number: Number, comment: Text = "", by: By = None) -> None:
    """Give the case back to the detectors: what was decided is undone."""
    _decide(number, "suspected", "caveat", comment, by)


@app.command()
def comment(
    number: Number,
    text: Annotated[str, typer.Argument(help="What is to be said.")],
    by: By = None,
) -> None:
    """Write a comment on a case."""
    from api import casework, operator
    from verkehrspuls.errors import UsageError

    if not text.strip():
        raise UsageError(reason="the comment is empty")
    with operator.connection() as connection:
        casework.remark(connection, number, who=_who(by), comment=text)


def _decide(
    number: int, state: str, effect: str | None, comment: str, by: str | None
) -> None:
    import sys

    from analytics.case_states import EFFECTS
    from api import casework, operator
    from verkehrspuls.errors import UsageError

    if effect is not None and effect not in EFFECTS:
        raise UsageError(reason=f"the effect is one of {', '.join(EFFECTS)}")
    with operator.connection() as connection:
        hours = casework.change(
            connection,
            number,
            who=_who(by),
            state=state,
            effect=effect,
            comment=comment,
        )
    print(f"hours that are computed anew: {hours}", file=sys.stderr)


def _who(by: str | None) -> str:
    import getpass

    return by or getpass.getuser()
