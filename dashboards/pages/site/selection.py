"""What a site's page shows: which period and quantities of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Query

from analytics.reports.site.asked import Asked as SiteAsked
from dashboards.pages.site.comparison import NOTHING, is_choice
from dashboards.period import Period, read
from verkehrspuls.errors import BadParameter
from verkehrspuls.language import Language
from verkehrspuls.quantities import COUNTED, ENVIRONMENT
from verkehrspuls.storage.sites import Site
from verkehrspuls.text import mark


def _asked(
    period: str = "",
    from_: Annotated[str, Query(alias="from")] = "",
    until: str = "",
    to: str = "",
    bin: str = "",
    quantity: str = "",
    compare: str = "",
) -> dict[str, str]:
    """Return the parameters of a site's address; empty fields are ignored."""
    return {
        "period": period,
        "from": from_,
        "until": until,
        "to": to,
        "bin": bin,
        "quantity": quantity,
        "compare": compare,
    }


Asked = Annotated[dict[str, str], Depends(_asked)]


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a site: a period, and what was measured in it."""

    site: Site
    language: Language
    now: datetime
    period: Period
    #: the counted quantity, if any
    quantity: str | None
    #: environment quantities, in the registry's order
    environment: tuple[str, ...]

    @property
    def zone(self) -> str:
        """The site's time zone."""
        return str(self.site.time_zone)

    @property
    def today(self) -> date:
        """The day of the page's clock at the site."""
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    @property
    def asked(self) -> SiteAsked:
        """The same, for reports."""
        return SiteAsked(
            site=self.site,
            quantity=self.quantity,
            start=self.period.start,
            end=self.period.end,
            bin=self.period.bin,
            now=self.now,
        )


def selection(
    site: Site,
    query: Mapping[str, str],
    language: Language,
    *,
    now: datetime,
) -> View:
    """Read what to show from the query string."""
    measured = list(dict.fromkeys(c.quantity for c in site.channels))
    counted = [q for q in COUNTED if q in measured]
    environment = [q for q in measured if q in ENVIRONMENT]
    asked = query.get("quantity", "")
    if asked and asked not in measured:
        raise BadParameter(
            parameter="quantity", detail=mark("The site does not measure that")
        )
    if asked:
        quantity = asked if asked in COUNTED else None
        environment = [q for q in environment if q == asked]
    else:
        quantity = next(iter(counted), None)
    compare = query.get("compare", "")
    # what a form had chosen for another quantity is no mistake
    if compare and not quantity and not (counted and is_choice(compare)):
        raise BadParameter(parameter="compare", detail=NOTHING)
    return View(
        site=site,
        language=language,
        now=now,
        period=read(query, site.time_zone, now=now),
        quantity=quantity,
        environment=tuple(environment),
    )
