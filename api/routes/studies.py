"""Studies of planners: changes, comparisons, rankings."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from analytics.reports import studies as reports
from api import PREFIX
from api.parameters import KEY, Day, MunicipalityKey, Quantity, SiteKey, Store
from api.problems import READ_RESPONSES
from api.schemas import studies as schemas
from verkehrspuls.errors import BadParameter

router = APIRouter(prefix=PREFIX, tags=["studies"], responses=READ_RESPONSES)
ORDER: Final = 90

Middle = Annotated[
    Day,
    Query(description="first local day after the measure", examples=["2026-03-02"]),
]
Weeks = Annotated[
    int, Query(ge=1, le=52, description="so many weeks before and after are compared")
]


@router.get(
    "/sites/{municipality}/{site}/before-after",
    summary="Before and after a measure",
    response_model=schemas.BeforeAfter,
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
    found = reports.report_before_after(
        store,
        municipality,
        site,
        measure=measure,
        weeks=weeks,
        controls=[key for key in controls.split(",") if key],
        quantity=quantity,
    )
    return _of_site(found) | {
        "measure": measure,
        "weeks": weeks,
        "effect": found.found.effect,
        "effect_without_suspected": found.without_suspected,
        "without_controls": found.found.site,
        "controls": found.found.controls,
        "placebo": found.found.placebo,
    }


@router.get(
    "/sites/{municipality}/{site}/compare",
    summary="Compare two periods, or two sites",
    response_model=schemas.Compared,
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
            pattern=KEY,
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
    found = reports.report_comparison(
        store,
        municipality,
        site,
        days=(first, last),
        earlier=(with_first, with_last),
        with_site=with_site,
        quantity=quantity,
    )
    return _of_site(found) | {
        "change": found.change,
        "change_without_suspected": found.without_suspected,
    }


@router.get(
    "/municipalities/{municipality}/ranking",
    summary="Sites by their change",
    response_model=schemas.Ranking,
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
    found = reports.report_ranking(
        store,
        municipality,
        middle=middle,
        weeks=weeks,
        quantity=quantity,
        skip=skip,
    )
    return {
        "municipality": municipality,
        "simulated": found.municipality.simulated,
        "quantity": found.quantity,
        "middle": middle,
        "weeks": weeks,
        "counting": found.counting,
        "considered": found.considered,
        "sites": [
            {
                **one.row,
                "change_without_suspected": one.change_without_suspected,
                "passport": one.passport,
            }
            for one in found.sites
        ],
    }


def _of_site(found: reports.Effect | reports.Compared) -> dict[str, Any]:
    return {
        "municipality": found.site.municipality,
        "simulated": found.site.simulated,
        "site": found.site.key,
        "quantity": found.quantity,
        "passport": found.passport,
    }
