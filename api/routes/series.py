"""`/sites/{municipality}/{site}/series`: figures with their passport."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from analytics.reports import extracts
from analytics.reports.extracts import Bin, Extract, Selection
from api import PREFIX
from api.database import Seen
from api.errors import NotAcceptable
from api.file_types import FILE_TYPES, SPREADSHEET_KEYS, FileType, file_name
from api.negotiation import weight
from api.parameters import (
    DIRECTION,
    From,
    NamedSite,
    Store,
    To,
    one_of,
    pattern_of,
    quantity_of,
)
from api.problems import READ_RESPONSES
from api.schemas.series import Series
from verkehrspuls.quantities import QUANTITIES

router = APIRouter(prefix=PREFIX, tags=["figures"])
ORDER: Final = 30
MODELS: Final = (Series,)

#: Maximum days, so that a response stays below some 40,000 intervals.
MAX_DAYS: Final[dict[str, int]] = {"PT15M": 366, "PT1H": 5 * 366, "P1D": 100 * 366}

_CSV_KEYS: Final = ("csv", *SPREADSHEET_KEYS)
_CONTENT: Final[dict[str, dict[str, Any]]] = {
    "json": {"application/json": {"schema": {"$ref": "#/components/schemas/Series"}}},
    "csv": {"text/csv": {"schema": {"type": "string"}}},
    "parquet": {
        "application/vnd.apache.parquet": {
            "schema": {"type": "string", "format": "binary"}
        }
    },
}


def _described(*kinds: str) -> dict[int | str, dict[str, Any]]:
    content = {k: v for kind in kinds for k, v in _CONTENT[kind].items()}
    return {
        200: {"description": "The figures", "content": content},
        304: {"description": "Not changed since the `ETag` in `If-None-Match`"},
        **READ_RESPONSES,
    }


def _select(
    site: NamedSite,
    from_: From = None,
    to: To = None,
    bin: Annotated[
        Bin,
        Query(description="length of an interval (ISO 8601); days are local ones"),
    ] = "PT1H",
    quantity: Annotated[
        str | None,
        quantity_of(
            QUANTITIES, "what to give; default is the site's first counted quantity"
        ),
    ] = None,
    direction: Annotated[
        str | None,
        Query(
            description="key of a direction, or `all` for the cross-section; default "
            "is each direction",
            pattern=DIRECTION,
            examples=["all"],
        ),
    ] = None,
) -> Selection:
    selection = extracts.select(
        site,
        quantity=quantity,
        direction=direction,
        start=from_,
        end=to,
        bin=bin,
        now=datetime.now(UTC),
    )
    selection.period.at_most(MAX_DAYS[bin])
    return selection


Selected = Annotated[Selection, Depends(_select)]


@router.get(
    "/sites/{municipality}/{site}/series",
    summary="Read a series",
    response_class=Response,
    responses={
        **_described("json", "csv", "parquet"),
        406: {
            "description": "None of the formats in `Accept` is served",
            "content": READ_RESPONSES[404]["content"],
        },
    },
)
def read_series(
    request: Request,
    store: Store,
    selection: Selected,
    format: Annotated[
        str | None,
        Query(
            description="in place of `Accept`; `csv-de` and `csv-en` are for Excel",
            json_schema_extra={"enum": list(FILE_TYPES)},
            pattern=pattern_of(FILE_TYPES),
            examples=["json"],
        ),
        one_of(FILE_TYPES),
    ] = None,
) -> Response:
    """Return a site's figures in the format of `Accept` or `format`.

    Also with the suffixes `.json`, `.csv` and `.parquet`.
    """
    chosen = FILE_TYPES[format] if format else _accepted(request.headers.get("accept"))
    return _answer(store, selection, chosen)


@router.get(
    "/sites/{municipality}/{site}/series.json",
    summary="Read a series as JSON",
    response_class=Response,
    responses=_described("json"),
)
def read_series_json(store: Store, selection: Selected) -> Response:
    """Return the figures as JSON, with columns, units and passport."""
    return _answer(store, selection, FILE_TYPES["json"])


@router.get(
    "/sites/{municipality}/{site}/series.csv",
    summary="Read a series as CSV",
    response_class=Response,
    responses=_described("csv"),
)
def read_series_csv(
    store: Store,
    selection: Selected,
    format: Annotated[
        str,
        Query(
            description="`csv` is RFC 4180 with UTC times; `csv-de` has semicolons, "
            "decimal commas, local times and German names, for Excel; `csv-en` the "
            "same in English",
            json_schema_extra={"enum": list(_CSV_KEYS)},
            pattern="^csv(-de|-en)?$",
        ),
        one_of(_CSV_KEYS),
    ] = "csv",
) -> Response:
    """Return the figures as CSV; the header `Link` points to units and passport."""
    return _answer(store, selection, FILE_TYPES[format])


@router.get(
    "/sites/{municipality}/{site}/series.parquet",
    summary="Read a series as Parquet",
    response_class=Response,
    responses=_described("parquet"),
)
def read_series_parquet(store: Store, selection: Selected) -> Response:
    """Return the figures as Parquet; units and passport are in its metadata."""
    return _answer(store, selection, FILE_TYPES["parquet"])


def _answer(store: Seen, selection: Selection, format: FileType) -> Response:
    extract = _read(store, selection)
    body = format.write(extract)
    headers = {"Vary": "Accept", "Link": _links(selection, format)}
    if format.key != "json":
        name = file_name(selection, format.ending)
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(body, media_type=format.media_type, headers=headers)


def _read(store: Seen, selection: Selection) -> Extract:
    with store.frames() as source:
        frame = extracts.read(selection, source=source)
    with store.connection() as connection:
        return extracts.complete(
            selection, frame=frame, connection=connection, now=datetime.now(UTC)
        )


def _links(selection: Selection, format: FileType) -> str:
    """Link the description (RFC 8288), and the same figures as other file types."""
    query = {
        "from": f"{selection.period.start:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{selection.period.end:%Y-%m-%dT%H:%M:%SZ}",
        "bin": selection.bin,
        "quantity": selection.quantity,
    }
    if selection.direction is not None:
        query["direction"] = selection.direction
    base = f"{PREFIX}/sites/{selection.key}/series"
    return ", ".join(
        f"<{base}.{other.ending}?{urlencode(query)}>; "
        f'rel="{"describedby" if other.key == "json" else "alternate"}"; '
        f'type="{other.media_type}"'
        for other in FILE_TYPES.values()
        if other.key not in SPREADSHEET_KEYS and other is not format
    )


def _accepted(accept: str | None) -> FileType:
    """Choose by `Accept`: the best weight, JSON if several are equal."""
    if not accept:
        return FILE_TYPES["json"]
    offers = [f for f in FILE_TYPES.values() if f.key not in SPREADSHEET_KEYS]
    best = max(offers, key=lambda offer: weight(accept, offer.media_type))
    if weight(accept, best.media_type) <= 0:
        raise NotAcceptable(served=", ".join(offer.media_type for offer in offers))
    return best
