"""What the commands share that register an entry field by field."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verkehrspuls.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verkehrspuls.registry.registration import Change, Kind

Fields = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FIELD=VALUE...",
        help="Fields as in a registration file; a value is text, or TOML. "
        "`FIELD=` clears a field.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only check it, and say what would change.")
]


def put(kind: "Kind", named: str, fields: list[str] | None, *, dry_run: bool) -> None:
    """Register an entry, or change fields of it, and say what changed."""
    from verkehrspuls.cli import database
    from verkehrspuls.registry import edit

    municipality, key = split(named, kind)
    with database.connection() as connection, connection.transaction():
        changes = edit.change_entry(
            connection,
            municipality,
            kind,
            key,
            parse(kind, fields or ()),
            dry_run=dry_run,
        )
    show_changes(changes, dry_run=dry_run)


def remove(kind: "Kind", named: str) -> None:
    """Remove an entry that was never used."""
    from verkehrspuls.cli import database
    from verkehrspuls.registry import edit

    municipality, key = split(named, kind)
    with database.connection() as connection, connection.transaction():
        changes = edit.remove_entry(connection, municipality, kind, key)
    show_changes(changes, dry_run=False)


def split(named: str, kind: str) -> tuple[str, str]:
    """Split `municipality/key`; the key of a channel has two parts."""
    from verkehrspuls.errors import UsageError

    municipality, slash, key = named.partition("/")
    if not (municipality and slash and key):
        raise UsageError(reason=f"a {kind} is named municipality/{kind}, not {named}")
    return municipality, key


def parse(kind: "Kind", fields: "Iterable[str]") -> dict[str, Any]:
    """Read `field=value`: text, or TOML for fields of other types; None is empty."""
    import tomllib

    from verkehrspuls.errors import UsageError

    texts = _text_fields(kind)
    found: dict[str, Any] = {}
    for each in fields:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise UsageError(reason=f"{each} is no field; write FIELD=VALUE")
        found[name] = value or None
        if value and name not in texts:
            with suppress(tomllib.TOMLDecodeError):
                found[name] = tomllib.loads(f"value = {value}")["value"]
    return found


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """Read the `name=value` of an option that may be given several times."""
    from verkehrspuls.errors import UsageError

    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(reason=f"{option} {text}: write it as name=value")
        found[name] = value
    return found


def _text_fields(kind: "Kind") -> set[str]:
    """Return the fields of a kind that are text."""
    from msgspec import inspect

    from verkehrspuls.registry.registration import RECORDS

    record = inspect.type_info(RECORDS[kind])
    assert isinstance(record, inspect.StructType)  # noqa: S101 - all of them are
    return {
        field.encode_name
        for field in record.fields
        if isinstance(field.type, inspect.StrType | inspect.LiteralType)
        or (
            isinstance(field.type, inspect.UnionType)
            and any(isinstance(each, inspect.StrType) for each in field.type.types)
        )
    }


def show_changes(changes: "list[Change]", *, dry_run: bool) -> None:
    """Say of each entry what changed, or would change."""
    for change in changes:
        name = change.entry.in_language("en")
        if change.after is None or change.before is None:
            done = "removed" if change.after is None else "added"
            output.print_note(f"{name}: {done}")
            continue
        for field in change.fields:
            was, now = change.before.get(field), change.after.get(field)
            output.print_note(f"{name}: {field} was {was!r}, is {now!r}")
    if not changes:
        output.print_note("Nothing differs.")
    if dry_run:
        output.print_note("Nothing was changed: this was a dry run.")
