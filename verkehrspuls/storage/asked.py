"""What a frame of a site is asked for; times are aware UTC, periods half-open."""

from datetime import datetime
from typing import Literal, TypedDict


class OfSite(TypedDict):
    """A quantity of a site in a period."""

    site_id: int
    quantity: str
    start: datetime
    end: datetime


class Trusted(OfSite, total=False):
    """The same, perhaps without what is suspected to be of a sensor's fault.

    It is left out as if a person had excluded it; see `vp.suspected`.
    """

    trusted: bool


class _Directed(Trusted, total=False):
    #: one key, `all` for the cross-section, None for each direction
    direction: str | None
    #: the cross-section (direction `all`) beside each direction
    together: bool


class Binned(_Directed):
    """The same in intervals, of directions."""

    interval_s: Literal[900, 3600]
