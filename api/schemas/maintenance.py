"""Requests and responses of `/registry/{municipality}/maintenance`."""

from datetime import date, datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from verkehrspuls.registry.maintenance import Work

#: a request whose body is the file of a photograph
PHOTOGRAPH: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/jpeg", "image/png", "image/webp")
        },
    }
}


class MaintenanceWork(BaseModel):
    """What was done."""

    done_at: datetime
    kind: Work = "inspection"
    note: str = Field("", max_length=2000)
    due_on: date | None = Field(None, description="local day of the next maintenance")

    model_config = {
        "extra": "forbid",
        "json_schema_extra": {
            "examples": [{"done_at": "2026-03-04T09:30:00+01:00", "kind": "repair"}]
        },
    }


class MaintenanceDone(MaintenanceWork):
    """What was done at a site, or with a sensor: one of them is named."""

    site: str | None = Field(None, description="its key")
    sensor: str | None = Field(None, description="its key")

    model_config = {
        "extra": "forbid",
        "json_schema_extra": {
            "examples": [
                {
                    "sensor": "zaehler-1",
                    "done_at": "2026-03-04T09:30:00+01:00",
                    "kind": "battery",
                    "due_on": "2028-03-01",
                }
            ]
        },
    }


class MaintenanceEntry(MaintenanceDone):
    """An entry of the maintenance log."""

    number: int
    noted_at: datetime
    noted_by: str = Field(description="e-mail of a person, or name of a token")
    photographs: list[int] = Field(description="their numbers")

    model_config = {"extra": "ignore"}


class MaintenanceLog(BaseModel):
    """A part of the maintenance log."""

    entries: list[MaintenanceEntry]


class PhotographAdded(BaseModel):
    """A photograph that was stored."""

    number: int
