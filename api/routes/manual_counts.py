"""`/manual-counts`: count by hand beside a sensor, compare, and decide.

All take a token with the permission `register` in the municipality.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from analytics.reports.manual_count import decide, report_manual_count
from api.parameters import MunicipalityKey, Store, one_of
from api.problems import responses
from api.records import PDF, record_of
from api.registering import Router
from verkehrspuls.errors import BadParameter
from verkehrspuls.language import Language
from verkehrspuls.manual_counts import ManualCount, Tap
from verkehrspuls.registry import manual_counts
from verkehrspuls.settings import Acceptance
from verkehrspuls.text import LANGUAGES

router = Router("/manual-counts")
ORDER: Final = 140

_CHANGING: Final = responses(409)

Number = Annotated[
    int, Path(description="number of the count", ge=1, le=2**31 - 1, examples=[1])
]


def _example(body: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [body]})


class NewManualCount(BaseModel):
    """A count that begins."""

    model_config = _example({"site": "pariser-strasse", "note": "dry"})
    site: str = Field(description="key of the site", pattern="^[a-z0-9-]{1,64}$")
    at: AwareDatetime | None = Field(None, description="when; now if not given")
    counted_by: str = Field("", description="who counts; you if empty", max_length=200)
    note: str = Field("", max_length=1000)


class ManualTap(BaseModel):
    """A vehicle, or several of a tally."""

    id: str = Field(description="UUID of your choice; the same one counts once")
    at: str = Field(description="with an offset", examples=["2026-03-02T08:00:05Z"])
    quantity: str = "motor"
    direction: str = Field("", description="key; empty where there is none")
    vehicle: str = Field("car", description="class, such as car or bicycle")
    vehicles: int = Field(1, description="0: it was undone", ge=0, le=10_000)
    revision: int = Field(
        0, description="of what was said of it, the greatest counts", ge=0, le=30_000
    )


class ManualTaps(BaseModel):
    """What was counted."""

    model_config = _example(
        {
            "taps": [
                {
                    "id": "0b0e4f4c-6c1b-4c1e-9d57-0d3c0c9f9a11",
                    "at": "2026-03-02T08:00:05Z",
                    "direction": "west",
                    "vehicle": "car",
                }
            ]
        }
    )
    taps: list[ManualTap] = Field(max_length=manual_counts.MAX_TAPS)


class ManualTally(BaseModel):
    """How many vehicles of a class were counted in a direction."""

    quantity: str
    direction: str
    vehicle: str
    vehicles: int


class ManualTallies(BaseModel):
    """All that was counted."""

    tallies: list[ManualTally]


class ManualCountEnd(BaseModel):
    """The end of a count."""

    model_config = _example({"at": "2026-03-02T10:00:00Z"})
    at: AwareDatetime | None = Field(None, description="when; now if not given")


class ManualCountDecision(BaseModel):
    """What is decided of a count."""

    model_config = _example({"accepted": True, "calibrate": True})
    accepted: bool
    calibrate: bool = Field(False, description="register the factors as well")
    since: AwareDatetime | None = Field(
        None, description="from when they hold; the begin of the count if not given"
    )
    remark: str = Field("", max_length=1000)


class CountedByHand(BaseModel):
    """A manual count."""

    number: int
    site: str
    began: datetime
    ended: datetime | None
    counted_by: str
    note: str
    accepted: bool | None = Field(description="null: not decided")
    decided_at: datetime | None
    decided_by: str
    remark: str


class ManualCountList(BaseModel):
    """Manual counts, the newest first."""

    counts: list[CountedByHand]


class ComparedByHand(CountedByHand):
    """A manual count with its comparison: as it was decided on, else as of now."""

    comparison: dict[str, Any] = Field(
        description="`sums` by direction and class, `spreads` over quarter-hours, or "
        "hours where the sensor's intervals do not divide them (`interval_s`), "
        "`factors` with their uncertainty (95 %), `quarters`; `accepted` is null where "
        "too little was counted"
    )


@router.get(
    "/{municipality}",
    summary="List manual counts",
    response_model=ManualCountList,
)
def list_manual_counts(
    store: Store, municipality: MunicipalityKey
) -> dict[str, list[ManualCount]]:
    """List the manual counts of a municipality, the newest first."""
    with store.connection() as connection:
        return {"counts": manual_counts.list_counts(connection, municipality)}


@router.post(
    "/{municipality}",
    summary="Begin a manual count",
    response_model=CountedByHand,
    responses=_CHANGING,
)
def start_manual_count(
    store: Store, municipality: MunicipalityKey, begin: NewManualCount
) -> ManualCount:
    """Begin a manual count at a site where a sensor counts."""
    with store.writing() as connection:
        return manual_counts.start(
            connection,
            municipality,
            begin.site,
            at=begin.at or datetime.now(UTC),
            counted_by=begin.counted_by,
            note=begin.note,
        )


@router.get(
    "/{municipality}/{count}",
    summary="Compare a manual count",
    response_model=ComparedByHand,
)
def get_manual_count(
    request: Request, store: Store, municipality: MunicipalityKey, count: Number
) -> dict[str, Any]:
    """Show a manual count beside the sensors, by class and quarter-hour."""
    return _shown(request, store, municipality, count)


@router.get(
    "/{municipality}/{count}/record",
    summary="Print the record of a manual count",
    response_class=Response,
    responses={
        200: {
            "content": {PDF: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def get_record(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    count: Number,
    language: Annotated[
        str,
        Query(description="of the record", json_schema_extra={"enum": [*LANGUAGES]}),
        one_of(LANGUAGES),
    ] = LANGUAGES[0],
) -> Response:
    """Return the acceptance record as PDF/UA-1, with fields for signatures."""
    now = datetime.now(UTC)
    rates = _rates(request)
    report = report_manual_count(store, municipality, count, now=now, rates=rates)
    return record_of(report, Language(language), now=now)


@router.put(
    "/{municipality}/{count}/taps",
    summary="Add what was counted",
    response_model=ManualTallies,
    responses=_CHANGING,
)
def put_taps(
    store: Store, municipality: MunicipalityKey, count: Number, taps: ManualTaps
) -> dict[str, Any]:
    """Add vehicles; what is sent again counts once."""
    try:
        given = msgspec.convert([tap.model_dump() for tap in taps.taps], list[Tap])
    except msgspec.ValidationError as error:
        raise BadParameter(parameter="taps", detail=str(error)) from error
    with store.writing() as connection:
        found = manual_counts.put_taps(
            connection, municipality, count, given, now=datetime.now(UTC)
        )
    names = ("quantity", "direction", "vehicle")
    return {
        "tallies": [
            dict(zip(names, key, strict=True)) | {"vehicles": vehicles}
            for key, vehicles in found.items()
        ]
    }


@router.post(
    "/{municipality}/{count}/end",
    summary="End a manual count",
    response_model=CountedByHand,
    responses=_CHANGING,
)
def end_manual_count(
    store: Store, municipality: MunicipalityKey, count: Number, ending: ManualCountEnd
) -> ManualCount:
    """End a manual count; what was counted before may still be added."""
    with store.writing() as connection:
        return manual_counts.end(
            connection, municipality, count, at=ending.at or datetime.now(UTC)
        )


@router.post(
    "/{municipality}/{count}/decision",
    summary="Decide on a manual count",
    response_model=ComparedByHand,
    responses=_CHANGING,
)
def decide_manual_count(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    count: Number,
    decision: ManualCountDecision,
) -> dict[str, Any]:
    """Accept the sensor, or not; the comparison is kept as it is now."""
    decide(
        store,
        store.writing,
        municipality,
        count,
        accepted=decision.accepted,
        calibrate=decision.calibrate,
        since=decision.since,
        remark=decision.remark,
        now=datetime.now(UTC),
        rates=_rates(request),
    )
    return _shown(request, store, municipality, count)


def _shown(
    request: Request, store: Store, municipality: str, number: int
) -> dict[str, Any]:
    report = report_manual_count(
        store,
        municipality,
        number,
        now=datetime.now(UTC),
        rates=_rates(request),
    )
    found: dict[str, Any] = msgspec.to_builtins(report.count)
    return found | {"comparison": msgspec.to_builtins(report.comparison)}


def _rates(request: Request) -> Acceptance:
    rates: Acceptance = request.app.state.settings.acceptance
    return rates
