"""Response of days as known at an earlier time."""

from datetime import datetime
from typing import Any

from api.schemas.common import Simulated
from api.schemas.passports import PassportOfFigure


class KnownDays(Simulated):
    """Local days as they were known at an earlier time."""

    municipality: str
    site: str
    quantity: str
    known_at: datetime
    days: list[dict[str, Any]]
    passport: PassportOfFigure
