"""Responses of `/healthz` and `/readyz`."""

from typing import Literal

from pydantic import BaseModel, Field


class Check(BaseModel):
    """The state of one part."""

    status: Literal["pass", "warn", "fail"]
    output: str | None = None
    observed_value: float | None = Field(None, serialization_alias="observedValue")
    observed_unit: str | None = Field(None, serialization_alias="observedUnit")


class Health(BaseModel):
    """Health of the service (draft-inadarei-api-health-check)."""

    status: Literal["pass", "warn", "fail"]
    checks: dict[str, list[Check]] | None = None
