"""`/municipalities/{municipality}/short-count`: a short count and its mean day."""

from dataclasses import asdict
from datetime import UTC, date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
from fastapi import APIRouter

from analytics import frames
from analytics.passport import of_days
from analytics.quality import validity
from analytics.studies import short_count
from api import PREFIX, reasons
from api import studies_schemas as schemas
from api.database import Database
from api.errors import Unreadable
from api.parameters import MunicipalityKey, Store
from api.problems import RESPONSES
from api.sources import (
    HOUR_S,
    counting,
    open_cases,
    read_days,
    school_holidays,
    sites_of,
)
from verkehrspuls import calendar
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage import series

router = APIRouter(prefix=PREFIX, tags=["studies"])

#: permanent counters that expand a short count, at most
MOST_REFERENCES: Final = 20


@router.post(
    "/municipalities/{municipality}/short-count",
    operation_id="expandShortCount",
    summary="From a short count to the mean day of a year",
    response_model=schemas.ShortCount,
    responses=RESPONSES,
)
def expand_short_count(
    store: Store, municipality: MunicipalityKey, count: schemas.Count
) -> dict[str, Any]:
    """Extrapolate whole counted hours by the town's permanent counters.

    Nothing is stored. The counters' means are of the 365 days up to the last one
    counted.
    """
    if count.quantity not in COUNTED:
        raise Unreadable(
            pointer="#/body/quantity", detail=f"There is {', '.join(COUNTED)}"
        )
    times = sorted(hour.time.astimezone(UTC) for hour in count.hours)
    if any(time.minute or time.second or time.microsecond for time in times):
        raise Unreadable(pointer="#/body/hours", detail="Hours begin on the hour")
    if len(set(times)) < len(times):
        raise Unreadable(pointer="#/body/hours", detail="An hour is there twice")
    with store.connection() as connection:
        sites = sites_of(connection, municipality)
        holidays = school_holidays(connection)
    zone = ZoneInfo(sites[0]["time_zone"])
    year = timedelta(days=364)
    last = times[-1].astimezone(zone).date()
    references: dict[str, pl.DataFrame] = {}
    means: dict[str, float] = {}
    used: list[series.Row] = []
    behind = [frames.empty(frames.FLOW_DAYS)]
    for site in counting(sites, count.quantity):
        if len(references) == MOST_REFERENCES:
            break
        with store.frames() as url:
            days = read_days(
                url, site, count.quantity, last - year, last, school_holidays=holidays
            )
        valid = days.filter("valid")
        if valid.height >= validity.DEFAULT.days_required(365):
            means[site["key"]] = frames.mean(valid["volume"])
            references[site["key"]] = _hours(store, site, count.quantity, last)
            used.append(site)
            behind.append(days)
    counted = _local(
        pl.DataFrame(
            [(hour.time, hour.volume) for hour in count.hours],
            schema={"time": frames.TIME, "volume": pl.Float64},
            orient="row",
        ),
        zone,
    )
    found = short_count.expand(counted, references, means)
    with store.connection() as connection:
        cases = open_cases(connection, used, count.quantity, last - year, last)
    days = pl.concat(behind)
    return asdict(found) | {
        "reason": reasons.told(found.reason),
        "method": short_count.METHOD,
        "passport": asdict(
            of_days(
                days,
                method=short_count.METHOD,
                days_expected=days.height,
                days_used=days.filter("valid").height,
                cases=cases,
            )
        ),
    }


def _hours(
    store: Database, site: dict[str, Any], quantity: str, last: date
) -> pl.DataFrame:
    """Read the valid hours of a permanent counter over a year (short_count.HOURS)."""
    zone = site["time_zone"]
    with store.frames() as url:
        read = series.volumes(
            url,
            site_id=site["site_id"],
            quantity=quantity,
            start=calendar.day_start(last - timedelta(days=364), zone),
            end=calendar.day_end(last, zone),
            interval_s=HOUR_S,
            direction="all",
        )
    whole = read.filter("valid").with_columns(
        volume=pl.col("volume_normalised").cast(pl.Float64)
    )
    return _local(whole, ZoneInfo(zone))


def _local(hours: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    local = pl.col("time").dt.convert_time_zone(zone.key)
    return frames.check(
        hours.with_columns(day=local.dt.date(), hour=local.dt.hour()),
        short_count.HOURS,
    )
