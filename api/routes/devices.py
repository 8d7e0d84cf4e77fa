"""`/devices`: how the sensors of a municipality are, for whoever looks after them."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response

from analytics.reports.devices import Device, report_devices
from analytics.reports.trace import channel_of, report_trace
from api.database import Seen
from api.office import FORMULA
from api.parameters import KEY, Instant, MunicipalityKey, OfSensor, Store
from api.registering import Router
from api.schemas import devices as schemas
from api.schemas import trace as trace_schemas
from verkehrspuls.registry import edit
from verkehrspuls.storage.sites import read_site

router = Router("/devices")
ORDER: Final = 131

CSV: Final = "text/csv; charset=utf-8"


@router.get(
    "/{municipality}.csv",
    summary="Devices as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def export_devices(
    request: Request, store: Store, municipality: MunicipalityKey
) -> Response:
    """Return the same as a table, one line for each device."""
    return csv_response(_devices(request, store, municipality), municipality)


@router.get(
    "/{municipality}",
    summary="List devices",
    response_model=schemas.Devices,
)
def list_devices(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    sensor: OfSensor = None,
) -> dict[str, list[dict[str, Any]]]:
    """Show how the sensors of a municipality are, or one of them."""
    found = _devices(request, store, municipality, sensor)
    return {"devices": [device.facts for device in found]}


@router.get(
    "/{municipality}/trace",
    summary="Why a reading is not in figures",
    response_model=trace_schemas.Traced,
)
def trace_reading(
    store: Store,
    municipality: MunicipalityKey,
    site: Annotated[str, Query(description="key of the site", pattern=KEY)],
    channel: Annotated[str, Query(description="key of the channel", pattern=KEY)],
    at: Annotated[Instant, Query(examples=["2026-03-02T12:00:00Z"])],
) -> dict[str, Any]:
    """Trace a moment of a channel: attached, received, decoded, stored, in a figure."""
    with store.connection() as connection:
        edit.require(connection, municipality)
        found = read_site(connection, municipality, site)
        return asdict(
            report_trace(
                connection,
                found,
                channel_of(found, channel),
                at,
                now=datetime.now(UTC),
            )
        )


def _devices(
    request: Request, store: Seen, municipality: str, sensor: str | None = None
) -> list[Device]:
    with store.connection() as connection:
        edit.require(connection, municipality)
        return report_devices(
            connection,
            municipality,
            sensor=sensor,
            limits=request.app.state.settings.health,
            now=datetime.now(UTC),
        )


def csv_response(devices: Iterable[Device], municipality: str) -> Response:
    """Return devices as a file: one line for each, and lists as words."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(schemas.Device.model_fields)
    for device in devices:
        writer.writerow(map(_cell, device.facts.values()))
    name = f'attachment; filename="devices_{municipality}.csv"'
    headers = {"Content-Disposition": name}
    return Response(file.getvalue(), media_type=CSV, headers=headers)


def _cell(value: Any) -> Any:
    """Write a value for a cell: what a spreadsheet would run is text."""
    if isinstance(value, list):
        value = " ".join(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return re.sub(FORMULA, r"'\1", value) if isinstance(value, str) else value
