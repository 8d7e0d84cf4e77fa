"""`/sites/{municipality}/{site}/days-as-known`: what was known at an earlier time."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import polars as pl
from fastapi import APIRouter, Query, Request

from analytics import frames
from analytics.quality import validity
from analytics.quality.passport import of_days
from analytics.reports.extracts import ALL, channels_of, quantity_of
from analytics.reports.periods import period
from analytics.reports.sources import touching_days
from analytics.studies import as_known
from analytics.volumes import long_intervals
from api import PREFIX
from api.parameters import From, Instant, MunicipalityKey, Quantity, SiteKey, Store, To
from api.problems import RESPONSES
from api.schemas import as_known as schemas
from verkehrspuls import calendar
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.sensors import read_installed
from verkehrspuls.storage.sites import read_site
from verkehrspuls.storage.volumes import read_counts_known_at

HOUR: Final = timedelta(hours=1)

router = APIRouter(prefix=PREFIX, tags=["studies"])
ORDER: Final = 110


@router.get(
    "/sites/{municipality}/{site}/days-as-known",
    operation_id="readDaysAsKnown",
    summary="Days as known at an earlier time",
    response_model=schemas.KnownDays,
    responses=RESPONSES,
)
def read_days_as_known(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    known_at: Annotated[
        Instant,
        Query(
            description="as if read at this time (RFC 3339)",
            examples=["2026-03-03T00:00:00Z"],
        ),
    ],
    from_: From = None,
    to: To = None,
    quantity: Quantity = None,
) -> dict[str, Any]:
    """Compute local days from the readings in the versions that were known then.

    Each local day that the period touches is complete. Late readings and corrections
    after `known_at` are ignored. The default are the last 30 days, the maximum is 93
    days.
    """
    with store.connection() as connection:
        found = read_site(connection, municipality, site)
    counted = quantity_of(found, asked=quantity, among=COUNTED)
    now = datetime.now(UTC)
    asked = period(found.time_zone, from_, to, now=now, days=30).at_most(93)
    zone = found.time_zone
    targets = pl.DataFrame(
        {"day": pl.date_range(asked.first, asked.last, eager=True)}
    ).select(pl.lit(found.site_id, pl.Int32).alias("site_id"), "day")
    channels = channels_of(found, counted).select(*frames.CHANNELS)
    with store.frames() as url:
        readings = read_counts_known_at(
            url,
            site_id=found.site_id,
            quantity=counted,
            # with readings that reach into the days, such as whole-day ones
            start=calendar.day_start(asked.first, zone)
            - timedelta(seconds=long_intervals.MAX_INTERVAL_S),
            end=calendar.day_end(asked.last, zone) + HOUR,
            known_at=known_at,
        )
        installed = read_installed(url, site_id=found.site_id)
    with store.connection() as connection:
        touching = touching_days(
            connection, [found], counted, (asked.first, asked.last)
        )
    days = as_known.days_as_known(
        frames.with_details(readings, frames.COUNT_READINGS),
        targets,
        channels=channels,
        installed=frames.check(installed, frames.INSTALLATIONS),
        rules=validity.Rules.of(request.app.state.settings.analytics),
    ).sort("day", "direction")
    cross_section = days.filter(pl.col("direction") == ALL)
    return {
        "municipality": municipality,
        "simulated": found.simulated,
        "site": site,
        "quantity": counted,
        "known_at": known_at,
        "days": days.drop("site_id", "quantity").to_dicts(),
        "passport": asdict(
            of_days(
                cross_section,
                method=", ".join(sorted(cross_section["method"].unique()))
                or as_known.METHOD,
                days_expected=targets.height,
                **touching,
            )
        ),
    }
