"""Rows on standard output: a table for people, JSON or tab-separated for programs."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]


def show(rows: Sequence[Row], columns: Sequence[str], *, title: str = "") -> None:
    """Show rows: as a table on a terminal, else tab-separated with a heading line."""
    if not sys.stdout.isatty():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(_cell(row[name]) for name in columns))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    # names of what the row is of are to be copied: they are never cut
    first = Column(columns[0], no_wrap=True)
    table = Table(
        first,
        *columns[1:],
        title=title or None,
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for row in rows:
        # as text: what stands in the database is not markup
        table.add_row(*(Text(_cell(row[name])) for name in columns))
    Console().print(table)


def show_json(value: object) -> None:
    """Show a value as JSON."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(text.decode() + "\n")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    text = str(value).replace("\t", " ").replace("\n", " ")
    if text.isprintable():
        return text
    # what strangers sent must not command the terminal
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
