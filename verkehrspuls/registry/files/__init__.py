"""Registration files: one module for each format, found by its name."""

import pkgutil
import re
from functools import cache
from importlib import import_module

from verkehrspuls.registry.files.record import Format, unreadable
from verkehrspuls.text import mark

_OLD_BOOK = b"\xd0\xcf\x11\xe0"
_PACKED = b"PK\x03\x04"
#: First lines by which a file without a name, such as a pipe, is told.
_LOOKS = (
    ("toml", re.compile(rb"""\[|[\w."'-]+\s*=""")),
    ("yaml", re.compile(rb"""---|[\w"'-]+:(\s|$)""")),
    ("csv", re.compile(rb".*[;,\t]")),
)
_OLD = mark("it is a workbook of an old Excel; save it as .xlsx")
_UNKNOWN = mark("a file named {} is in no format that is known; take {}")


@cache
def formats() -> dict[str, Format]:
    """Return the formats by their names."""
    found = {}
    for entry in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{entry.name}")
        if isinstance(record := getattr(module, "FORMAT", None), Format):
            found[entry.name] = record
    return found


def format_of(data: bytes, name: str) -> Format:
    """Return the format of a file by its content and name, or media type.

    Raise `FaultyFile` where there is none.
    """
    if data.startswith(_OLD_BOOK):
        raise unreadable(_OLD)
    if data.startswith(_PACKED):
        return formats()["xlsx"]
    lower = name.lower().replace(".yml", ".yaml")
    for each in formats().values():
        if lower.endswith(each.suffix) or lower in each.media_types:
            return each
    first = re.search(rb"^\s*([^#\s].*)$", data[:10_000], re.MULTILINE)
    if first and "." not in lower:
        for key, looks in _LOOKS:
            if looks.match(first[1]):
                return formats()[key]
    suffixes = ", ".join(each.suffix for each in formats().values())
    raise unreadable(_UNKNOWN, name[-60:], suffixes)
