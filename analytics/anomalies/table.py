"""Reads times, values and keys of series from a CSV file, German or English.

Comma or semicolon between fields, decimal comma or point; times as ISO 8601, with or
without offset, or as 31.12.2026 23:59. Errors name the line.
"""

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
_DAY: Final = ("%Y-%m-%d", "%d.%m.%Y")
_CLOCK: Final = (" %H:%M:%S%.f", " %H:%M", "")
_EMPTY: Final = ("", "na", "nan", "null", "none", "-")


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
        *([texts[columns["key"]].alias("key")] if columns["key"] else []),
    )


def _texts(path: Path) -> pl.DataFrame:
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        return pl.read_csv(
            path,
            separator=";" if header.count(";") >= header.count(",") else ",",
            infer_schema=False,
        )
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise BadFile(path=path, format="CSV", reason=str(error)) from error


def _column(path: Path, columns: list[str], role: str, name: str | None) -> str | None:
    if name is None:
        known = [one for one in columns if one.strip().lower() in NAMES[role]]
        if known or role == "key":
            return known[0] if known else None
    elif name in columns:
        return name
    wanted = name or f"for the {role}; name it with --{role}"
    listed = ", ".join(columns)
    raise BadFile(
        path=path, format="CSV", reason=f"no column {wanted}. There are: {listed}"
    )


def _times(path: Path, texts: pl.Series) -> pl.Series:
    if texts.is_empty():
        raise BadFile(path=path, format="CSV", reason="no row")
    plain = (
        texts.str.strip_chars()
        .str.replace(r"^(\S{10})T", "$1 ")
        .str.replace(r"[Zz]$", "+00:00")
        .str.replace(r"([+-]\d\d)(\d\d)$", "$1:$2")
    )
    offset = "%:z" if plain.str.contains(r":.*[+-]\d\d:\d\d$").first() else ""
    formats = [f"{day}{clock}{offset}" for day in _DAY for clock in _CLOCK]
    for form in formats:
        if _parse(plain.head(1), form).null_count() == 0:
            times = _parse(plain, form)
            break
    else:
        times = pl.Series([None] * len(texts), dtype=pl.Datetime("us"))
    return _no_new_nulls(path, texts, times.alias("time"), "time")


def _parse(texts: pl.Series, form: str) -> pl.Series:
    if "%H" in form:
        return texts.str.to_datetime(form, strict=False, time_unit="us")
    return texts.str.to_date(form, strict=False).cast(pl.Datetime("us"))


def _values(path: Path, texts: pl.Series) -> pl.Series:
    plain = texts.str.strip_chars()
    plain = plain.set(plain.str.to_lowercase().is_in(_EMPTY), None)
    german = plain.str.replace_all(".", "", literal=True).str.replace(",", ".")
    plain = german.zip_with(plain.str.contains(",").fill_null(value=False), plain)
    values = plain.cast(pl.Float64, strict=False).alias("value")
    return _no_new_nulls(path, plain, values, "number").fill_nan(None)


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
