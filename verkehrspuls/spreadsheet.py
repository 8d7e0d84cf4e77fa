"""Read CSV as offices write it: texts, lines, numbers, and their problems.

Comma, semicolon or tab between fields; UTF-8, UTF-16 or Windows-1252, with or without
byte-order mark, plain or compressed with gzip; blank lines, surrounding blanks, quotes,
and separators at the end of a line. All problems are reported together, with line,
column and value. Everything is vectorised, except in files with quotes.
"""

import csv
import gzip
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Final

import polars as pl

from verkehrspuls.errors import BadFile
from verkehrspuls.files import MAX_DATA_BYTES, read_bytes

SEPARATORS: Final = ";,\t"
#: Problems of a file that are described; the others are counted.
MAX_PROBLEMS: Final = 50
#: Contents of a cell without value.
EMPTY: Final = ("", "na", "n/a", "nan", "null", "none", "-", "–", "--", "k.a.", "k. a.")
#: Characters of a quoted value.
_MAX_QUOTED: Final = 60
_GZIP: Final = b"\x1f\x8b"
#: First bytes of files that are mistaken for CSV.
_NO_CSV: Final = {
    b"PK\x03\x04": "a workbook, of Excel or LibreOffice",
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
}
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
#: blanks and apostrophes used as thousands separators
_THOUSANDS: Final = " \u00a0\u2009\u202f'’"
_EXPONENT: Final = r"([eE][+-]?\d{1,3})?"
_PLAIN: Final = rf"^[+-]?\d+{_EXPONENT}$"


@dataclass(slots=True)
class Problems:
    """Problems of a file: the first ones in words, and their number."""

    noted: list[tuple[int, str]] = field(default_factory=list)
    number: int = 0

    def add(self, line: int, what: str) -> None:
        """Add a problem of a line; 0 for none in particular."""
        self.number += 1
        if len(self.noted) < MAX_PROBLEMS:
            self.noted.append((line, what))

    def add_rows(
        self, lines: pl.Series, texts: pl.Series, wrong: pl.Series, what: str
    ) -> None:
        """Add the rows with the same problem; `what` includes the remedy."""
        rows = wrong.fill_null(value=False).arg_true()
        for row in rows.head(MAX_PROBLEMS):
            text = str(texts[row] if texts[row] is not None else "")[:_MAX_QUOTED]
            self.add(int(lines[row]), f"{text!r} {what} (column {texts.name})")
        self.number += max(0, len(rows) - MAX_PROBLEMS)

    def lines(self) -> list[str]:
        """Describe each problem, in the order of the lines."""
        return [
            f"line {line}: {what}" if line else what
            for line, what in sorted(self.noted, key=itemgetter(0))
        ]

    def check(self, path: Path, format: str, *, hint: str = "") -> None:
        """Raise `BadFile` with the first problem, if there is any; it has all of them.

        `hint` says where the others are listed.
        """
        if not self.number:
            return
        lines = self.lines()
        more = self.number - 1
        rest = f" ({more} more problem{'s' * (more != 1)}{hint})" if more else ""
        raise BadFile(
            path=path,
            format=format,
            reason=f"{lines[0]}{rest}",
            problems=lines,
            number=self.number,
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """The cells of a file as texts, null if empty, and their lines."""

    cells: pl.DataFrame
    #: the line of the file at which each row begins
    lines: pl.Series
    separator: str


def read(path: Path, problems: Problems, *, format: str) -> Sheet:
    """Read a file; report and leave out rows that do not fit its heading."""
    try:
        text = decoded(path, format=format)
    except UnicodeDecodeError as error:
        reason = "it is no text in UTF-8, UTF-16 or Windows-1252"
        raise BadFile(path=path, format=format, reason=reason) from error
    except (OSError, EOFError, UnicodeError) as error:
        raise BadFile(path=path, format=format, reason=error) from error
    sheet = parse(text, problems)
    if not sheet.cells.columns:
        raise BadFile(path=path, format=format, reason="it is empty")
    return sheet


def decoded(path: Path, *, format: str, most: int = MAX_DATA_BYTES) -> str:
    """Read a file as text, with the line ends of any system."""
    data = read_bytes(path, format=format, most=most)
    if data.startswith(_GZIP):
        with gzip.open(io.BytesIO(data)) as packed:
            data = packed.read(most + 1)
        if len(data) > most:
            raise UnicodeError(f"it is larger than {most >> 20} MiB")
    for begin, what in _NO_CSV.items():
        if data.startswith(begin):
            raise UnicodeError(f"it is {what}; save it as CSV")
    text = as_text(data)
    if (at := text.find("\0")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise UnicodeError(f"line {line}: it has NUL characters; save it as CSV, UTF-8")
    return text


def as_text(data: bytes) -> str:
    """Return a text in UTF-8, UTF-16 or Windows-1252, with the line ends of any system.

    Raise `UnicodeDecodeError` for what is none of them.
    """
    if data.startswith(_UTF_16):
        text = data.decode("utf-16")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:  # written by Excel on Windows
            text = data.decode("cp1252")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse(text: str, problems: Problems) -> Sheet:
    """Split a text into cells; its first non-blank line is the heading."""
    rows = _by_lines(text, problems)
    named = [name for name in rows.cells.columns if not name.startswith("\0")]
    for name in set(rows.cells.columns) - set(named):
        column = rows.cells[name]
        filled = column.is_not_null()
        problems.add_rows(
            rows.lines,
            column.alias("behind the last column"),
            filled,
            "stands under no heading; name its column, or take it out",
        )
    return Sheet(rows.cells.select(named), rows.lines, rows.separator)


def _by_lines(text: str, problems: Problems) -> Sheet:
    """Split a text at all lines at once; line by line if a cell has several lines."""
    # without an object per line: a file may have millions
    lines = pl.Series("line", [text]).str.split("\n").explode()
    if (lines.str.count_matches('"', literal=True) % 2 == 1).any():
        return _by_rows(text, problems)
    filled = lines.str.strip_chars(SEPARATORS + " \u00a0") != ""
    numbers = (pl.int_range(1, len(lines) + 1, eager=True)).filter(filled)
    lines = lines.filter(filled)
    if lines.is_empty():
        return Sheet(pl.DataFrame(), pl.Series("line", [], pl.Int64), ",")
    separator = separator_of(lines[0])
    (heading,) = csv.reader([lines[0]], delimiter=separator)
    names = _names(heading, problems, int(numbers[0]))
    rows, numbers = lines[1:], numbers[1:]
    fields = _cells(rows, separator)
    # separators that only end a line are ignored
    long = fields > len(names)
    if long.any():
        ends = rf"(\s*{re.escape(separator)}\s*)+$"
        cut = rows.str.replace(ends, "")
        missing = len(names) - _cells(cut, separator)
        again = long & (missing >= 0)
        filler = pl.Series([separator * max(0, n) for n in missing.fill_null(0)])
        rows = (cut + filler).zip_with(again, rows) if again.any() else rows
        fields = _cells(rows, separator)
    good = fields == len(names)
    for row in (~good).arg_true():
        problems.add(int(numbers[row]), _ragged(int(fields[row]), len(names)))
    rows, numbers = rows.filter(good), numbers.filter(good)
    return Sheet(_split(rows, separator, names), numbers, separator)


def _cells(rows: pl.Series, separator: str) -> pl.Series:
    if rows.str.contains('"', literal=True).any():
        rows = rows.str.replace_all(r'"[^"]*"', "")
    return rows.str.count_matches(separator, literal=True).cast(pl.Int64) + 1


def _split(rows: pl.Series, separator: str, names: list[str]) -> pl.DataFrame:
    if rows.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    cells = pl.read_csv(
        io.BytesIO(str(rows.str.join("\n")[0]).encode()),
        separator=separator,
        has_header=False,
        new_columns=names,
        infer_schema=False,
    )
    return _blank(cells)


def _by_rows(text: str, problems: Problems) -> Sheet:
    """Split a text whose cells may be quoted, with separators in them."""
    heading = next((line for line in text.split("\n") if line.strip()), "")
    separator = separator_of(heading)
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    names: list[str] = []
    rows: list[list[str]] = []
    numbers: list[int] = []
    begins = 1
    try:
        for row in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if not names:
                names = _names(row, problems, line)
                continue
            while len(row) > len(names) and not row[-1].strip():
                row.pop()
            if len(row) != len(names):
                problems.add(line, _ragged(len(row), len(names)))
                continue
            rows.append(row)
            numbers.append(line)
    except csv.Error as error:
        problems.add(begins, f"it is no CSV from here on: {error}")
    cells = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return Sheet(_blank(cells), pl.Series("line", numbers, pl.Int64), separator)


def separator_of(heading: str) -> str:
    """Return what separates the cells of a heading."""
    return max(SEPARATORS, key=re.sub(r'"[^"]*"', "", heading).count)


def _names(cells: Iterable[str], problems: Problems, line: int) -> list[str]:
    """Name the columns; names of columns without heading begin with a NUL."""
    names: list[str] = []
    stripped = [cell.strip() for cell in cells]
    while stripped and not stripped[-1]:  # separators that only end the line
        stripped.pop()
    for place, name in enumerate(stripped):
        if name in names:
            problems.add(line, f"the heading has the column {name[:_MAX_QUOTED]} twice")
            name = ""
        names.append(name or f"\0{place}")
    return names


def _ragged(fields: int, wanted: int) -> str:
    few = "fewer" if fields < wanted else "more"
    return f"it has {fields} cells, {few} than the {wanted} of the heading; " + (
        "write empty cells with their separators"
        if fields < wanted
        else "quote cells that have the separator in them"
    )


def _blank(cells: pl.DataFrame) -> pl.DataFrame:
    """Strip blanks, and replace empty cells by null."""
    stripped = pl.all().str.strip_chars()
    return cells.with_columns(pl.when(stripped != "").then(stripped))


@dataclass(frozen=True, slots=True)
class Numbers:
    """Parsed numbers, null if there is none, and the problems."""

    values: pl.Series
    #: texts that are not numbers
    wrong: pl.Series
    #: texts that may mean two numbers
    unclear: pl.Series

    def note(
        self, problems: Problems, lines: pl.Series, texts: pl.Series, wanted: str
    ) -> None:
        """Add the problems."""
        problems.add_rows(lines, texts, self.wrong, f"is no {wanted}")
        problems.add_rows(
            lines,
            texts,
            self.unclear,
            "may be with thousands or with decimals; write the column without "
            "separators of thousands",
        )


def numbers(texts: pl.Series, *, separator: str, whole: bool = False) -> Numbers:
    """Parse numbers as people write them: 1234.5, 1.234,5, 1,234.5, 1 234, 1'234.

    The other numbers of the column decide what `1.234` and `1,234` mean: by the mark
    that precedes other than three digits, or occurs more than once. In a column of
    whole numbers it is 1234. Otherwise the number is unclear, unless the mark is the
    decimal mark that goes with the file's separator, or all whole numbers beside it are
    below 1000.
    """
    different = texts.unique()
    read = _read(different.str.strip_chars(), separator=separator, whole=whole)
    found = texts.to_frame("text").join(
        read.with_columns(text=different),
        on="text",
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return Numbers(
        found["value"].alias(texts.name),
        found["wrong"].fill_null(value=False),
        found["unclear"].fill_null(value=False),
    )


def _read(texts: pl.Series, *, separator: str, whole: bool) -> pl.DataFrame:
    empty = texts.str.to_lowercase().is_in(EMPTY) | texts.is_null()
    plain = texts.set(empty, None).str.replace(r"^[−–]", "-")
    spaced = plain.str.contains(rf"^[+-]?\d{{1,3}}([{_THOUSANDS}]\d{{3}})+([.,]\d+)?$")
    plain = plain.str.replace_all(f"[{_THOUSANDS}]", "").zip_with(
        spaced.fill_null(value=False), plain
    )
    frame = pl.DataFrame({"given": plain, "spaced": spaced})
    given = pl.col("given")
    kinds = {"plain": given.str.contains(_PLAIN)}
    for name, mark, other in (("point", r"\.", ","), ("comma", ",", r"\.")):
        sole = rf"^[+-]?(\d+{mark}\d*|{mark}\d+){_EXPONENT}$"
        kinds[f"{name}_unclear"] = given.str.contains(
            rf"^[+-]?[1-9]\d{{0,2}}{mark}\d{{3}}$"
        ) & ~pl.col("spaced")
        kinds[f"{name}_decimal"] = given.str.contains(sole)
        kinds[f"{name}_grouped"] = given.str.contains(
            rf"^[+-]?\d{{1,3}}((({mark})\d{{3}}){{2,}}({other}\d+)?|({mark}\d{{3}})+{other}\d+)$"
        )
    frame = frame.with_columns(
        **{n: e.fill_null(value=False) for n, e in kinds.items()}
    )
    frame = frame.with_columns(
        point_decimal=pl.col("point_decimal") & ~pl.col("point_unclear"),
        comma_decimal=pl.col("comma_decimal") & ~pl.col("comma_unclear"),
    )
    thousands = {
        name: _means_thousands(frame, name, separator=separator, whole=whole)
        for name in ("point", "comma")
    }
    no_marks = given.str.replace_all(r"[.,]", "")
    decimal_comma = given.str.replace_all(".", "", literal=True).str.replace(",", ".")
    decimal_point = given.str.replace_all(",", "", literal=True)
    text = (
        pl.when("plain")
        .then(given)
        .when(pl.col("point_decimal"))
        .then(given)
        .when(pl.col("comma_decimal"))
        .then(decimal_comma)
        .when(pl.col("point_grouped"))
        .then(decimal_comma)
        .when(pl.col("comma_grouped"))
        .then(decimal_point)
        .when(pl.col("point_unclear"))
        .then(no_marks if thousands["point"] else given)
        .when(pl.col("comma_unclear"))
        .then(no_marks if thousands["comma"] else decimal_comma)
    )
    unclear = pl.lit(value=False)
    for name, means in thousands.items():
        if means is None:
            unclear |= pl.col(f"{name}_unclear")
    value = text.cast(pl.Float64, strict=False)
    wrong = given.is_not_null() & (value.is_null() | ~value.is_finite())
    if whole:
        wrong |= (value != value.round()) | (value.abs() > MAX_EXACT)
    return frame.select(
        value=pl.when(~wrong & ~unclear).then(value),
        wrong=(wrong & ~unclear).fill_null(value=False),
        unclear=unclear,
    )


#: Larger whole numbers are not exact as floats.
MAX_EXACT: Final = 2.0**53


def _means_thousands(
    frame: pl.DataFrame, mark: str, *, separator: str, whole: bool
) -> bool | None:
    """Return whether a mark separates thousands; None if unclear."""
    other = "comma" if mark == "point" else "point"
    has = {name: bool(frame[name].any()) for name in frame.columns[2:]}
    if not has[f"{mark}_unclear"]:
        return False
    decimal = has[f"{mark}_decimal"] or has[f"{other}_grouped"]
    thousands = has[f"{mark}_grouped"] or has[f"{other}_decimal"]
    if decimal != thousands:
        return thousands
    if decimal:  # both marks were used
        return None
    beside = frame.filter("plain")["given"].cast(pl.Float64, strict=False).abs()
    unclear = frame.filter(f"{mark}_unclear")["given"]
    if whole:
        # or fractions that are all zero
        zeros = bool(unclear.str.ends_with("000").all())
        return None if zeros and beside.is_empty() else True
    usual = "comma" if separator == ";" else "point"
    if mark == usual:
        return False
    if beside.is_empty():
        return None
    return bool((beside < 1000).all())
