"""Packed rows taken apart again, for tests to look into."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_INTEGERS = {2: ">h", 4: ">i"}


def unpack(row: bytes) -> list[Any]:
    """Read a row: channel, time, sensor, receipt, origin, interval and values."""
    (columns,) = struct.unpack_from(">h", row)
    position, values = 2, []
    for column in range(columns):
        (size,) = struct.unpack_from(">i", row, position)
        field = row[position + 4 : position + 4 + max(size, 0)]
        position += 4 + len(field)
        values.append(None if size < 0 else _value(column, columns, field))
    assert position == len(row)
    return values


def _value(column: int, columns: int, field: bytes) -> Any:
    if column in (1, 3):
        (microseconds,) = struct.unpack(">q", field)
        return EPOCH + timedelta(microseconds=microseconds)
    if columns == 8 and column == 6:
        return struct.unpack(">d", field)[0]
    if columns == 24 and 18 <= column <= 21:
        return struct.unpack(">f", field)[0]
    if columns == 24 and column == 22:
        return list(struct.unpack(f">{len(field) // 4}i", field))[6::2]
    return struct.unpack(_INTEGERS[len(field)], field)[0]
