"""`/registry`: what engineers register; each entry has an address.

All take a token with the permission `register` in the municipality. An entry that
exists is changed with `If-Match`, so that nobody overwrites what somebody else did.
"""

from typing import Annotated, Any, Final

import msgspec
from fastapi import Body, Depends, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api import PREFIX, negotiation
from api.errors import NotAcceptable, Unreadable
from api.parameters import EXAMPLE_TOWN, MunicipalityKey, Store, one_of
from api.problems import responses
from api.registering import Router, version_in
from api.schemas import registry as schemas
from verkehrspuls import wording
from verkehrspuls.errors import UnknownKey
from verkehrspuls.model import Town
from verkehrspuls.registry import edit
from verkehrspuls.registry.files import formats, importing, load
from verkehrspuls.registry.files.record import Content
from verkehrspuls.registry.registration import (
    RECORDS,
    Entry,
    Kind,
    entries,
    version,
)
from verkehrspuls.storage.database import Connection

router = Router("/registry")
ORDER: Final = 130
SCHEMAS: Final = schemas.schemas()

JSON: Final = "application/json"
#: pattern of the paths that take files
FILES: Final = rf"{PREFIX}/registry/[^/]+"

_CHANGING: Final = responses(409, 412)

Document = Annotated[dict[str, Any], Body()]
KindName = Annotated[
    Kind, Path(description="what it is", examples=["site"]), one_of(RECORDS)
]
EntryKey = Annotated[
    str,
    Path(
        description="its key; of a channel `site/channel`, of an installation "
        "`sensor/output/since`",
        max_length=300,
        examples=["pariser-strasse"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        description="`version` of the entry that you saw; without it the entry is new"
    ),
]


async def _posted(request: Request) -> Content:
    """Read the body: JSON, or a registration file."""
    data = await request.body()
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    return await run_in_threadpool(_content, data, kind)


def _content(data: bytes, kind: str) -> Content:
    if kind != JSON:
        return load.content(data, kind)
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        detail = wording.explain(str(error)).in_english()
        raise Unreadable(pointer="#/body", detail=detail) from error
    if not isinstance(document, dict):
        detail = "It is no registration: an object is wanted"
        raise Unreadable(pointer="#/body", detail=detail)
    return Content(document, {})


Posted = Annotated[Content, Depends(_posted)]


@router.get(
    "/{municipality}",
    summary="Show a registration",
    response_class=Response,
    responses={
        200: {
            "content": {
                JSON: {"schema": {"$ref": "#/components/schemas/RegisteredTown"}},
                **{
                    each.media_types[0]: {
                        "schema": {"type": "string", "format": "binary"}
                    }
                    for each in formats().values()
                },
            }
        },
        **responses(406),
    },
)
def get_registration(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    format: Annotated[
        str | None,
        Query(
            description="in place of `Accept`",
            json_schema_extra={"enum": ["json", *formats()]},
        ),
        one_of(["json", *formats()]),
    ] = None,
) -> Response:
    """Show all that is registered of a municipality, as a registration file has it.

    As JSON, or as a file of another format, to be imported again.
    """
    with store.connection() as connection:
        town = edit.read(connection, municipality)
    chosen = format or _accepted(request.headers.get("accept", "*/*"))
    if chosen == "json":
        return Response(msgspec.json.encode(town), media_type=JSON)
    return registration_file(town, chosen)


def registration_file(town: Town, format: str) -> Response:
    """Answer with a registration as a file in one of the formats."""
    form = formats()[format]
    name = f"{town.key}{form.suffix}"
    return Response(
        form.write(town),
        media_type=form.media_types[0],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Vary": "Accept",
        },
    )


def _accepted(accept: str) -> str:
    """Choose by `Accept`: the best weight, JSON if several are equal."""
    offers = {"json": JSON} | {k: f.media_types[0] for k, f in formats().items()}
    best = max(offers, key=lambda key: negotiation.weight(accept, offers[key]))
    if negotiation.weight(accept, offers[best]) <= 0:
        raise NotAcceptable(served=", ".join(offers.values()))
    return best


@router.post(
    "/{municipality}",
    summary="Import a registration",
    response_model=schemas.EntryChanges,
    responses=_CHANGING,
    openapi_extra=schemas.body_of(
        "municipality",
        {
            "key": EXAMPLE_TOWN,
            "name": "Kaiserslautern",
            "state": "RP",
            "sites": [],
            "sensors": [],
        },
        *(kind for each in formats().values() for kind in each.media_types[:1]),
    ),
)
def import_registration(
    store: Store,
    municipality: MunicipalityKey,
    found: Posted,
    dry_run: Annotated[
        bool, Query(description="only check it, and say what would change")
    ] = False,
) -> dict[str, object]:
    """Register what a registration contains; entries that it does not name stay.

    It is JSON, or a registration file in TOML, YAML, CSV or XLSX. A sensor's
    installations, and a corridor's stations, are replaced as a whole. All is
    registered, or nothing: `errors` lists each problem, of a file with its place.
    """
    with store.writing() as connection:
        edit.require(connection, municipality)
        done = importing.import_content(
            connection, found, municipality, dry_run=dry_run
        )
    return {
        "dry_run": dry_run,
        "changes": [change.summary() for change in done.changes],
    }


@router.get(
    "/{municipality}/{kind}",
    summary="List entries of a registration",
    response_model=schemas.Entries,
)
def list_entries(
    store: Store,
    municipality: MunicipalityKey,
    kind: KindName,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    skip: Annotated[
        int, Query(ge=0, le=1_000_000, description="so many others come first")
    ] = 0,
) -> dict[str, object]:
    """List the entries of a kind by their keys, each with its version."""
    with store.connection() as connection:
        found = entries(edit.read(connection, municipality))
    of_kind = [entry for entry in found if entry.kind == kind]
    return {
        "total": len(of_kind),
        "entries": [
            _in_full(entry, found[entry]) for entry in of_kind[skip : skip + limit]
        ],
    }


@router.get(
    "/{municipality}/{kind}/{key:path}",
    summary="Show an entry of a registration",
    response_model=schemas.Entry,
)
def get_entry(
    store: Store,
    response: Response,
    municipality: MunicipalityKey,
    kind: KindName,
    key: EntryKey,
) -> dict[str, object]:
    """Show one entry, with the version that a change of it names in `If-Match`."""
    with store.connection() as connection:
        return _shown(connection, municipality, Entry(kind, key), response)


@router.put(
    "/{municipality}/{kind}/{key:path}",
    summary="Register or change an entry",
    response_model=schemas.Entry,
    responses=_CHANGING,
    openapi_extra=schemas.BODY,
)
def put_entry(
    store: Store,
    response: Response,
    municipality: MunicipalityKey,
    kind: KindName,
    key: EntryKey,
    document: Document,
    if_match: IfMatch = None,
) -> dict[str, object]:
    """Register an entry, or replace its fields; entries that are part of it stay."""
    entry = Entry(kind, key)
    with store.writing() as connection:
        edit.put_entry(
            connection, municipality, entry, document, seen=version_in(if_match)
        )
        return _shown(connection, municipality, entry, response)


@router.delete(
    "/{municipality}/{kind}/{key:path}",
    summary="Remove an entry that was never used",
    status_code=204,
    responses=_CHANGING,
)
def remove_entry(
    store: Store,
    municipality: MunicipalityKey,
    kind: KindName,
    key: EntryKey,
    if_match: IfMatch = None,
) -> None:
    """Remove an entry without readings; of what was used the end is registered."""
    with store.writing() as connection:
        edit.put_entry(
            connection,
            municipality,
            Entry(kind, key),
            None,
            seen=version_in(if_match),
        )


def _shown(
    connection: Connection, municipality: str, entry: Entry, response: Response
) -> dict[str, object]:
    fields = entries(edit.read(connection, municipality)).get(entry)
    if fields is None:
        raise UnknownKey(kind=entry.kind, key=f"{municipality}/{entry.key}")
    shown = _in_full(entry, fields)
    response.headers["ETag"] = f'"{shown["version"]}"'
    return shown


def _in_full(entry: Entry, fields: dict[str, Any]) -> dict[str, object]:
    return {**entry._asdict(), "version": version(fields), "fields": fields}
