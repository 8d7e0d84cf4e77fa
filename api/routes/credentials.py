"""`/credentials`: with which sensors publish at the broker."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Query, Request, Response

from api.parameters import MunicipalityKey, SensorKey, Store
from api.problems import responses
from api.registering import Router
from api.schemas import credentials as schemas
from verkehrspuls.registry import clients, credentials, edit
from verkehrspuls.registry.credentials import Listed

router = Router("/credentials")
ORDER: Final = 138


@router.get(
    "/{municipality}",
    summary="List credentials",
    response_model=schemas.Credentials,
)
def list_credentials(
    store: Store,
    municipality: MunicipalityKey,
    sensor: Annotated[
        str | None, Query(description="key of a sensor", max_length=64)
    ] = None,
) -> dict[str, Sequence[Listed]]:
    """List credentials of sensors, with those that ended in the last 30 days."""
    with store.connection() as connection:
        edit.require(connection, municipality)
        return {"credentials": credentials.every(connection, municipality, sensor)}


@router.post(
    "/{municipality}/{sensor}",
    summary="Issue a credential",
    status_code=201,
    response_model=schemas.IssuedCredential,
    responses=responses(409),
)
def issue_credential(
    request: Request,
    response: Response,
    store: Store,
    municipality: MunicipalityKey,
    sensor: SensorKey,
    wanted: schemas.WantedCredential,
) -> dict[str, str | None]:
    """Issue a credential of a sensor; the password is in this answer only.

    With `overlap_hours`, the earlier ones end after that time. If the broker cannot be
    told, the answer is 503, and there is no new credential.
    """
    hours = wanted.overlap_hours
    issued = credentials.issue(
        store.writing,
        municipality,
        sensor,
        overlap=None if hours is None else timedelta(hours=hours),
    )
    response.headers["Cache-Control"] = "no-store"
    broker = request.app.state.settings.broker
    return {
        "user": issued.user,
        "password": issued.password,
        "configuration": clients.filled(wanted.client, issued, broker)
        if wanted.client
        else None,
    }


@router.delete(
    "/{municipality}/{sensor}",
    summary="Revoke credentials",
    status_code=204,
)
def revoke_credentials(
    store: Store,
    municipality: MunicipalityKey,
    sensor: SensorKey,
    user: Annotated[
        str | None,
        Query(description="user name of the one that is meant", max_length=150),
    ] = None,
) -> None:
    """Revoke all credentials of a sensor, or one; its connections are closed."""
    with store.writing() as connection:
        edit.require(connection, municipality)
        credentials.revoke_of(connection, municipality, sensor, user)
