"""`/registry/{municipality}/maintenance`: what engineers did, with photographs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import msgspec
from fastapi import Depends, Path, Query, Request, Response

from api import PREFIX
from api.errors import Unreadable
from api.parameters import MunicipalityKey, OfSensor, OfSite, Store
from api.problems import responses
from api.registering import Router
from api.schemas import maintenance as schemas
from verkehrspuls import wording
from verkehrspuls.errors import BadParameter
from verkehrspuls.registry import maintenance
from verkehrspuls.registry.maintenance import Entry, Maintenance

router = Router("/registry/{municipality}")
#: before the entries of the registry, whose addresses begin alike
ORDER: Final = 125
#: pattern of the paths that take photographs
PHOTOGRAPHS: Final = rf"{PREFIX}/registry/[^/]+/maintenance/\d+/photographs"


Number = Annotated[
    int, Path(description="number of the entry", ge=1, le=2**31 - 1, examples=[1])
]
Photograph = Annotated[
    int, Path(description="number of the photograph", ge=1, le=2**31 - 1, examples=[1])
]


@router.get(
    "/maintenance",
    summary="Show the maintenance log",
    response_model=schemas.MaintenanceLog,
)
def list_maintenance(
    store: Store,
    municipality: MunicipalityKey,
    site: OfSite = None,
    sensor: OfSensor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    skip: Annotated[
        int, Query(ge=0, le=1_000_000, description="so many newer ones come first")
    ] = 0,
) -> dict[str, object]:
    """List what was done, the newest first."""
    with store.connection() as connection:
        found = maintenance.entries(
            connection, municipality, site=site, sensor=sensor, limit=limit, skip=skip
        )
    return {"entries": found}


@router.post(
    "/maintenance",
    summary="Note what was done",
    status_code=201,
    response_model=schemas.MaintenanceEntry,
)
def add_maintenance(
    store: Store, municipality: MunicipalityKey, done: schemas.MaintenanceDone
) -> Entry:
    """Note what was done at a site, or with a sensor."""
    with store.writing() as connection:
        with _of_body():
            number = maintenance.add(connection, municipality, _read(done))
        return maintenance.entry(connection, municipality, number)


@router.put(
    "/maintenance/{entry}",
    summary="Correct what was done",
    response_model=schemas.MaintenanceEntry,
)
def change_maintenance(
    store: Store,
    municipality: MunicipalityKey,
    entry: Number,
    done: schemas.MaintenanceWork,
) -> Entry:
    """Replace the fields of an entry; it stays at its site or sensor."""
    with store.writing() as connection:
        with _of_body():
            maintenance.change(connection, municipality, entry, _read(done))
        return maintenance.entry(connection, municipality, entry)


@router.delete(
    "/maintenance/{entry}",
    summary="Remove an entry of the maintenance log",
    status_code=204,
)
def remove_maintenance(
    store: Store, municipality: MunicipalityKey, entry: Number
) -> None:
    """Remove an entry with its photographs; the audit log keeps what it said."""
    with store.writing() as connection:
        maintenance.remove(connection, municipality, entry)


async def _file(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/maintenance/{entry}/photographs",
    summary="Add a photograph",
    status_code=201,
    response_model=schemas.PhotographAdded,
    responses=responses(413),
    openapi_extra=schemas.PHOTOGRAPH,
)
def add_photograph(
    store: Store,
    municipality: MunicipalityKey,
    entry: Number,
    file: Annotated[bytes, Depends(_file)],
) -> dict[str, object]:
    """Add a photograph to an entry: JPEG, PNG or WebP, up to 20 MB.

    It is stored smaller, as JPEG, and without what its file says besides: place, time,
    device.
    """
    with store.writing() as connection, _of_body():
        number = maintenance.add_photograph(connection, municipality, entry, file)
    return {"number": number}


@router.get(
    "/photographs/{photograph}",
    summary="Show a photograph",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def get_photograph(
    store: Store, municipality: MunicipalityKey, photograph: Photograph
) -> Response:
    """Return a photograph as JPEG."""
    with store.connection() as connection:
        image = maintenance.photograph(connection, municipality, photograph)
    return Response(image, media_type="image/jpeg")


@router.delete(
    "/photographs/{photograph}",
    summary="Remove a photograph",
    status_code=204,
)
def remove_photograph(
    store: Store, municipality: MunicipalityKey, photograph: Photograph
) -> None:
    """Remove a photograph."""
    with store.writing() as connection:
        maintenance.remove_photograph(connection, municipality, photograph)


@contextmanager
def _of_body() -> Iterator[None]:
    """Say of what is wrong that it stands in the body."""
    try:
        yield
    except BadParameter as error:
        pointer = f"#/body/{error.parameter}"
        raise Unreadable(pointer=pointer, detail=error.detail) from error


def _read(done: schemas.MaintenanceWork) -> Maintenance:
    fields = done.model_dump()
    try:
        return msgspec.convert(fields, Maintenance)
    except msgspec.ValidationError as error:
        found = wording.explain(error, fields, Maintenance)
        raise Unreadable(
            pointer=f"#/body/{found.where}", detail=found.phrase.in_language("en")
        ) from error
