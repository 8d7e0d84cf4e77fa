"""Extracts for office spreadsheets: opened by double click, with readable names.

Site, period, source and licence are above the table, then an empty line. Columns,
directions and channels have names in the reader's language.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import polars as pl

from analytics.cases import sentences
from analytics.health import verdicts
from analytics.reports.extracts import ALL, Extract
from verkehrspuls.classes import CLASS_NAMES
from verkehrspuls.quantities import ENVIRONMENT, QUANTITIES
from verkehrspuls.text import mark, translate

#: A text cell that begins so would be run as a formula.
FORMULA: Final = r"^([=+\-@\t\r])"
UTC: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a language's spreadsheet writes numbers and dates."""

    separator: str
    decimal_comma: bool
    day: str
    time: str


DIALECTS: Final = {
    "de": Dialect(";", True, "%d.%m.%Y", "%d.%m.%Y %H:%M"),
    "en": Dialect(",", False, "%Y-%m-%d", "%Y-%m-%d %H:%M"),
}

#: Names of columns for display, including classes; other columns keep their key.
COLUMN_NAMES: Final = CLASS_NAMES | {
    "time": mark("Start"),
    "day": mark("Day"),
    "direction": mark("Direction"),
    "channel": mark("Channel"),
    "expected": mark("Sensor installed (share)"),
    "observed": mark("Observed (share)"),
    "normalised": mark("Scaled up (share)"),
    "imputed": mark("Estimated (share)"),
    "excluded": mark("Excluded (share)"),
    "valid": mark("Used in means"),
    "volume": mark("Counted"),
    "volume_normalised": mark("Scaled to whole intervals"),
    "volume_estimated": mark("Including estimates"),
    "total": mark("without classes"),
    "heavy": mark("Heavy traffic"),
    "speed_kmh": mark("Mean speed"),
    "usual": mark("Usual"),
    "usual_spread": mark("Usual spread"),
    "imputed_by": mark("Estimated by"),
    "peak_hour": mark("Start of the peak hour"),
    "peak_volume": mark("Counted in the peak hour"),
    "method": mark("Method"),
    "mean": mark("Mean"),
    "minimum": mark("Minimum"),
    "maximum": mark("Maximum"),
    "open_cases": mark("Open cases (numbers)"),
    "suspected": mark("Suspected fault of a sensor"),
    "health": mark("Health of the channels"),
}
#: Columns of codes, and the words for their codes.
CODE_WORDS: Final[Mapping[str, Callable[[], Mapping[str, str]]]] = {
    "suspected": lambda: sentences.words() | verdicts.words(),
    "health": verdicts.words,
}
SIMULATED: Final = mark("Simulated data, no real measurements")


def write(extract: Extract, language: Literal["de", "en"]) -> bytes:
    """Write a file for a spreadsheet program of that language.

    Times are local to the site; the UTC time beside them distinguishes the two passes
    of the repeated hour in autumn. A byte order mark makes programs read umlauts
    correctly.
    """
    dialect = DIALECTS[language]
    above = io.StringIO()
    writer = csv.writer(above, delimiter=dialect.separator, lineterminator="\r\n")
    for name, value in _facts(extract, language, dialect):
        writer.writerow([name, re.sub(FORMULA, r"'\1", value)])
    writer.writerow([])
    table = _table(extract, language, dialect).write_csv(
        separator=dialect.separator,
        decimal_comma=dialect.decimal_comma,
        line_terminator="\r\n",
    )
    return ("\ufeff" + above.getvalue() + table).encode()


def _facts(
    extract: Extract, language: str, dialect: Dialect
) -> Iterator[tuple[str, str]]:
    """Return the facts above the table."""
    selection = extract.selection
    site, period = selection.site, selection.period
    start, end = (time.astimezone(period.zone) for time in (period.start, period.end))
    pattern = dialect.time
    if start.time() == end.time() == start.time().min:
        pattern, end = dialect.day, end - timedelta(days=1)
    unit = (
        ENVIRONMENT[selection.quantity].unit
        if selection.quantity in ENVIRONMENT
        else ""
    )
    what = translate(QUANTITIES[selection.quantity].name, language)
    observed = f"{extract.passport.observed:.1%}"
    if dialect.decimal_comma:
        observed = observed.replace(".", ",")
    facts = {
        mark("Municipality"): site.municipality_name,
        mark("Site"): site.name,
        mark("Quantity"): f"{what} ({unit})" if unit else what,
        mark("Period"): f"{start:{pattern}} – {end:{pattern}}",
        mark("Time zone"): site.time_zone,
        mark("Share observed"): observed.replace("%", " %"),
        mark("Source"): f"{site.municipality_name}, Verkehrspuls",
        mark("Licence"): site.licence or translate(mark("none stated"), language),
    }
    if hours := extract.passport.ambiguous_hours:
        facts[mark("Hour that the clock showed twice; unknown which")] = "; ".join(
            f"{hour.astimezone(period.zone):{dialect.time}} ({hour:{UTC}})"
            for hour in hours
        )
    if site.simulated:
        facts[mark("Note")] = translate(SIMULATED, language)
    for name, value in facts.items():
        yield translate(name, language), value


def _table(extract: Extract, language: str, dialect: Dialect) -> pl.DataFrame:
    frame = extract.frame
    names = _keys(extract, language)
    yes, no = (translate(word, language) for word in (mark("yes"), mark("no")))
    zone = extract.selection.period.zone.key
    columns: list[pl.Expr] = []
    for name, type_ in frame.schema.items():
        title, column = _title(extract, name, language), pl.col(name)
        if isinstance(type_, pl.Datetime):
            local = column.dt.convert_time_zone(zone).dt.strftime(dialect.time)
            word = translate(mark("local time"), language)
            columns.append(local.alias(f"{title} ({word})"))
            columns.append(column.dt.strftime(UTC).alias(f"{title} (UTC)"))
            continue
        if type_ == pl.Date:
            column = column.dt.strftime(dialect.day)
        elif type_ == pl.Boolean:
            column = pl.when(column).then(pl.lit(yes)).when(~column).then(pl.lit(no))
        elif name in ("direction", "channel"):
            column = column.replace(names)
        elif name in CODE_WORDS:
            column = _in_words(column, CODE_WORDS[name](), language)
        if type_ == pl.String:
            column = column.str.replace(FORMULA, "'$1")
        columns.append(column.alias(title))
    return frame.select(columns)


def _in_words(column: pl.Expr, words: Mapping[str, str], language: str) -> pl.Expr:
    """Translate codes side by side; codes without a word stay unchanged."""
    words_of = {code: translate(word, language) for code, word in words.items()}
    return (
        column.str.split(" ").list.eval(pl.element().replace(words_of)).list.join(", ")
    )


def _title(extract: Extract, name: str, language: str) -> str:
    """Return a column's name, with its unit if the number needs one."""
    title = translate(COLUMN_NAMES[name], language) if name in COLUMN_NAMES else name
    units = {column.name: column.unit for column in extract.columns}
    measured = name in ("speed_kmh", "mean", "minimum", "maximum")
    return f"{title} ({units[name]})" if measured and units.get(name) else title


def _keys(extract: Extract, language: str) -> dict[str, str]:
    """Return names of directions and channels by key."""
    found = {ALL: translate(mark("all directions"), language)}
    for channel in extract.selection.site.channels:
        if channel.quantity == extract.selection.quantity:
            found.setdefault(channel.key, channel.name)
            if channel.direction:
                known = channel.direction_name or channel.name
                found[channel.direction] = known
    return found
