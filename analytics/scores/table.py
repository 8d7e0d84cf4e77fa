"""Read times, values and keys of time series from a CSV file, German or English.

Times as ISO 8601, with or without offset, or as 31.12.2026 23:59; 24:00 is the end of
its day. See `verkehrspuls.spreadsheet` for the rest. Errors name the line.
"""

from datetime import timedelta
from pathlib import Path
from typing import Final

import polars as pl

from verkehrspuls import spreadsheet
from verkehrspuls.errors import BadFile
from verkehrspuls.spreadsheet import Problems, Sheet

FORMAT: Final = "CSV"
#: Default names of columns.
NAMES: Final = {
    "time": ("time", "timestamp", "datetime", "date", "ts", "zeit", "zeitpunkt"),
    "value": ("value", "count", "volume", "flow", "wert", "anzahl"),
    "key": ("key", "series", "station", "sensor", "site", "channel", "detector"),
}
#: two-digit years before four-digit ones, which would match as the year 26
_DAY: Final = ("%Y-%m-%d", "%d.%m.%y", "%d.%m.%Y", "%Y/%m/%d")
_MIDNIGHT: Final = r"^(\S+ )24(:00(?::00(?:\.0+)?)?(?:[+-]\d\d:\d\d)?)$"
_CLOCK: Final = (" %H:%M:%S%.f", " %H:%M", "")
#: texts of non-finite values: unknown
_NOT_FINITE: Final = r"(?i)^[+-]?(inf(inity)?|nan|\d+e\d{3,})$"
#: columns, and characters of them, listed in an error
_MAX_LISTED: Final = 20
_MAX_NAME_LENGTH: Final = 40


def read(
    path: Path,
    *,
    time: str | None = None,
    value: str | None = None,
    key: str | None = None,
) -> pl.DataFrame:
    """Read `time`, `value`, `key` (if there is one), and their texts.

    The texts keep the names of their columns, prefixed with `text:`.
    """
    problems = spreadsheet.Problems()
    sheet = spreadsheet.read(path, problems, format=FORMAT)
    problems.check(path, FORMAT)
    texts = sheet.cells
    columns = {
        role: _column(path, texts.columns, role, name)
        for role, name in (("time", time), ("value", value), ("key", key))
    }
    if texts.is_empty():
        raise BadFile(path=path, format=FORMAT, reason="no row")
    named = texts.select(
        pl.col(name).alias(f"text:{name}") for name in columns.values() if name
    )
    times = _times(problems, sheet.lines, texts[columns["time"] or ""].fill_null(""))
    values = _values(problems, sheet, texts[columns["value"] or ""])
    problems.check(path, FORMAT)
    return named.with_columns(
        times,
        values,
        *([texts[columns["key"]].fill_null("").alias("key")] if columns["key"] else []),
        line=sheet.lines,
    )


def _column(path: Path, columns: list[str], role: str, name: str | None) -> str | None:
    if name is None:
        known = [one for one in columns if one.strip().lower() in NAMES[role]]
        if known or role == "key":
            return known[0] if known else None
    elif name in columns:
        return name
    wanted = name or f"for the {role}; name it with --{role}"
    listed = ", ".join(one[:_MAX_NAME_LENGTH] for one in columns[:_MAX_LISTED])
    raise BadFile(
        path=path, format=FORMAT, reason=f"no column {wanted}. There are: {listed}"
    )


def _times(problems: Problems, lines: pl.Series, texts: pl.Series) -> pl.Series:
    plain = (
        texts.str.strip_chars()
        .str.replace(r"^(\S{10})T", "$1 ")
        .str.replace(r"\s*([Zz]|UTC)$", "+00:00")
        .str.replace(r"(:.*[+-]\d\d)$", "$1:00")
        .str.replace(r"([+-]\d\d)(\d\d)$", "$1:$2")
    )
    ends = plain.str.contains(_MIDNIGHT)
    plain = plain.str.replace(_MIDNIGHT, "${1}00$2") if ends.any() else plain
    offset = "%:z" if plain.str.contains(r":.*[+-]\d\d:\d\d$").first() else ""
    zone = "UTC" if offset else None
    times = pl.Series([None] * len(texts), dtype=pl.Datetime("us", zone))
    # row by row, because later rows must not change earlier ones
    for form in [f"{day}{clock}{offset}" for day in _DAY for clock in _CLOCK]:
        left = times.is_null()
        if not left.any():
            break
        parsed = _parse(plain.filter(left), form, times.dtype)
        if parsed.null_count() < len(parsed):
            times = times.scatter(left.arg_true(), parsed)
    if ends.any():
        times += ends.cast(pl.Int64) * timedelta(days=1)
    problems.add_rows(
        lines,
        texts,
        times.is_null(),
        "is no time such as 2026-12-31 23:59, 2026-12-31T23:59:00+01:00, "
        "31.12.2026 23:59",
    )
    return times.alias("time")


def _parse(texts: pl.Series, form: str, dtype: pl.DataType) -> pl.Series:
    """Read times, or days, in a form; null where a text has another one."""
    if "%H" in form:
        return texts.str.to_datetime(form, strict=False, time_unit="us").cast(dtype)
    return texts.str.to_date(form, strict=False).cast(dtype)


def _values(problems: Problems, sheet: Sheet, texts: pl.Series) -> pl.Series:
    endless = texts.str.contains(_NOT_FINITE).fill_null(value=False)
    texts = texts.set(endless, None)
    found = spreadsheet.numbers(texts, separator=sheet.separator)
    found.note(problems, sheet.lines, texts, "number")
    return found.values.alias("value")


def twice(rows: pl.DataFrame) -> tuple[int, int] | None:
    """Return the number of rows that repeat a time of their series, and a line.

    On a local clock this happens in the repeated hour in autumn.
    """
    series = ["key", "time"] if "key" in rows.columns else ["time"]
    again = rows.select(~pl.struct(series).is_first_distinct()).to_series().arg_true()
    return (len(again), int(rows["line"][again[0]])) if len(again) else None
