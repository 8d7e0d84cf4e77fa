"""Search, prove and export the audit log."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import EXCLUSIVE, Json, OfMunicipality, takes
from verkehrspuls.errors import UnknownKey

if TYPE_CHECKING:
    from verkehrspuls.access.audit import Entry
    from verkehrspuls.storage.database import Connection

app = typer.Typer(no_args_is_help=True)


class UnknownEntry(UnknownKey):
    """There is no entry {key}; `verkehrspuls audit list` shows all."""


@dataclass(frozen=True)
class Chosen:
    """Options that choose entries; None chooses all."""

    municipality: OfMunicipality = None
    actor: Annotated[
        str | None,
        typer.Option(help="Name of who did it, or a part of it. [default: all]"),
    ] = None
    action: Annotated[
        str | None,
        typer.Option(help="Action, such as site.change, or its noun. [default: all]"),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(help="Key of what was changed, or its begin. [default: all]"),
    ] = None
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Start of the period: a date, or a time with offset. Dates are local "
            "if a municipality is named, else in UTC.",
        ),
    ] = None
    to: Annotated[
        str | None, typer.Option("--to", help=f"End of the period, {EXCLUSIVE}.")
    ] = None


@app.command("list")
@takes(Chosen)
def list_entries(
    chosen: Chosen,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of entries.")] = 100,
    as_json: Json = False,
) -> None:
    """List who changed what, newest first."""
    from dataclasses import asdict

    from verkehrspuls.cli import database

    with database.connection(chosen.municipality) as connection:
        found = _find(connection, chosen, limit)
    output.show_list(
        [asdict(entry) for entry in found],
        ("number", "at", "actor_kind", "actor", "origin", "action", "key"),
        as_json=as_json,
    )


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="Number of the entry; see `list`.")],
    as_json: Json = False,
) -> None:
    """Show an entry, with what was before and after it."""
    from dataclasses import asdict

    from verkehrspuls.access import audit
    from verkehrspuls.cli import database

    with database.connection() as connection:
        found = audit.find(connection, number=number)
    if not found:
        raise UnknownEntry(kind="audit", key=number)
    entry = asdict(found[0])
    if as_json:
        output.show_json(entry)
        return
    before, after = entry.pop("before") or {}, entry.pop("after") or {}
    output.show_facts(entry)
    output.show(
        [
            {"what": name, "before": before.get(name), "after": after.get(name)}
            for name in before | after
        ],
        ("what", "before", "after"),
        whole=True,
    )


@app.command()
def check(
    head: Annotated[
        str,
        typer.Option(help="Hash of an entry, noted elsewhere, that must be there."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Prove that no entry was changed, removed or moved.

    Exits with 4 at the first that was. Keep the head that is shown elsewhere, and give
    it to a later check: only so is it found out that the end was cut off, or that all
    was written anew.
    """
    from verkehrspuls.access import audit
    from verkehrspuls.cli import database
    from verkehrspuls.errors import FoundProblems

    with database.connection() as connection:
        proof = audit.check(connection, head=head.strip().lower())
    facts = proof._asdict()
    if as_json:
        output.show_json(facts)
    else:
        output.show_facts({name: v for name, v in facts.items() if v not in (None, "")})
    if proof.broken is not None:
        raise FoundProblems(count=1)


@app.command()
@takes(Chosen)
def export(
    chosen: Chosen,
    format: Annotated[
        Literal["csv", "jsonl"], typer.Option(help="CSV, or JSON in lines.")
    ] = "csv",
    file: Annotated[
        Path | None,
        typer.Option("--output", help="File to write. [default: stdout]"),
    ] = None,
) -> None:
    """Export entries to a file, or to standard output, newest first."""
    from verkehrspuls.access import audit_files
    from verkehrspuls.cli import database
    from verkehrspuls.errors import UsageError

    with database.connection(chosen.municipality) as connection:
        found = _find(connection, chosen, None)
    text = "".join(audit_files.FORMATS[format](found))
    if file is None:
        output.print_data(text, nl=False)
        return
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        reason = f"{file} cannot be written: {error.strerror}"
        raise UsageError(reason=reason) from error
    output.print_note(f"{file}: {len(found)} entries")


def _find(connection: "Connection", chosen: Chosen, limit: int | None) -> "list[Entry]":
    from verkehrspuls.access import audit
    from verkehrspuls.cli import periods
    from verkehrspuls.storage import known

    zone = known.time_zone(connection, chosen.municipality)
    start, end = periods.period(chosen.from_, chosen.to, zone)
    return audit.find(
        connection,
        start=start,
        end=end,
        actor=chosen.actor,
        action=chosen.action,
        municipality=chosen.municipality,
        key=chosen.key,
        limit=limit,
    )
