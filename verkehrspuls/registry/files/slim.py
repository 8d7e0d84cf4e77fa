"""A registration as people write it: what has its default is left out."""

from functools import cache
from typing import Any

from msgspec import NODEFAULT, Struct, structs


def slim(record: Struct) -> dict[str, Any]:
    """Return the fields of a record that differ from their defaults."""
    return {
        field.encode_name: _inner(value)
        for field in _fields(type(record))
        if (value := getattr(record, field.name)) is not None
        and (field.default is NODEFAULT or value != field.default)
        and not (field.default_factory is not NODEFAULT and not value)
    }


@cache
def _fields(record: type[Struct]) -> tuple[structs.FieldInfo, ...]:
    return structs.fields(record)


def _inner(value: Any) -> Any:
    if isinstance(value, Struct):
        return slim(value)
    if isinstance(value, list | tuple):
        return [_inner(each) for each in value]
    if isinstance(value, dict):
        return {name: _inner(each) for name, each in value.items()}
    return value
