"""Manual counts as they are shown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from fastapi import Request, Response

from analytics.reports.manual_count import Report
from api.records import DECIDED, class_name, compared, way_name
from dashboards import addresses
from dashboards.forms import Form
from dashboards.render import render
from verkehrspuls.language import Language
from verkehrspuls.manual_counts import ManualCount, Way
from verkehrspuls.printing import Document
from verkehrspuls.storage.sites import Site
from verkehrspuls.text import mark


class Line(NamedTuple):
    """A count in the list of a site."""

    number: int
    began: str
    by: str
    state: str
    address: str


class Button(NamedTuple):
    """What is tapped for a vehicle of a class in a direction."""

    value: str
    name: str
    label: str
    vehicles: int


def counts_page(
    request: Request,
    language: Language,
    site: Site,
    counts: Sequence[ManualCount],
    form: Form,
) -> Response:
    """Show the counts of a site, and the form that begins one."""
    lines = [
        Line(
            count.number,
            language.moment(count.began, count.time_zone),
            count.counted_by,
            _state(count, language),
            addresses.count(language.key, site.municipality, site.key, count.number),
        )
        for count in counts
    ]
    page = render(
        request,
        language,
        "pages/count/counts.html",
        of=[site],
        site=site,
        lines=lines,
        form=form,
    )
    page.status_code = form.status
    return page


def count_page(
    request: Request,
    language: Language,
    report: Report,
    form: Form,
    *,
    now: datetime,
    id: UUID,
) -> Response:
    """Show a count: buttons while it goes on, afterwards the comparison."""
    count = report.count
    ways = [
        (way_name(way, report, language), _buttons(way, report, language))
        for way in report.ways
    ]
    blocks = list(compared(report, language)) if count.ended else []
    here = addresses.count(language.key, count.municipality, count.site, count.number)
    page = render(
        request,
        language,
        "pages/count/count.html",
        count=count,
        began=language.moment(count.began, count.time_zone),
        state=_state(count, language),
        ways=ways,
        document=Document(language.key, "", "", blocks),
        factors=report.comparison.factors,
        form=form,
        id=id,
        at=round(now.timestamp() * 1000),
        since=count.began.isoformat(),
        here=here,
        site_counts=addresses.count(language.key, count.municipality, count.site),
        record=addresses.record(
            language.key, count.municipality, count.site, count.number
        ),
        scope=f"/{language.key}/count/",
    )
    page.status_code = form.status
    return page


def moment_in(text: str) -> datetime | None:
    """Read a time with its offset; None if there is none, or one without an offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _buttons(way: Way, report: Report, language: Language) -> list[Button]:
    found = []
    for vehicle in way.classes:
        name = class_name(vehicle, language)
        key = (way.quantity, way.direction, vehicle)
        label = f"{name}, {way_name(way, report, language)}"
        found.append(Button("/".join(key), name, label, report.tallies.get(key, 0)))
    return found


def _state(count: ManualCount, language: Language) -> str:
    if count.ended is None:
        return language.phrase(mark("goes on"))
    return language.phrase(DECIDED[count.accepted])
