"""Requests and responses of `/registry`.

The records are those of a registration file; their schemas are made from them.
"""

import re
from typing import Any, Final, Literal

import msgspec
from pydantic import BaseModel, Field

from verkehrspuls.registry.registration import RECORDS, Kind

_NAME: Final = "#/components/schemas/Registered{name}"


def schemas() -> dict[str, Any]:
    """Return the schemas of all records of a registration, by their published names."""
    _, found = msgspec.json.schema_components(RECORDS.values(), ref_template=_NAME)
    return {f"Registered{name}": _portable(schema) for name, schema in found.items()}


def _portable(schema: Any) -> Any:
    """Return a schema whose patterns are those of JSON Schema, and can be encoded."""
    if isinstance(schema, list):
        return [_portable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _portable(value) for name, value in schema.items()}
    if isinstance(pattern := found.get("pattern"), str):
        found["pattern"] = _UNSEEN.sub(
            lambda char: f"\\u{ord(char[0]):04x}", pattern.replace(r"\Z", "$")
        )
    return found


#: characters that are written as escapes: controls, separators, halves of pairs
_UNSEEN: Final = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def body_of(kind: Kind, example: dict[str, Any], *files: str) -> dict[str, Any]:
    """Describe, for `openapi_extra`, a request whose body is a record.

    `files` are media types of files that it may be instead.
    """
    schema = {"$ref": _NAME.format(name=RECORDS[kind].__name__)}
    file = {"schema": {"type": "string", "format": "binary"}}
    content = {
        "application/json": {"schema": schema, "example": example},
        **{media_type: file for media_type in files},
    }
    return {"requestBody": {"required": True, "content": content}}


_EXAMPLE: Final = {"key": "pariser-strasse", "name": "Pariser Straße", "lanes": 2}
#: a request whose body is a record of any kind
BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"$ref": _NAME.format(name=record.__name__)}
                        for record in RECORDS.values()
                    ]
                },
                "example": _EXAMPLE,
            }
        },
    }
}


class Entry(BaseModel):
    """An entry of a registration, without those that are part of it."""

    kind: Kind
    key: str
    version: str = Field(description="of its state; the `ETag` of the answer")
    fields: dict[str, Any] = Field(description="as in a registration file")


class Entries(BaseModel):
    """A part of the entries of a kind."""

    total: int = Field(description="how many there are, beside `limit` and `skip`")
    entries: list[Entry]


class EntryChange(BaseModel):
    """An entry that differs from what is registered."""

    kind: Kind
    key: str
    action: Literal["add", "change", "remove"]
    before: dict[str, Any] | None = Field(description="only fields that differ")
    after: dict[str, Any] | None


class EntryChanges(BaseModel):
    """What a request changed, or would change."""

    dry_run: bool
    changes: list[EntryChange]
