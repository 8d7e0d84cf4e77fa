"""`/municipalities/{municipality}/short-count`: expand a short count to a mean day."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
from fastapi import APIRouter, Request

from analytics import frames
from analytics.quality import suspected
from analytics.quality.passport import of_days
from analytics.quality.validity import Rules
from analytics.reports.extracts import ALL, channels_of
from analytics.reports.sources import (
    HOUR_S,
    counting,
    read_days,
    school_holidays,
    sites_of,
    suspected_of,
    touching_days,
)
from analytics.studies import short_count
from api import PREFIX
from api.database import Database
from api.errors import Unreadable
from api.parameters import MunicipalityKey, Store
from api.problems import RESPONSES
from api.schemas import reasons
from api.schemas import short_count as schemas
from verkehrspuls import calendar
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.database import Row
from verkehrspuls.storage.days import count_valid_days
from verkehrspuls.storage.volumes import read_volumes

router = APIRouter(prefix=PREFIX, tags=["studies"])
ORDER: Final = 100

#: maximum permanent counters used for a short count
MAX_REFERENCES: Final = 20


@router.post(
    "/municipalities/{municipality}/short-count",
    operation_id="expandShortCount",
    summary="From a short count to the mean day of a year",
    response_model=schemas.ShortCount,
    responses=RESPONSES,
)
def expand_short_count(
    request: Request, store: Store, municipality: MunicipalityKey, count: schemas.Count
) -> dict[str, Any]:
    """Extrapolate whole counted hours by the town's permanent counters.

    Nothing is stored. The counters' means cover the 365 days up to the last counted
    one.
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
    able = counting(sites, count.quantity)
    with store.connection() as connection:
        valid_days = count_valid_days(
            connection,
            site_ids=[site["site_id"] for site in able],
            quantity=count.quantity,
            first=last - year,
            last=last,
        )
    rules = Rules.of(request.app.state.settings.analytics)
    required = rules.days_required(365)
    used = [site for site in able if valid_days.get(site["site_id"], 0) >= required][
        :MAX_REFERENCES
    ]
    counted = _local(
        pl.DataFrame(
            [(hour.time, hour.volume) for hour in count.hours],
            schema={"time": frames.TIME, "volume": pl.Float64},
            orient="row",
        ),
        zone,
    )
    with store.connection() as connection:
        touching = touching_days(connection, used, count.quantity, (last - year, last))
        suspects = suspected_of(connection, used, count.quantity, last - year, last)
    touched = set(suspects["site_id"])

    def read(of: Sequence[Row], *, trusted: bool) -> dict[str, _Counter]:
        without = suspects if trusted else None
        return {
            site["key"]: _counter(
                store, site, count.quantity, last, holidays, rules, without=without
            )
            for site in of
        }

    every = read(used, trusted=False)

    def figures(trusted: bool) -> dict[str, Any]:
        known = every
        if trusted:
            again = [site for site in used if site["site_id"] in touched]
            known = known | read(again, trusted=True)
        enough = {
            key: counter
            for key, counter in known.items()
            if counter.valid.height >= required
        }
        found = short_count.expand(
            counted,
            {key: counter.hours for key, counter in enough.items()},
            {key: frames.mean(c.valid["volume"]) for key, c in enough.items()},
        )
        days = pl.concat(
            [frames.empty(frames.FLOW_DAYS), *(c.days for c in enough.values())]
        )
        passport = of_days(
            days,
            method=short_count.METHOD,
            days_expected=days.height,
            days_used=days.filter("valid").height,
            **touching,
        )
        return asdict(found) | {
            "reason": reasons.in_languages(found.reason),
            "passport": asdict(passport),
        }

    found, without = suspected.both(figures, suspects)
    found["passport"]["suspected"] = suspected.share(
        suspects,
        start=calendar.day_start(last - year, zone.key),
        end=calendar.day_end(last, zone.key),
        channels=sum(len(channels_of(site, count.quantity)) for site in used),
    )
    return found | {
        "simulated": sites[0]["simulated"],
        "method": short_count.METHOD,
        "without_suspected": without,
    }


@dataclass(frozen=True, slots=True)
class _Counter:
    """A permanent counter over a year."""

    #: FLOW_DAYS
    days: pl.DataFrame
    #: its valid hours (short_count.HOURS)
    hours: pl.DataFrame

    @property
    def valid(self) -> pl.DataFrame:
        """Return the valid days."""
        return self.days.filter("valid")


def _counter(
    store: Database,
    site: dict[str, Any],
    quantity: str,
    last: date,
    holidays: pl.DataFrame,
    rules: Rules,
    *,
    without: pl.DataFrame | None,
) -> _Counter:
    """Read a permanent counter over the year up to a day, `without` SUSPECTED spans."""
    zone = site["time_zone"]
    first = last - timedelta(days=364)
    with store.frames() as url:
        days = read_days(
            url,
            site,
            quantity,
            first,
            last,
            school_holidays=holidays,
            without=without,
            rules=rules,
        )
        read = read_volumes(
            url,
            site_id=site["site_id"],
            quantity=quantity,
            start=calendar.day_start(first, zone),
            end=calendar.day_end(last, zone),
            interval_s=HOUR_S,
            direction=ALL,
            trusted=without is not None,
        )
    whole = read.filter("valid").with_columns(
        volume=pl.col("volume_normalised").cast(pl.Float64)
    )
    return _Counter(days, _local(whole, ZoneInfo(zone)))


def _local(hours: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    local = pl.col("time").dt.convert_time_zone(zone.key)
    return frames.check(
        hours.with_columns(day=local.dt.date(), hour=local.dt.hour()),
        short_count.HOURS,
    )
