"""Responses of `/devices`."""

from datetime import date, datetime

from pydantic import BaseModel, Field


class Device(BaseModel):
    """A sensor, and how it is."""

    municipality: str
    sensor: str
    name: str
    condition: str = Field(
        description="silent, clock, battery, maintenance (due), waiting (nothing came "
        "yet), reporting, imported, planned, out-of-service or dismantled"
    )
    problems: list[str] = Field(description="all that is wrong, the most urgent first")
    sites: list[str] = Field(description="where it is attached, else was last")
    latitude: float | None
    longitude: float | None
    last_received_at: datetime | None
    newest_reading_at: datetime | None
    interval_s: int = Field(description="expected from one reading to the next")
    complete_day: float | None = Field(
        description="share of the last 24 whole hours that readings cover; null where "
        "it was not attached"
    )
    complete_week: float | None = Field(description="the same of seven days")
    clock_offset_s: float | None = Field(
        description="median seconds from the end of an interval to its receipt; below "
        "zero the clock is ahead"
    )
    battery_pct: float | None
    battery_empty_on: date | None = Field(description="forecast")
    maintenance_due_on: date | None = Field(
        description="day of the next maintenance, by the maintenance log"
    )
    signal_dbm: float | None
    temperature_c: float | None = Field(description="of the device itself")
    state: str = Field(description="that it told: online, offline or unknown")
    status: str = Field(description="that is registered")
    open_cases: int = Field(description="to be looked at")
    model: str
    firmware: str = Field(description="that it told, else that is registered")
    serial: str
    owner: str
    power: str
    payload_format: str


class Devices(BaseModel):
    """The devices of a municipality."""

    devices: list[Device]
