"""Questions that planners ask: changes, comparisons, rankings."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated, Any, Final

import polars as pl
from fastapi import APIRouter, Query

from analytics.passport import of_days
from analytics.studies.before_after import before_after
from analytics.studies.change import Change
from analytics.studies.comparison import (
    METHOD,
    compare_periods,
    compare_sites,
    rank,
)
from api import PREFIX, reasons
from api import studies_schemas as schemas
from api.database import Database
from api.errors import BadParameter
from api.parameters import Day, MunicipalityKey, Quantity, SiteKey, Store
from api.problems import RESPONSES
from api.sources import counting, open_cases, read_days, school_holidays, sites_of
from verkehrspuls.storage import series

router = APIRouter(prefix=PREFIX, tags=["studies"])

LONGEST_DAYS: Final = 2 * 366
#: sites of a municipality that a ranking reads, at most
MOST_SITES: Final = 500


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
    sites = _sites(store, municipality, (site, *others))
    own, *controlled = _days(store, sites, quantity, first, last)
    found = before_after(
        own,
        dict(zip(others, controlled, strict=True)),
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
        "passport": asdict(found.passport)
        | {"cases": _cases(store, sites, quantity, (first, last))},
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
        sites = _sites(store, municipality, (with_site, site))
        spans = [(first, last)]
        pair = _days(store, sites, quantity, first, last)
        found = compare_sites(*pair)
    else:
        before = (with_first or first, with_last or last)
        sites = _sites(store, municipality, (site,))
        spans = [before, (first, last)]
        pair = [days for span in spans for days in _days(store, sites, quantity, *span)]
        both = pl.concat(pair).unique("day", maintain_order=True)
        found = compare_periods(both, before=before, after=(first, last))
    return {
        "municipality": municipality,
        "site": site,
        "quantity": quantity,
        "change": _change(found),
        "passport": _passport(pl.concat(pair), _cases(store, sites, quantity, *spans)),
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
    with store.connection() as connection:
        every = sites_of(connection, municipality)
    sites = counting(every, quantity)[:MOST_SITES]
    by_key = {site["key"]: site for site in sites}
    read = _days(store, sites, quantity, first, last)
    days = dict(zip(by_key, read, strict=True))
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
            row
            | {
                "passport": _passport(
                    days[row["site"]],
                    _cases(store, [by_key[row["site"]]], quantity, (first, last)),
                )
            }
            for row in found.iter_rows(named=True)
        ],
    }


def _days(
    store: Database,
    sites: Sequence[Mapping[str, Any]],
    quantity: str,
    first: date,
    last: date,
) -> list[pl.DataFrame]:
    """Read FLOW_DAYS of the cross-section of sites."""
    if first > last:
        raise BadParameter(parameter="first", detail="`first` must not be after `last`")
    if (last - first).days > LONGEST_DAYS:
        raise BadParameter(
            parameter="first", detail=f"At most {LONGEST_DAYS} days are compared"
        )
    with store.connection() as connection:
        holidays = school_holidays(connection)
    with store.frames() as url:
        return [
            read_days(url, site, quantity, first, last, school_holidays=holidays)
            for site in sites
        ]


def _sites(store: Database, municipality: str, keys: Sequence[str]) -> list[series.Row]:
    with store.connection() as connection:
        return [series.site(connection, municipality, key) for key in keys]


def _cases(
    store: Database,
    sites: Sequence[Mapping[str, Any]],
    quantity: str,
    *spans: tuple[date, date],
) -> tuple[int, ...]:
    """Find the open cases that touch days of sites, in one of the spans."""
    with store.connection() as connection:
        found = [open_cases(connection, sites, quantity, *span) for span in spans]
    return tuple(sorted({case for cases in found for case in cases}))


def _passport(days: pl.DataFrame, cases: tuple[int, ...]) -> dict[str, Any]:
    return asdict(
        of_days(
            days,
            method=METHOD,
            days_expected=days.height,
            days_used=days.filter("valid").height,
            cases=cases,
        )
    )


def _change(found: Change) -> dict[str, Any]:
    return asdict(found) | {"clear": found.clear, "reason": reasons.told(found.reason)}
