"""`/sites/{municipality}/{site}/health`: whether the channels measure soundly."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

import polars as pl
from fastapi import APIRouter, Query, Request

from analytics import frames
from analytics.health.verdicts import METHOD, texts
from analytics.jobs import health_store
from analytics.quality.validity import Rules
from analytics.reports.extracts import ALL
from api import PREFIX
from api.database import Database
from api.parameters import From, MunicipalityKey, SiteKey, Store, To
from api.problems import RESPONSES
from api.schemas import channel_health as schemas
from verkehrspuls.calendar import day_end, day_start, days_between
from verkehrspuls.errors import BadParameter, TooLong
from verkehrspuls.settings import Settings
from verkehrspuls.storage import health, ledger
from verkehrspuls.storage.database import read_frame
from verkehrspuls.storage.doubts import list_ambiguous_hours
from verkehrspuls.storage.sites import Site, read_site
from verkehrspuls.text import LANGUAGES, translate

router = APIRouter(prefix=PREFIX, tags=["figures"])
ORDER: Final = 150

#: Maximum days in one response. Hours are judged on request.
MAX_DAYS: Final = {"P1D": 366, "PT1H": 7}
_LOOK_BACK: Final = timedelta(days=6)


@router.get(
    "/sites/{municipality}/{site}/health",
    operation_id="readHealth",
    summary="Read channel health",
    response_model=schemas.SiteHealth,
    responses=RESPONSES,
)
def read_health(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    from_: From = None,
    to: To = None,
    bin: Annotated[
        Literal["P1D", "PT1H"], Query(description="whether days or hours are judged")
    ] = "P1D",
) -> dict[str, object]:
    """Return the first health test that each channel failed on each local day.

    The default is the last seven days. Today is judged up to now.
    """
    with store.connection() as connection:
        found = read_site(connection, municipality, site)
    now = datetime.now(UTC)
    zone = ZoneInfo(found.time_zone)
    # `to` is exclusive
    last = _day(to, zone, before=True) if to else now.astimezone(zone).date()
    first = _day(from_, zone) if from_ else last - _LOOK_BACK
    if first > last:
        raise BadParameter(parameter="from", detail="`from` must be before `to`")
    if (last - first).days >= MAX_DAYS[bin]:
        raise TooLong(
            parameter="from", detail=f"bin={bin}: at most {MAX_DAYS[bin]} days come"
        )
    start, end = day_start(first, zone.key), day_end(last, zone.key)
    with store.connection() as connection:
        dropped = ledger.dropped_fields(
            connection,
            municipality=municipality,
            site=site,
            sensor=None,
            start=start,
            end=end,
        )
        ambiguous_hours = list_ambiguous_hours(
            connection,
            [
                (found.site_id, quantity, ALL)
                for quantity in {channel.quantity for channel in found.channels}
            ],
            start=start,
            end=end,
        )
    rows: list[dict[str, Any]]
    if bin == "P1D":
        with store.connection() as connection:
            found_of_days = health.days(
                connection, municipality=municipality, site=site, first=first, last=last
            )
        rows = [asdict(row) for row in found_of_days]
    else:
        settings = request.app.state.settings
        rows = _hours(store, found, settings, first=first, last=last, now=now)
    return {
        "municipality": municipality,
        "simulated": found.simulated,
        "site": site,
        "bin": bin,
        "first": first,
        "last": last,
        "method": METHOD,
        "ambiguous_hours": ambiguous_hours,
        "verdicts": [row | {"text": _text(row["verdict"])} for row in rows],
        "fields_dropped": dropped,
    }


def _hours(
    store: Database,
    site: Site,
    settings: Settings,
    *,
    first: date,
    last: date,
    now: datetime,
) -> list[dict[str, Any]]:
    wanted = pl.DataFrame(
        {"day": list(days_between(first, last))}, schema={"day": pl.Date}
    ).with_columns(site_id=pl.lit(site.site_id, pl.Int32))
    with store.frames() as url:
        found = health_store.verdicts(
            partial(read_frame, url),
            wanted.select(list(frames.SITE_DAYS)),
            settings.health,
            now=now,
            by="hour",
            gaps=Rules.of(settings.analytics).gaps,
        )
    channels = {one.channel_id: one for one in site.channels}
    return [
        row
        | {"hour": row["began"], "channel": channel.key}
        | {"quantity": channel.quantity, "direction": channel.direction}
        for row in found.iter_rows(named=True)
        for channel in (channels[row["channel_id"]],)
    ]


def _day(moment: datetime | date, zone: ZoneInfo, *, before: bool = False) -> date:
    """Return the local day of a moment; with `before`, of the last moment before it."""
    if isinstance(moment, datetime):
        shift = timedelta(microseconds=1) if before else timedelta(0)
        return (moment - shift).astimezone(zone).date()
    return moment - timedelta(days=1) if before else moment


def _text(verdict: str) -> dict[str, str]:
    # an unknown verdict of another version is shown by its key
    text = texts().get(verdict, verdict)
    return {language: translate(text, language) for language in LANGUAGES}
