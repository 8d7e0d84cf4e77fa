"""Reading what is suspected to be of a sensor's fault, and days without it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from analytics import frames
from analytics.quality import suspected
from analytics.quality.validity import Rules
from analytics.reports.extracts import ALL, channels_of
from analytics.volumes import daily
from analytics.volumes.long_intervals import MAX_INTERVAL_S, with_day
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.storage.database import Connection, FrameSource
from verkehrspuls.storage.doubts import list_suspected, read_excluded
from verkehrspuls.storage.sensors import read_installed
from verkehrspuls.storage.sites import Site
from verkehrspuls.storage.volumes import read_channel_volumes, read_long_volumes


def read_suspected(
    connection: Connection,
    site_ids: Sequence[int],
    quantity: str | None,
    *,
    start: datetime,
    end: datetime,
    direction: str = ALL,
) -> pl.DataFrame:
    """Read SUSPECTED of channels of sites in a period; see `list_suspected`."""
    found = list_suspected(
        connection,
        site_ids=site_ids,
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
    )
    return suspected.frame(map(asdict, found))


def of_places(
    connection: Connection,
    places: pl.DataFrame,
    *,
    start: datetime,
    end: datetime,
) -> pl.DataFrame:
    """Read SUSPECTED of motor traffic in directions of sites, with columns of `places`.

    `places` have `site_id`, `direction` and the columns that identify them.
    """
    found = read_suspected(
        connection, places["site_id"].unique().to_list(), "motor", start=start, end=end
    )
    return found.join(places, on=["site_id", "direction"])


def trusted_days(
    source: FrameSource,
    site: Site,
    quantity: str,
    found: pl.DataFrame,
    spans: pl.DataFrame,
    *,
    first: date,
    last: date,
    rules: Rules,
) -> pl.DataFrame:
    """Put in place of days that SUSPECTED spans touch what they are without them.

    `found` are days as `read_daily_figures` reads them; days that know nothing then
    lack.
    """
    if spans.is_empty():
        return found
    zone, place = site.time_zone, site.site_id
    of_site: dict[str, Any] = {
        "site_id": place,
        "quantity": quantity,
    }
    # reaches into the days, or they reach into it
    reach = timedelta(seconds=MAX_INTERVAL_S)
    channels = channels_of(site, quantity).select(*frames.CHANNELS)
    long = frames.check(
        read_long_volumes(
            source,
            start=day_start(first, zone) - reach,
            end=day_end(last, zone),
            **of_site,
        ),
        frames.LONG_VOLUMES,
    )
    days = sorted(
        {
            *suspected.days(spans, zone, first=first, last=last),
            *_days_of(long, spans, channels).filter(
                pl.col("day").is_between(first, last)
            )["day"],
        }
    )
    if not days:
        return found
    periods = _periods(days, zone)
    volumes = read_channel_volumes(source, spans=periods, **of_site)
    excluded = read_excluded(
        source,
        site_ids=[place],
        quantity=quantity,
        start=periods[0][0] - reach,
        end=periods[-1][1] + reach,
        direction=daily.ALL,
    ).select(*frames.SPANS)
    made = daily.days(
        frames.check(volumes, frames.VALID_VOLUMES),
        pl.DataFrame({"day": days}).select(
            pl.lit(place, pl.Int32).alias("site_id"), "day"
        ),
        channels=channels,
        installed=frames.check(
            read_installed(source, site_id=place), frames.INSTALLATIONS
        ),
        excluded=pl.concat(
            [frames.check(excluded, frames.SPANS), suspected.spans(spans)]
        ),
        long=long,
        rules=rules,
    )
    left = found.filter(~pl.col("day").is_in(days))
    kept = made.filter(pl.col("direction").is_in(found["direction"].unique().implode()))
    alike = kept.select(
        pl.col(name).cast(dtype) for name, dtype in found.schema.items()
    )
    return pl.concat([left, alike]).sort("day", "direction")


def _days_of(
    long: pl.DataFrame, spans: pl.DataFrame, channels: pl.DataFrame
) -> pl.DataFrame:
    """Return the `day` of each of LONG_VOLUMES that SUSPECTED spans touch."""
    ends = pl.col("time") + pl.duration(seconds="interval_s")
    touched = long.join(suspected.spans(spans), on="channel_id").filter(
        pl.col("since") < ends, pl.col("until") > pl.col("time")
    )
    return with_day(touched, channels).select(pl.col("day").unique())


def _periods(days: Sequence[date], zone: str) -> list[tuple[datetime, datetime]]:
    """Join days in a row to periods of whole hours."""
    found: list[tuple[datetime, datetime]] = []
    before: date | None = None
    for day in days:
        start = day_start(day, zone).replace(minute=0)
        if before is not None and day - before == timedelta(days=1):
            start = found.pop()[0]
        found.append((start, day_end(day, zone)))
        before = day
    return found
