"""What is asked of places: a site, a quantity and a direction each."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from verkehrspuls.storage.database import Connection, execute

#: id of a site, quantity, and direction or `all`
Place = tuple[int, str, str]


def read_by_site(
    connection: Connection,
    query: str,
    make: Callable[..., Any],
    places: Sequence[Place],
    start: datetime,
    end: datetime,
) -> dict[int, list[Any]]:
    """Read what `make` makes of a query's rows about places in a period, by `site_id`.

    It gets an argument per other column.
    """
    rows = execute(
        connection,
        query,
        sites=[site_id for site_id, _, _ in places],
        quantities=[quantity for _, quantity, _ in places],
        directions=[direction for _, _, direction in places],
        start=start,
        end=end,
    )
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row.pop("site_id"), []).append(make(**row))
    return found
