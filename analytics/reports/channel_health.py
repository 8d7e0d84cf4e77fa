"""The report of channel health: the first test that each channel of a site failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final, Literal
from zoneinfo import ZoneInfo

import polars as pl

from analytics import frames
from analytics.health.verdicts import METHOD
from analytics.jobs import health_store
from analytics.quality.validity import Rules
from analytics.reports.extracts import ALL
from verkehrspuls.calendar import day_end, day_start, days_between
from verkehrspuls.errors import BadParameter, TooLong
from verkehrspuls.settings import Settings
from verkehrspuls.storage import health, ledger
from verkehrspuls.storage.database import read_frame
from verkehrspuls.storage.doubts import list_ambiguous_hours
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import Site, read_site

Bin = Literal["P1D", "PT1H"]

#: Maximum days in one report. Hours are judged on request.
MAX_DAYS: Final = {"P1D": 366, "PT1H": 7}
_LOOK_BACK: Final = timedelta(days=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The first test that a channel failed on a local day or in an hour, or `good`."""

    channel: str
    quantity: str
    direction: str
    day: date
    #: start of the hour; None for a day
    hour: datetime | None = None
    verdict: str
    #: what the test measured, and where it fails
    value: float | None
    threshold: float | None
    #: of the network at which the fault lies
    level: str | None
    #: false while the day runs
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Channel health of a site on local days, `last` included."""

    site: Site
    first: date
    last: date
    method: str = METHOD
    verdicts: Sequence[Verdict]
    #: hours whose readings may be of another one
    ambiguous_hours: Sequence[datetime]
    #: left out of stored readings, in the hours of reception of these days
    fields_dropped: Sequence[ledger.DroppedField]


def report_channel_health(
    reader: Reader,
    municipality: str,
    site: str,
    *,
    start: datetime | date | None,
    end: datetime | date | None,
    bin: Bin,
    now: datetime,
    settings: Settings,
) -> Report:
    """Report the verdicts on the local days that a period touches, or their hours.

    The default is the last seven days. Today is judged up to now.
    """
    with reader.connection() as connection:
        found = read_site(connection, municipality, site)
    zone = ZoneInfo(found.time_zone)
    first, last = _days(start, end, zone, now=now, bin=bin)
    places = [
        (found.site_id, quantity, ALL)
        for quantity in {channel.quantity for channel in found.channels}
    ]
    since, until = day_start(first, zone.key), day_end(last, zone.key)
    verdicts: list[Verdict] = []
    with reader.connection() as connection:
        dropped = ledger.dropped_fields(
            connection,
            municipality=municipality,
            site=site,
            sensor=None,
            start=since,
            end=until,
        )
        ambiguous = list_ambiguous_hours(connection, places, start=since, end=until)
        if bin == "P1D":
            days = health.days(
                connection, municipality=municipality, site=site, first=first, last=last
            )
            verdicts = [_of_day(day) for day in days]
    if bin == "PT1H":
        verdicts = _of_hours(reader, found, settings, first, last, now=now)
    return Report(
        site=found,
        first=first,
        last=last,
        verdicts=verdicts,
        ambiguous_hours=ambiguous,
        fields_dropped=dropped,
    )


def _of_day(day: health.HealthDay) -> Verdict:
    return Verdict(
        channel=day.channel,
        quantity=day.quantity,
        direction=day.direction,
        day=day.day,
        verdict=day.verdict,
        value=day.value,
        threshold=day.threshold,
        level=day.level,
        complete=day.complete,
    )


def _of_hours(
    reader: Reader,
    site: Site,
    settings: Settings,
    first: date,
    last: date,
    *,
    now: datetime,
) -> list[Verdict]:
    """Judge the hours of local days."""
    wanted = pl.DataFrame(
        {"day": list(days_between(first, last))}, schema={"day": pl.Date}
    ).with_columns(site_id=pl.lit(site.site_id, pl.Int32))
    with reader.frames() as source:
        found = health_store.verdicts(
            partial(read_frame, source),
            wanted.select(list(frames.SITE_DAYS)),
            settings.health,
            now=now,
            by="hour",
            gaps=Rules.of(settings.analytics).gaps,
        )
    channels = {channel.channel_id: channel for channel in site.channels}
    return [
        Verdict(
            channel=channel.key,
            quantity=channel.quantity,
            direction=channel.direction,
            day=row["day"],
            hour=row["began"],
            verdict=row["verdict"],
            value=row["value"],
            threshold=row["threshold"],
            level=row["level"],
            complete=row["complete"],
        )
        for row in found.iter_rows(named=True)
        for channel in (channels[row["channel_id"]],)
    ]


def _days(
    start: datetime | date | None,
    end: datetime | date | None,
    zone: ZoneInfo,
    *,
    now: datetime,
    bin: Bin,
) -> tuple[date, date]:
    """Return the first and the last local day of a period, by default of the newest.

    Refuse a period that ends before it starts, or that is too long.
    """
    last = _day(end, zone, before=True) if end else now.astimezone(zone).date()
    first = _day(start, zone) if start else last - _LOOK_BACK
    if first > last:
        raise BadParameter(parameter="from", detail="`from` must be before `to`")
    if (last - first).days >= MAX_DAYS[bin]:
        raise TooLong(
            parameter="from", detail=f"bin={bin}: at most {MAX_DAYS[bin]} days come"
        )
    return first, last


def _day(moment: datetime | date, zone: ZoneInfo, *, before: bool = False) -> date:
    """Return the local day of a moment; with `before`, of the last moment before it."""
    if isinstance(moment, datetime):
        shift = timedelta(microseconds=1) if before else timedelta(0)
        return (moment - shift).astimezone(zone).date()
    return moment - timedelta(days=1) if before else moment
