"""Questions that planners ask: changes, comparisons, short counts, what was known."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import polars as pl
from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator

from analytics import frames
from analytics.flow.figure import Reason
from analytics.flow.inputs import flow_days
from analytics.frames import check
from analytics.passport import of_days
from analytics.quality import validity
from analytics.studies import as_known, short_count
from analytics.studies.before_after import before_after
from analytics.studies.change import Change
from analytics.studies.comparison import (
    METHOD,
    compare_periods,
    compare_sites,
    rank,
)
from api import PREFIX
from api import studies_schemas as schemas
from api.database import Database
from api.errors import BadParameter
from api.moments import YEARS
from api.parameters import From, MunicipalityKey, SiteKey, Store, To
from api.periods import period
from api.problems import RESPONSES
from verkehrspuls import calendar
from verkehrspuls.errors import UnknownKey
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage import calendar as stored_calendar
from verkehrspuls.storage import series
from verkehrspuls.text import LANGUAGES

router = APIRouter(prefix=PREFIX, tags=["studies"])

LONGEST_DAYS: Final = 2 * 366
#: sites of a municipality that a ranking reads, at most
MOST_SITES: Final = 500
#: permanent counters that expand a short count, at most
MOST_REFERENCES: Final = 20

Quantity = Annotated[
    str,
    Query(
        description="what was counted",
        json_schema_extra={"enum": list(COUNTED)},
        pattern="^(" + "|".join(COUNTED) + ")$",
        examples=["motor"],
    ),
]


def _of_our_time(day: date) -> date:
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise ValueError(f"the year must be from {YEARS[0]} to {YEARS[1]}")
    return day


Day = Annotated[date, AfterValidator(_of_our_time)]
Middle = Annotated[
    Day,
    Query(description="first local day after the measure", examples=["2026-03-02"]),
]
Weeks = Annotated[
    int, Query(ge=1, le=52, description="so many weeks before and after are compared")
]


@router.get(
    "/sites/{municipality}/{site}/before-after",
    operation_id="readBeforeAfter",
    summary="Before and after a measure",
    response_model=schemas.BeforeAfter,
    responses=RESPONSES,
)
def read_before_after(
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    measure: Middle,
    weeks: Weeks = 8,
    controls: Annotated[
        str,
        Query(
            description="keys of sites that the measure left alone, by commas",
            pattern="^[a-z0-9-]{1,64}(,[a-z0-9-]{1,64}){0,19}$|^$",
        ),
    ] = "",
    quantity: Quantity = "motor",
) -> dict[str, Any]:
    """Estimate what a measure changed, from valid days without public holidays."""
    span = timedelta(weeks=weeks)
    first, last = measure - span, measure + span - timedelta(days=1)
    others = [key for key in controls.split(",") if key]
    if site in others:
        raise BadParameter(parameter="controls", detail="A site cannot control itself")
    days = {
        key: _days(store, municipality, key, quantity, first, last)
        for key in (site, *others)
    }
    found = before_after(
        days[site],
        {key: days[key] for key in others},
        before=(first, measure - timedelta(days=1)),
        after=(measure, last),
    )
    return {
        "municipality": municipality,
        "site": site,
        "quantity": quantity,
        "measure": measure,
        "weeks": weeks,
        "effect": _change(found.effect),
        "without_controls": _change(found.site),
        "controls": {key: _change(one) for key, one in found.controls.items()},
        "placebo": _change(found.placebo),
        "passport": asdict(found.passport),
    }


@router.get(
    "/sites/{municipality}/{site}/compare",
    operation_id="compare",
    summary="Compare two periods, or two sites",
    response_model=schemas.Compared,
    responses=RESPONSES,
)
def compare(
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    first: Annotated[
        Day, Query(description="first local day", examples=["2026-03-01"])
    ],
    last: Annotated[
        Day, Query(description="last local day, included", examples=["2026-03-03"])
    ],
    with_first: Annotated[
        Day | None,
        Query(description="first day of the earlier period", examples=["2026-02-01"]),
    ] = None,
    with_last: Annotated[
        Day | None, Query(description="and its last day", examples=["2026-02-28"])
    ] = None,
    with_site: Annotated[
        str | None,
        Query(
            description="another site of the municipality, not an earlier period",
            pattern="^[a-z0-9-]{1,64}$",
        ),
    ] = None,
    quantity: Quantity = "motor",
) -> dict[str, Any]:
    """Tell how much more was counted than in an earlier period, or at another site."""
    if (with_site is None) == (with_first is None or with_last is None):
        raise BadParameter(
            parameter="with_site",
            detail="Give either `with_site`, or `with_first` and `with_last`",
        )
    if with_site is not None:
        pair = [
            _days(store, municipality, key, quantity, first, last)
            for key in (with_site, site)
        ]
        found = compare_sites(*pair)
    else:
        before = (with_first or first, with_last or last)
        pair = [
            _days(store, municipality, site, quantity, *span)
            for span in (before, (first, last))
        ]
        both = pl.concat(pair).unique("day", maintain_order=True)
        found = compare_periods(both, before=before, after=(first, last))
    return {
        "municipality": municipality,
        "site": site,
        "quantity": quantity,
        "change": _change(found),
        "passport": _passport(pl.concat(pair)),
    }


@router.get(
    "/municipalities/{municipality}/ranking",
    operation_id="readRanking",
    summary="Sites by their change",
    response_model=schemas.Ranking,
    responses=RESPONSES,
)
def read_ranking(
    store: Store,
    municipality: MunicipalityKey,
    middle: Middle,
    weeks: Weeks = 8,
    quantity: Quantity = "motor",
) -> dict[str, Any]:
    """Order the sites of a municipality by what changed from one day on."""
    span = timedelta(weeks=weeks)
    first, last = middle - span, middle + span - timedelta(days=1)
    days = {
        key: _days(store, municipality, key, quantity, first, last)
        for key in _counting(store, municipality, quantity)
    }
    found = rank(
        days,
        before=(first, middle - timedelta(days=1)),
        after=(middle, last),
    )
    return {
        "municipality": municipality,
        "quantity": quantity,
        "middle": middle,
        "weeks": weeks,
        "sites": [
            row | {"passport": _passport(days[row["site"]])}
            for row in found.iter_rows(named=True)
        ],
    }


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
        raise BadParameter(
            parameter="quantity", detail=f"There is {', '.join(COUNTED)}"
        )
    times = sorted(hour.time.astimezone(UTC) for hour in count.hours)
    if any(time.minute or time.second or time.microsecond for time in times):
        raise BadParameter(parameter="hours", detail="Hours begin on the hour")
    if len(set(times)) < len(times):
        raise BadParameter(parameter="hours", detail="An hour is there twice")
    keys = _counting(store, municipality, count.quantity)
    zone = _zone(store, municipality)
    last = times[-1].astimezone(zone).date()
    references: dict[str, pl.DataFrame] = {}
    means: dict[str, float] = {}
    for key in keys:
        days = _days(
            store, municipality, key, count.quantity, last - timedelta(days=364), last
        ).filter("valid")
        if days.height < validity.DEFAULT.days_required(365):
            continue
        if len(references) == MOST_REFERENCES:
            break
        means[key] = float(days["volume"].mean())  # type: ignore[arg-type]
        references[key] = _hours(store, municipality, key, count.quantity, last, zone)
    counted = _local(
        pl.DataFrame(
            [(hour.time, hour.volume) for hour in count.hours],
            schema={"time": frames.TIME, "volume": pl.Float64},
            orient="row",
        ),
        zone,
    )
    found = short_count.expand(counted, references, means)
    return asdict(found) | {
        "reason": _reason(found.reason),
        "method": short_count.METHOD,
    }


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
        datetime,
        Query(
            description="as if read at this time (RFC 3339)",
            examples=["2026-03-03T00:00:00Z"],
        ),
    ],
    from_: From = None,
    to: To = None,
    quantity: Quantity = "motor",
) -> dict[str, Any]:
    """Compute local days from the readings in the versions that were known then.

    Each local day that the period touches is there as a whole. Late readings and
    corrections that came after `known_at` have no say. The default are the last 30
    days, at most 93 come at once.
    """
    if known_at.tzinfo is None:
        raise BadParameter(parameter="known_at", detail="The offset is missing")
    found = _site(store, municipality, site)
    now = datetime.now(UTC)
    asked = period(found, from_, to, now=now, days=30, longest_days=93)
    zone = found["time_zone"]
    targets = pl.DataFrame(
        {"day": pl.date_range(asked.first, asked.last, eager=True)}
    ).select(pl.lit(found["site_id"], pl.Int32).alias("site_id"), "day")
    channels = pl.DataFrame(
        [
            {name: (found | channel)[name] for name in frames.CHANNELS}
            for channel in found["channels"]
            if channel["quantity"] == quantity
        ],
        schema=dict(frames.CHANNELS),
    )
    with store.frames() as url:
        readings = series.counts_known_at(
            url,
            site_id=found["site_id"],
            quantity=quantity,
            start=calendar.day_start(asked.first, zone),
            end=calendar.day_end(asked.last, zone),
            known_at=known_at,
        )
        installed = series.installed(url, site_id=found["site_id"])
    days = as_known.days_as_known(
        check(readings, frames.COUNT_READINGS),
        targets,
        channels=channels,
        installed=check(installed, frames.INSTALLED),
        rules=validity.Rules.of(request.app.state.settings.analytics),
    ).sort("day", "direction")
    cross_section = days.filter(pl.col("direction") == "all")
    return {
        "municipality": municipality,
        "site": site,
        "quantity": quantity,
        "known_at": known_at,
        "days": days.drop("site_id", "quantity").to_dicts(),
        "passport": asdict(
            of_days(
                cross_section,
                method=as_known.METHOD,
                days_expected=targets.height,
            )
        ),
    }


def _site(store: Database, municipality: str, site: str) -> dict[str, Any]:
    with store.connection() as connection:
        return series.site(connection, municipality, site)


def _counting(store: Database, municipality: str, quantity: str) -> Sequence[str]:
    """Keys of the sites of a municipality that count something."""
    with store.connection() as connection:
        found = series.sites(connection, municipality=municipality)
    if not found:
        raise UnknownKey(kind="municipality", key=municipality)
    return [
        site["key"]
        for site in found
        if any(channel["quantity"] == quantity for channel in site["channels"])
    ][:MOST_SITES]


def _zone(store: Database, municipality: str) -> ZoneInfo:
    with store.connection() as connection:
        found = series.sites(connection, municipality=municipality)
    return ZoneInfo(found[0]["time_zone"])


def _days(
    store: Database,
    municipality: str,
    site: str,
    quantity: str,
    first: date,
    last: date,
) -> pl.DataFrame:
    """Read FLOW_DAYS of a cross-section."""
    if first > last:
        raise BadParameter(parameter="first", detail="`first` must not be after `last`")
    if (last - first).days > LONGEST_DAYS:
        raise BadParameter(
            parameter="first", detail=f"At most {LONGEST_DAYS} days are compared"
        )
    found = _site(store, municipality, site)
    with store.connection() as connection, store.frames() as url:
        holidays = pl.DataFrame(
            stored_calendar.school_holidays(connection),
            schema=dict(frames.SCHOOL_HOLIDAYS),
        )
        read = series.days(
            url,
            site_id=found["site_id"],
            quantity=quantity,
            first=first,
            last=last,
            direction="all",
        )
    return flow_days(
        read, first=first, last=last, state=found["state"], school_holidays=holidays
    )


def _hours(
    store: Database,
    municipality: str,
    site: str,
    quantity: str,
    last: date,
    zone: ZoneInfo,
) -> pl.DataFrame:
    """Read the valid hours of a permanent counter over a year (short_count.HOURS)."""
    found = _site(store, municipality, site)
    end = datetime.combine(last + timedelta(days=1), datetime.min.time(), zone)
    with store.frames() as url:
        read = series.volumes(
            url,
            site_id=found["site_id"],
            quantity=quantity,
            start=(end - timedelta(days=365)).astimezone(UTC),
            end=end.astimezone(UTC),
            interval_s=3600,
            direction="all",
        )
    whole = read.filter("valid").with_columns(
        volume=pl.col("volume_normalised").cast(pl.Float64)
    )
    return _local(whole, zone)


def _local(hours: pl.DataFrame, zone: ZoneInfo) -> pl.DataFrame:
    local = pl.col("time").dt.convert_time_zone(zone.key)
    return check(
        hours.with_columns(day=local.dt.date(), hour=local.dt.hour()),
        short_count.HOURS,
    )


def _passport(days: pl.DataFrame) -> dict[str, Any]:
    used = days.filter("valid").height
    return asdict(
        of_days(days, method=METHOD, days_expected=days.height, days_used=used)
    )


def _change(found: Change) -> dict[str, Any]:
    return asdict(found) | {"clear": found.clear, "reason": _reason(found.reason)}


def _reason(reason: Reason | None) -> dict[str, Any] | None:
    if reason is None:
        return None
    text = {language: reason.text(language) for language in LANGUAGES}
    return {**asdict(reason), "text": text}
