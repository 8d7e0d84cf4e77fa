"""A calibration as it was applied to counts of a channel."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What counts of a channel were multiplied with in `[since, until)`."""

    site: str
    channel: str
    #: of its direction, else its own
    name: str
    since: datetime
    #: None: it still holds
    until: datetime | None
    factor: float
    #: half the width of the interval that contains it with 95 %
    uncertainty: float | None
    #: how it was found, such as a manual count
    source: str
