"""Requests and responses of `/registry/{municipality}/device-profiles`."""

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.parameters import KEY
from api.schemas.registry import EntryChange
from verkehrspuls.registry.own_profiles import MAX_CHARACTERS


class ListedDeviceProfile(BaseModel):
    """A device profile that can be used in a municipality."""

    key: str
    own: bool = Field(description="kept by the municipality; else of the program")
    name: dict[str, str] = Field(description="by language: de, en")
    kind: str
    measures: dict[str, str] = Field(description="by language: de, en")
    payload_formats: list[str]
    version: str | None = Field(description="of an own one: for `If-Match`")
    saved_at: datetime | None
    saved_by: str
    problem: dict[str, str] | None = Field(
        description="why an own one cannot be used any more, by language: de, en"
    )


class DeviceProfiles(BaseModel):
    """The device profiles that can be used in a municipality."""

    device_profiles: list[ListedDeviceProfile]


class DeviceProfileInFull(ListedDeviceProfile):
    """A device profile with its document."""

    ids: dict[str, list[str]] = Field(
        description="that are needed of a device, by payload format"
    )
    outputs: list[dict[str, Any]] = Field(description="what it measures, and how")
    configure: dict[str, str] = Field(
        description="how the device is set up, by language: de, en"
    )
    document: str = Field(description="the device profile in TOML")


#: a short device profile
_EXAMPLE = """\
name = { de = "Thermometer", en = "Thermometer" }
kind = "weather"
measures = { de = "Temperatur", en = "temperature" }
payload_format = "json"
topic = "thermometers/{device_id}"
interval_s = 300
profile = { receipt_time = true }
outputs = [
  { output = "t", channel = "temperature", quantity = "temperature_c", \
name = { de = "Luft", en = "Air" }, mapping = { field = "t" } },
]
configure = { de = "Wie im Handbuch.", en = "As in its manual." }
examples = [{ received_at = 2026-03-01T12:00:00Z, payload = '{"t": 4.1}' }]
"""


class NewDeviceProfile(BaseModel):
    """A device profile to be kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"document": _EXAMPLE}]})

    document: str = Field(description="it in TOML", max_length=MAX_CHARACTERS)


class DeviceProfileUse(BaseModel):
    """A sensor that is registered by a device profile."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sensor": "zaehler-1",
                    "site": "pariser-strasse",
                    "ids": {"dev_eui": "0016c001f153a14c"},
                }
            ]
        }
    )

    sensor: str = Field(pattern=KEY, description="its key")
    site: str = Field(pattern=KEY)
    name: str = Field("", max_length=200, description="by default that of the model")
    ids: dict[str, str] = Field({}, description="of the device")
    outputs: dict[str, str] | None = Field(
        None, description="those to use, with their channels; by default all"
    )
    payload_format: str | None = Field(
        None, max_length=40, description="where the profile has several"
    )
    since: AwareDatetime | None = Field(None, description="by default now")


class DeviceProfileUsed(BaseModel):
    """What was registered, or would be."""

    dry_run: bool
    changes: list[EntryChange]
    configure: dict[str, str] = Field(
        description="how the device is set up, by language: de, en"
    )
