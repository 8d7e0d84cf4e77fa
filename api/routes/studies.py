"""Studies of planners: changes, comparisons, rankings."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated, Any, Final

import polars as pl
from fastapi import APIRouter, Query

from analytics.quality import suspected
from analytics.quality.passport import of_days
from analytics.reports.extracts import quantity_of
from analytics.reports.sources import (
    Touching,
    counting,
    read_days_of_sites,
    school_holidays,
    sites_of,
    suspected_of,
    touching_days,
    touching_days_of_sites,
)
from analytics.studies.before_after import BeforeAfter, before_after
from analytics.studies.change import Change
from analytics.studies.comparison import (
    METHOD,
    compare_periods,
    compare_sites,
    rank,
)
from analytics.studies.pairs import YEAR
from api import PREFIX
from api.database import Database
from api.parameters import Day, MunicipalityKey, Quantity, SiteKey, Store
from api.problems import RESPONSES
from api.schemas import reasons
from api.schemas import studies as schemas
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.errors import BadParameter
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage.database import Row
from verkehrspuls.storage.sites import read_site

router = APIRouter(prefix=PREFIX, tags=["studies"])

MAX_PERIOD_DAYS: Final = 2 * 366
#: maximum sites of a municipality in one ranking
MAX_SITES: Final = 500


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
    quantity: Quantity = None,
) -> dict[str, Any]:
    """Estimate the change by a measure, from valid days without public holidays."""
    span = timedelta(weeks=weeks)
    first, last = measure - span, measure + span - timedelta(days=1)
    others = [key for key in controls.split(",") if key]
    if site in others:
        raise BadParameter(parameter="controls", detail="A site cannot control itself")
    sites = _sites(store, municipality, (site, *others))
    counted = quantity_of(*sites, asked=quantity, among=COUNTED)
    suspects = _suspected(store, sites, counted, (first, last))

    def estimate(trusted: bool) -> BeforeAfter:
        without = suspects if trusted else None
        own, *controlled = _days(store, sites, counted, first, last, without=without)
        return before_after(
            own,
            dict(zip(others, controlled, strict=True)),
            before=(first, measure - timedelta(days=1)),
            after=(measure, last),
        )

    found, trusted = suspected.both(estimate, suspects)
    return {
        "municipality": municipality,
        "simulated": sites[0]["simulated"],
        "site": site,
        "quantity": counted,
        "measure": measure,
        "weeks": weeks,
        "effect": _change(found.effect),
        "effect_without_suspected": trusted and _change(trusted.effect),
        "without_controls": _change(found.site),
        "controls": {key: _change(one) for key, one in found.controls.items()},
        "placebo": _change(found.placebo),
        "passport": asdict(found.passport)
        | _touching(store, sites, counted, (first, last))
        | {"suspected": _share(suspects, sites, counted, (first, last))},
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
        Query(
            description="first day of the earlier period; without it and `with_site` "
            "that of 52 weeks before is taken",
            examples=["2026-02-01"],
        ),
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
    quantity: Quantity = None,
) -> dict[str, Any]:
    """Compare volumes with an earlier period, or with another site.

    Days are compared in pairs of the same weekday. By default the earlier period is
    that of 52 weeks before.
    """
    earlier = {with_first, with_last} - {None}
    if (with_first is None) != (with_last is None) or (with_site and earlier):
        raise BadParameter(
            parameter="with_site",
            detail="Give either `with_site`, or `with_first` and `with_last`",
        )
    if with_site is not None:
        sites = _sites(store, municipality, (with_site, site))
        spans = [(first, last)]
    else:
        before = (
            with_first or _year_before(first),
            with_last or _year_before(last),
        )
        sites = _sites(store, municipality, (site,))
        spans = [before, (first, last)]
    counted = quantity_of(*sites, asked=quantity, among=COUNTED)
    suspects = _suspected(store, sites, counted, *spans)

    def change(pair: Sequence[pl.DataFrame]) -> Change:
        if with_site is not None:
            return compare_sites(*pair)
        both = pl.concat(pair).unique("day", maintain_order=True)
        return compare_periods(both, before=spans[0], after=spans[1])

    def read(without: pl.DataFrame | None = None) -> list[pl.DataFrame]:
        return [
            days
            for span in spans
            for days in _days(store, sites, counted, *span, without=without)
        ]

    pair = read()
    found = change(pair)
    return {
        "municipality": municipality,
        "simulated": sites[0]["simulated"],
        "site": site,
        "quantity": counted,
        "change": _change(found),
        "change_without_suspected": None
        if suspects.is_empty()
        else _change(change(read(suspects))),
        "passport": _passport(
            pl.concat(pair),
            _touching(store, sites, counted, *spans),
            _share(suspects, sites, counted, *spans),
        ),
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
    quantity: Quantity = None,
    skip: Annotated[
        int, Query(ge=0, le=1_000_000, description="so many sites, by name, come first")
    ] = 0,
) -> dict[str, Any]:
    """Order the sites of a municipality by their change from one day on.

    At most 500 sites are considered at once, by name: `considered` of `counting`.
    `skip` continues after them; the intervals hold for all sites together.
    """
    span = timedelta(weeks=weeks)
    first, last = middle - span, middle + span - timedelta(days=1)
    with store.connection() as connection:
        every = sites_of(connection, municipality)
    counted = quantity or next(
        (key for key in COUNTED if counting(every, key)), "motor"
    )
    able = counting(every, counted)
    sites = able[skip : skip + MAX_SITES]
    by_key = {site["key"]: site for site in sites}
    suspects = _suspected(store, sites, counted, (first, last))

    def read(without: pl.DataFrame | None = None) -> dict[str, pl.DataFrame]:
        found = _days(store, sites, counted, first, last, without=without)
        return dict(zip(by_key, found, strict=True))

    def ranked(days: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        return rank(
            days,
            comparisons=len(able),
            before=(first, middle - timedelta(days=1)),
            after=(middle, last),
        )

    days = read()
    with store.connection() as connection:
        touching = touching_days_of_sites(connection, sites, counted, (first, last))
    touched = set(suspects["site_id"])
    without: dict[str, Any] = {}
    if touched:
        trusted = ranked(read(suspects))
        without = dict(trusted.select("site", "change").iter_rows())
    return {
        "municipality": municipality,
        "simulated": every[0]["simulated"],
        "quantity": counted,
        "middle": middle,
        "weeks": weeks,
        "counting": len(able),
        "considered": len(sites),
        "sites": [
            row
            | {
                "change_without_suspected": without.get(row["site"])
                if by_key[row["site"]]["site_id"] in touched
                else None,
                "passport": _passport(
                    days[row["site"]],
                    touching[by_key[row["site"]]["site_id"]],
                    _share(suspects, [by_key[row["site"]]], counted, (first, last)),
                ),
            }
            for row in ranked(days).iter_rows(named=True)
        ],
    }


def _year_before(day: date) -> date:
    if day - date.min < YEAR:
        raise BadParameter(parameter="first", detail="There is no year before")
    return day - YEAR


def _days(
    store: Database,
    sites: Sequence[Mapping[str, Any]],
    quantity: str,
    first: date,
    last: date,
    *,
    without: pl.DataFrame | None = None,
) -> list[pl.DataFrame]:
    """Read FLOW_DAYS of the cross-section of sites, `without` SUSPECTED spans."""
    if first > last:
        raise BadParameter(parameter="first", detail="`first` must not be after `last`")
    if (last - first).days > MAX_PERIOD_DAYS:
        raise BadParameter(
            parameter="first", detail=f"At most {MAX_PERIOD_DAYS} days are compared"
        )
    with store.connection() as connection:
        holidays = school_holidays(connection)
    with store.frames() as url:
        return read_days_of_sites(
            url,
            sites,
            quantity,
            first,
            last,
            school_holidays=holidays,
            without=without,
        )


def _sites(store: Database, municipality: str, keys: Sequence[str]) -> list[Row]:
    with store.connection() as connection:
        return [read_site(connection, municipality, key) for key in keys]


def _touching(
    store: Database,
    sites: Sequence[Mapping[str, Any]],
    quantity: str,
    *spans: tuple[date, date],
) -> Touching:
    """Find cases that touch days of sites, in one of the periods."""
    with store.connection() as connection:
        return touching_days(connection, sites, quantity, *spans)


def _suspected(
    store: Database,
    sites: Sequence[Mapping[str, Any]],
    quantity: str,
    *spans: tuple[date, date],
) -> pl.DataFrame:
    """Read suspected sensor faults in one of the periods."""
    with store.connection() as connection:
        found = [suspected_of(connection, sites, quantity, *span) for span in spans]
    return pl.concat(found).unique(maintain_order=True)


def _share(
    suspects: pl.DataFrame,
    sites: Sequence[Mapping[str, Any]],
    quantity: str,
    *spans: tuple[date, date],
) -> float:
    """Return the suspected share of the sites' periods of any length."""
    if suspects.is_empty():
        return 0.0
    zone = sites[0]["time_zone"]
    bounds = [(day_start(first, zone), day_end(last, zone)) for first, last in spans]
    channels = sum(
        channel["quantity"] == quantity
        for site in sites
        for channel in site["channels"]
    )
    of_sites = suspects.filter(
        pl.col("site_id").is_in([site["site_id"] for site in sites])
    )
    whole = sum(((end - start) for start, end in bounds), timedelta())
    return sum(
        suspected.share(of_sites, start=start, end=end, channels=channels)
        * ((end - start) / whole)
        for start, end in bounds
    )


def _passport(
    days: pl.DataFrame, touching: Touching, suspected: float
) -> dict[str, Any]:
    return asdict(
        of_days(
            days,
            method=METHOD,
            days_expected=days.height,
            days_used=days.filter("valid").height,
            **touching,
        )
    ) | {"suspected": suspected}


def _change(found: Change) -> dict[str, Any]:
    return asdict(found) | {
        "clear": found.clear,
        "reason": reasons.in_languages(found.reason),
    }
