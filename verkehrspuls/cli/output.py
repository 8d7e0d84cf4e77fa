"""What commands say: results on standard output, talk on standard error.

All texts go this way, because they may quote what strangers sent: no markup is read in
them, and what would command a terminal, break a line or turn its direction is escaped.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

Row = Mapping[str, Any]

#: Control characters, formats that are not seen, separators of lines, halves of pairs.
_UNSAFE: Final = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNSAFE_BUT_LINES: Final = re.compile(
    _UNSAFE.pattern.replace("\0-\x1f", "\0-\x09\x0b-\x1f")
)
_UNSAFE_BUT_CELLS: Final = re.compile(
    _UNSAFE.pattern.replace("\0-\x1f", "\0-\x08\x0b\x0c\x0e-\x1f")
)


def escape(text: str, *, lines: bool = False) -> str:
    r"""Write unsafe characters as Python and JSON do: `\x1b`, `\u202e`.

    `lines`: line feeds stay, where a text of ours has several lines.
    """
    unsafe = _UNSAFE_BUT_LINES if lines else _UNSAFE
    return unsafe.sub(lambda found: repr(found[0])[1:-1], text)


def print_result(text: object = "", *, flush: bool = False) -> None:
    """Print a result to standard output."""
    print(escape(str(text), lines=True), flush=flush)


def print_note(text: object, *, before: str = "") -> None:
    """Print a note to standard error; `before` is put in front without escaping."""
    print(f"{before}{escape(str(text), lines=True)}", file=sys.stderr, flush=True)


def print_data(text: str, *, nl: bool) -> None:
    """Write a file to standard output, as it is: for another program.

    On a terminal it is escaped, but for what separates lines and cells.
    """
    if sys.stdout.isatty():
        text = _UNSAFE_BUT_CELLS.sub(lambda found: escape(found[0]), text)
    sys.stdout.write(text + "\n" * nl)


def show(
    rows: Sequence[Row],
    columns: Sequence[str],
    *,
    title: str = "",
    whole: bool = False,
) -> None:
    """Show rows: as a table on a terminal, else tab-separated with a heading line.

    In a table that has no room on the terminal words are cut; `whole`: then each row
    is a list of what it has instead, in full.
    """
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
    console = Console()
    unbounded = console.options.update(max_width=sys.maxsize)
    if whole and console.measure(table, options=unbounded).maximum > console.width:
        _list(rows, columns, title=title)
    else:
        console.print(table)


def _list(rows: Sequence[Row], columns: Sequence[str], *, title: str) -> None:
    wide = max(map(len, columns))
    print(title)
    for row in rows:
        cells = ((name, _cell(row[name])) for name in columns)
        print(*(f"  {name:{wide}}  {cell}" for name, cell in cells if cell), sep="\n")
        print()


def show_list(
    rows: Sequence[Row],
    columns: Sequence[str],
    *,
    as_json: bool,
    shown: Callable[[Row], Row] = lambda row: row,
) -> None:
    """Show rows as JSON, or as a table of columns; `shown` is a row of the table."""
    if as_json:
        show_json(rows)
    else:
        show([shown(row) for row in rows], columns)


def show_facts(facts: Row) -> None:
    """Show the names and values of one thing."""
    rows = [{"what": name, "value": value} for name, value in facts.items()]
    show(rows, ("what", "value"))


def show_json(value: object) -> None:
    """Show a value as the JSON document that `--json` writes: indented."""
    print(to_json(value, indent=2))


def to_json(value: object, *, indent: int | None = None) -> str:
    """Write a value as JSON, with unsafe characters escaped as JSON does."""
    import msgspec

    text = msgspec.json.encode(value).decode()
    if indent is not None:
        text = msgspec.json.format(text, indent=indent)
    return escape_json(text)


def escape_json(text: str) -> str:
    """Escape unsafe characters in a JSON text: outside of strings there are none."""
    return _UNSAFE_BUT_LINES.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return escape(str(value))
