"""Reads times, values and keys of series from a CSV file, German or English.

Comma, semicolon or tab between fields, decimal comma or point; times as ISO 8601, with
or without offset, or as 31.12.2026 23:59; UTF-8, UTF-16 or Windows-1252; as it is or
packed with gzip. Errors name the line.
"""

import gzip
import io
from pathlib import Path
from typing import Final

import polars as pl

from verkehrspuls.errors import BadFile

#: Names under which columns are found that are not named in the call.
NAMES: Final = {
    "time": ("time", "timestamp", "datetime", "date", "ts", "zeit", "zeitpunkt"),
    "value": ("value", "count", "volume", "flow", "wert", "anzahl"),
    "key": ("key", "series", "station", "sensor", "site", "channel", "detector"),
}
#: two digits of a year before four: those would be the year 26
_DAY: Final = ("%Y-%m-%d", "%d.%m.%y", "%d.%m.%Y", "%Y/%m/%d")
_CLOCK: Final = (" %H:%M:%S%.f", " %H:%M", "")
_EMPTY: Final = ("", "na", "nan", "null", "none", "-")
_GZIP: Final = b"\x1f\x8b"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
#: columns and characters of them that an error lists
_LISTED: Final = 20
_WIDEST: Final = 40


def read(
    path: Path,
    *,
    time: str | None = None,
    value: str | None = None,
    key: str | None = None,
) -> pl.DataFrame:
    """Read `time`, `value`, `key` (if there is one) and the texts they were read from.

    The texts keep the names of their columns, prefixed with `text:`.
    """
    texts = _texts(path)
    columns = {
        role: _column(path, texts.columns, role, name)
        for role, name in (("time", time), ("value", value), ("key", key))
    }
    named = texts.select(
        pl.col(name).alias(f"text:{name}") for name in columns.values() if name
    )
    return named.with_columns(
        _times(path, texts[columns["time"] or ""].fill_null("")),
        _values(path, texts[columns["value"] or ""]),
        *([texts[columns["key"]].fill_null("").alias("key")] if columns["key"] else []),
    )


def _texts(path: Path) -> pl.DataFrame:
    try:
        text = _decoded(path)
        header = text.partition("\n")[0]
        return pl.read_csv(
            io.BytesIO(text.rstrip("\n").encode()),
            separator=max(";,\t", key=header.count),
            infer_schema=False,
        )
    except (OSError, EOFError, UnicodeError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]  # then comes what polars advises
        raise BadFile(path=path, format="CSV", reason=reason) from error


def _decoded(path: Path) -> str:
    """Read a file as text, with line ends of whatever system."""
    data = path.read_bytes()
    if data.startswith(_GZIP):
        data = gzip.decompress(data)
    if data.startswith(_UTF_16):
        text = data.decode("utf-16")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:  # as Excel writes it on Windows
            text = data.decode("cp1252")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _column(path: Path, columns: list[str], role: str, name: str | None) -> str | None:
    if name is None:
        known = [one for one in columns if one.strip().lower() in NAMES[role]]
        if known or role == "key":
            return known[0] if known else None
    elif name in columns:
        return name
    wanted = name or f"for the {role}; name it with --{role}"
    listed = ", ".join(one[:_WIDEST] for one in columns[:_LISTED])
    raise BadFile(
        path=path, format="CSV", reason=f"no column {wanted}. There are: {listed}"
    )


def _times(path: Path, texts: pl.Series) -> pl.Series:
    if texts.is_empty():
        raise BadFile(path=path, format="CSV", reason="no row")
    plain = (
        texts.str.strip_chars()
        .str.replace(r"^(\S{10})T", "$1 ")
        .str.replace(r"\s*([Zz]|UTC)$", "+00:00")
        .str.replace(r"(:.*[+-]\d\d)$", "$1:00")
        .str.replace(r"([+-]\d\d)(\d\d)$", "$1:$2")
    )
    offset = "%:z" if plain.str.contains(r":.*[+-]\d\d:\d\d$").first() else ""
    zone = "UTC" if offset else None
    times = pl.Series([None] * len(texts), dtype=pl.Datetime("us", zone))
    # row by row, as later rows must not change what earlier ones are
    for form in [f"{day}{clock}{offset}" for day in _DAY for clock in _CLOCK]:
        left = times.is_null()
        if not left.any():
            break
        parsed = _parse(plain.filter(left), form, times.dtype)
        if parsed.null_count() < len(parsed):
            times = times.scatter(left.arg_true(), parsed)
    what = "time such as 2026-12-31 23:59, 2026-12-31T23:59:00+01:00, 31.12.2026 23:59"
    return _no_new_nulls(path, texts, times.alias("time"), what)


def _parse(texts: pl.Series, form: str, dtype: pl.DataType) -> pl.Series:
    if "%H" in form:
        return texts.str.to_datetime(form, strict=False, time_unit="us").cast(dtype)
    return texts.str.to_date(form, strict=False).cast(dtype)


def _values(path: Path, texts: pl.Series) -> pl.Series:
    plain = texts.str.strip_chars()
    plain = plain.set(plain.str.to_lowercase().is_in(_EMPTY), None)
    german = plain.str.replace_all(".", "", literal=True).str.replace(",", ".")
    plain = german.zip_with(plain.str.contains(",").fill_null(value=False), plain)
    values = plain.cast(pl.Float64, strict=False).alias("value")
    known = _no_new_nulls(path, plain, values, "number")
    return known.set(~known.is_finite(), None)


def _no_new_nulls(
    path: Path, texts: pl.Series, parsed: pl.Series, what: str
) -> pl.Series:
    bad = (parsed.is_null() & texts.is_not_null()).arg_true()
    if len(bad):
        reason = f"line {bad[0] + 2}: {texts[bad[0]]!r} is no {what}"
        raise BadFile(path=path, format="CSV", reason=reason)
    return parsed


def twice(rows: pl.DataFrame) -> tuple[int, int] | None:
    """Give the number of rows whose series has a row of that time already, and a line.

    On a local clock that is so in the hour that is put back in autumn.
    """
    series = ["key", "time"] if "key" in rows.columns else ["time"]
    again = rows.select(~pl.struct(series).is_first_distinct()).to_series().arg_true()
    return (len(again), int(again[0]) + 2) if len(again) else None
