"""The SQL of `queries/*.sql` by name.

Every query stands in a file under a heading `-- name: <query_name>`; call sites say
`execute(connection, "query_name", parameter=value)`. What stands between `{{` and `}}`
is repeated for each count column, such as `{{sum(v.$count) as $count}}`.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, LiteralString, cast

from psycopg import sql

from verkehrspuls.classes import COUNTS

_HEADING = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_EACH_COUNT = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)


@cache
def queries() -> Mapping[str, LiteralString]:
    """All named queries."""
    found: dict[str, LiteralString] = {}
    folder = resources.files("verkehrspuls.storage") / "queries"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        parts = _HEADING.split(_for_each_count(file.read_text("utf-8")))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in found:
                raise ValueError(f"query {name} is defined twice, see {file.name}")
            found[name] = cast("LiteralString", text.strip().removesuffix(";"))
    return found


def quoted(query: str, parameters: Mapping[str, Any]) -> str:
    """Return a named query with its parameters quoted in it, for drivers without."""
    literals = {
        name: sql.Literal(value).as_string(None) for name, value in parameters.items()
    }
    return queries()[query] % literals


def _for_each_count(text: str) -> str:
    """Repeat what is to be repeated for each count column."""
    return _EACH_COUNT.sub(
        lambda found: ", ".join(
            found[1].replace("$count", column) for column in COUNTS
        ),
        text,
    )
