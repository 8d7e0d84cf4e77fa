"""Requests and responses of `/credentials`."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from api.parameters import one_of
from verkehrspuls.registry import clients

CLIENTS: Final = tuple(clients.every())


class Credential(BaseModel):
    """A credential, without its password, of which only a hash is kept."""

    user_name: str
    sensor: str | None
    issued_at: datetime
    issued_by: str = Field(description="e-mail, token, or host of a command")
    expires_at: datetime | None = Field(description="end of an overlap")
    revoked_at: datetime | None
    state: Literal["due", "valid", "ending", "expired", "revoked"] = Field(
        description="due: the broker is not told yet; ending: another one replaces it"
    )


class Credentials(BaseModel):
    """Credentials of a municipality."""

    credentials: list[Credential]


class WantedCredential(BaseModel):
    """A credential to be issued."""

    overlap_hours: float | None = Field(
        None,
        ge=0,
        le=8760,
        description="the earlier credentials of the sensor end after this time; null: "
        "they go on",
    )
    client: Annotated[str | None, one_of(CLIENTS)] = Field(
        None,
        description="whose configuration is wanted as well",
        json_schema_extra={"enum": [*CLIENTS, None]},
    )

    model_config = {
        "extra": "forbid",
        "json_schema_extra": {"examples": [{"overlap_hours": 168}]},
    }


class IssuedCredential(BaseModel):
    """What a sensor logs in with at the broker."""

    user: str
    password: str = Field(description="cannot be shown again")
    configuration: str | None = Field(description="of the client that was named")
