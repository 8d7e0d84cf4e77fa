"""The SQL of `queries/*.sql` by name.

Every query stands in a file under a heading `-- name: <query_name>`; call sites write
`execute(connection, "query_name", parameter=value)`. What stands between `{{` and `}}`
is repeated for each count column, such as `{{sum(v.$count) as $count}}`, with `$tally`
for each sum of the ledger, and with `$readings` for each of the two tables of readings.
A comma stands between the repetitions, or the `union all` or `or` that ends the braces.
`{{> <part>}}` is what stands under the heading `-- part: <part>`: words that several
queries share.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final, LiteralString

from psycopg import sql

from verkehrspuls.classes import COUNTS
from verkehrspuls.storage.tallies import TALLIES

_HEADING = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)
_PART = re.compile(r"\{\{> (\w+)\}\}")
_EACH = re.compile(r"\{\{(.+?)(\s+union all|\s+or)?\}\}", re.DOTALL)
_EACH_OF: Final = {
    "$count": COUNTS,
    "$tally": TALLIES,
    "$readings": ("count_reading", "environment_reading"),
}


@cache
def queries() -> Mapping[str, LiteralString]:
    """All named queries."""
    found: dict[str, dict[str, str]] = {"name": {}, "part": {}}
    folder = resources.files("verkehrspuls.storage") / "queries"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        pieces = _HEADING.split(file.read_text("utf-8"))
        for kind, name, text in zip(
            pieces[1::3], pieces[2::3], pieces[3::3], strict=True
        ):
            if name in found[kind]:
                raise ValueError(f"{kind} {name} is defined twice, see {file.name}")
            found[kind][name] = text.strip().removesuffix(";")
    parts = found["part"]
    return {
        name: _for_each(_with_parts(text, parts))
        for name, text in found["name"].items()
    }


def quoted(query: str, parameters: Mapping[str, Any]) -> str:
    """Return a named query with its parameters quoted in it, for drivers without."""
    literals = {
        name: sql.Literal(value).as_string(None) for name, value in parameters.items()
    }
    return queries()[query] % literals


def _with_parts(text: str, parts: Mapping[str, str]) -> str:
    """Fill in what is shared; a part may have parts."""
    return _PART.sub(lambda found: _with_parts(parts[found[1]], parts), text)


def _for_each(text: str) -> str:
    """Repeat what is to be repeated for each of some columns or tables."""

    def repeated(found: re.Match[str]) -> str:
        text, between = found[1], f"{found[2]}\n" if found[2] else ", "
        (mark,) = (mark for mark in _EACH_OF if mark in text)
        return between.join(text.replace(mark, name) for name in _EACH_OF[mark])

    return _EACH.sub(repeated, text)
