"""Times of a registration: without an offset they are those of the town's clock."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from verkehrspuls.calendar import NotOnClock, at_clock
from verkehrspuls.errors import UsageError
from verkehrspuls.registry.faults import wrong_year
from verkehrspuls.wording import Phrase


def installed_on_clock(fields: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """Return the fields of an installation with its times on the clock of a zone.

    Raise `WrongTime` for a time that occurs twice or never, or in no possible year.
    """
    found = dict(fields)
    for name in ("since", "until"):
        wall = _wall(found.get(name))
        if wall is None:
            continue
        if wrong := wrong_year(wall):
            raise WrongTime(name, wrong)
        try:
            found[name] = at_clock(wall, zone)
        except NotOnClock as error:
            raise WrongTime(name, error.phrase) from error
    return found


class WrongTime(UsageError):
    """{reason}."""

    def __init__(self, field: str, phrase: Phrase) -> None:
        super().__init__(reason=f"{field}: {phrase}")
        self.field = field
        self.phrase = phrase


def _wall(value: Any) -> datetime | None:
    """Return a wall-clock time: a time without offset, or a date; None for others."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, datetime.min.time())
    return value if isinstance(value, datetime) and value.tzinfo is None else None
