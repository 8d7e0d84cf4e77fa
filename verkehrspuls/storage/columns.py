"""Frames in PostgreSQL's binary form, decoded and encoded by numpy, not by value.

A query returns each column of a span as one array (`array_agg`); a column that is no
array is the same for all rows of its span. ADBC takes ten times the CPU for readings.
"""

from collections.abc import Iterator
from itertools import compress
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.named import queries

#: Dimensions, a flag, the element's type, the number of elements, the lower bound.
_HEAD: Final = 20
_COUNT: Final = slice(12, 16)
#: Types by number: that of the array's elements, or of a single value.
_TYPES: Final[dict[int, tuple[str, pl.DataType]]] = {
    23: ("i4", pl.Int32()),
    1007: ("i4", pl.Int32()),
    1021: ("f4", pl.Float32()),
    1022: ("f8", pl.Float64()),
    1185: ("i8", pl.Datetime("us", "UTC")),
}
_CODES: Final[dict[type[pl.DataType], str]] = {
    pl.Int32: ">i4",
    pl.Float32: ">f4",
    pl.Float64: ">f8",
    pl.Datetime: ">i8",
    pl.Boolean: "u1",
}
#: Rows that are encoded at once.
_PIECE: Final = 25_000
#: Microseconds from 1970, where Polars begins to count, to 2000, where PostgreSQL does.
_EPOCH_US: Final = 946_684_800_000_000


def read_columns(connection: Connection, query: str, **parameters: Any) -> pl.DataFrame:
    """Run a named query whose rows are spans; spans without rows have null arrays."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(queries()[query], parameters)
        result = cursor.pgresult
        assert result is not None, "a query has a result"  # noqa: S101
        fields = range(result.nfields)
        rows = (
            [cell for at in fields if (cell := result.get_value(row, at)) is not None]
            for row in range(result.ntuples)
        )
        spans = [cells for cells in rows if len(cells) == len(fields)]
        names = [(result.fname(at) or b"").decode() for at in fields]
        types = [result.ftype(at) for at in fields]
    # the last column is an array
    counts = [int.from_bytes(cells[-1][_COUNT]) for cells in spans]
    return pl.DataFrame(
        [
            _column(name, kind, [cells[at] for cells in spans], counts)
            for at, (name, kind) in enumerate(zip(names, types, strict=True))
        ]
    )


def _column(name: str, kind: int, cells: list[bytes], counts: list[int]) -> pl.Series:
    code, dtype = _TYPES[kind]
    if kind == 23:
        ones = np.array([int.from_bytes(cell, signed=True) for cell in cells], "i4")
        return pl.Series(name, np.repeat(ones, counts), dtype)
    values, known = _decode(b"".join(cell[_HEAD:] for cell in cells), code, sum(counts))
    if isinstance(dtype, pl.Datetime):
        values = values + _EPOCH_US
    column = pl.Series(name, values).cast(dtype)
    if known is None:
        return column
    return pl.select(pl.when(pl.Series(known)).then(column).alias(name)).to_series()


def _decode(
    body: bytes, code: str, count: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """Decode elements: each its size and value, or only -1, which is null.

    Also return which are known; None where all are.
    """
    element = np.dtype([("size", ">i4"), ("value", f">{code}")])
    words = np.frombuffer(body, ">i4")
    if len(body) == count * element.itemsize:
        return words.view(element)["value"].astype(code), None
    # -1 is null where an element begins: all so far but the nulls have their full width
    width = element.itemsize // 4
    at = np.flatnonzero(words == -1)
    order = np.arange(at.size)
    if ((at - order) % width).any():
        at = _where_elements_begin(at, width)
        order = np.arange(at.size)
    known = np.ones(count, np.bool_)
    known[order + (at - order) // width] = False
    values = np.zeros(count, code)
    values[known] = np.delete(words, at).view(element)["value"]
    return values, known


def _where_elements_begin(at: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
    """Leave out values of -1."""
    nulls: list[int] = []
    for place in at.tolist():
        if (place - len(nulls)) % width == 0:
            nulls.append(place)
    return np.array(nulls, at.dtype)


def encode(frame: pl.DataFrame) -> Iterator[bytes]:
    """Encode rows of numbers, aware times and truths for binary COPY, in pieces.

    Rows of a piece that lack the same values are of one width, and go together.
    """
    yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for piece in frame.iter_slices(_PIECE):
        lacking = [column.name for column in piece if column.null_count()]
        if not lacking:
            yield _encode(piece, set())
            continue
        null = (pl.col(name).is_null() for name in lacking)
        for nulls, part in piece.group_by(null, maintain_order=True):
            yield _encode(part, set(compress(lacking, nulls)))
    yield b"\xff\xff"


def _encode(frame: pl.DataFrame, nulls: set[str]) -> bytes:
    fields: list[tuple[str, str]] = [("columns", ">i2")]
    for name, dtype in frame.schema.items():
        fields.append((f"size of {name}", ">i4"))
        if name not in nulls:
            fields.append((name, _CODES[dtype.base_type()]))
    rows = np.empty(frame.height, np.dtype(fields))
    rows["columns"] = frame.width
    for name in frame.columns:
        if name in nulls:
            rows[f"size of {name}"] = -1
            continue
        column = frame[name]
        if isinstance(column.dtype, pl.Datetime):
            column = column.to_physical() - _EPOCH_US
        rows[f"size of {name}"] = rows.dtype[name].itemsize
        rows[name] = column.to_numpy()
    return rows.tobytes()
