"""Generic CSV of counts, for data of any origin.

    time,site,channel,quantity,direction,interval_s,total,car,…,bicycle,speed_kmh

`verkehrspuls.spreadsheet` reads it; columns may be in any order; `time`, `site`,
`channel` and at least one count column are required. `time` is the interval's start in
ISO 8601, with an offset or on the municipality's wall clock, or with a date such as
21.11.2026, 21.11.26 or 2026/11/21; 24:00 is the end of its day. Defaults for missing
columns: `quantity` is motor; `interval_s` is 900, or a day if all times are dates.
Count columns are named as in `verkehrspuls.classes.COUNTS`; an empty cell is unknown,
never zero.

A channel may have classes in some rows, a total in others, or both: the part of a total
that exceeds the classes beside it is `unclassified`.
"""

import re
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl

from ingest.files import (
    SKIPPED_TIME,
    CountFile,
    Device,
    completed,
    one_output_town,
    without_reading,
)
from ingest.files.wall_clock import localise
from verkehrspuls import spreadsheet, wording
from verkehrspuls.classes import COUNTS, SCHEMES
from verkehrspuls.files import check_file
from verkehrspuls.model import Channel, Site, Town
from verkehrspuls.quantities import COUNTED
from verkehrspuls.spreadsheet import Problems, Sheet

FORMAT: Final = "generic"
#: The command that lists all problems.
HINT: Final = "; `verkehrspuls import counts --dry-run` lists them"
REQUIRED_COLUMNS: Final = frozenset({"time", "site", "channel"})
DEFAULTS: Final = {"quantity": "motor", "direction": "", "interval_s": "900"}
KNOWN_COLUMNS: Final = (
    REQUIRED_COLUMNS | DEFAULTS.keys() | frozenset(COUNTS) | {"speed_kmh"}
)
_KEY: Final = r"^[a-z0-9-]{1,31}$"
_DIRECTION: Final = r"^[a-z0-9-]{0,64}$"
MAX_INTERVAL_S: Final = 86_400
_CLOCK: Final = r"(?:[ T]+(?P<hour>\d\d?)(?P<rest>:\d\d(?::\d\d)?))?"
#: Date formats of offices, day, month and year in both orders.
_DATES: Final = (
    rf"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{{4}}|\d\d){_CLOCK}",
    rf"(?P<year>\d{{4}})/(?P<month>\d\d?)/(?P<day>\d\d?){_CLOCK}",
)
_DATE_PATTERNS: Final = tuple(re.compile(date, re.ASCII) for date in _DATES)
#: Two-digit years from this one on are years of the last century.
_MIN_YEAR_OF_1900S: Final = 70
#: Ambiguous dates: day and month, or month and day.
_AMBIGUOUS_DATE: Final = r"^\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})(?:\D|$)"
_END_OF_DAY: Final = re.compile(
    r"^(\d{4}-\d\d-\d\d[ T])24:00(?=(?::00(?:\.0+)?)?(?!:))"
)
#: Remark on rows whose times are all dates.
DATES_ONLY: Final = (
    f"have a date, and the file no column interval_s: each was taken for a whole day "
    f"({MAX_INTERVAL_S} s)"
)
#: Number of rows listed that are left out.
MAX_ROWS_LISTED: Final = 5


def read(path: Path, town: Town) -> CountFile:
    """Read one CSV file; report all its problems at once."""
    check_file(path, format=FORMAT)
    problems = Problems()
    sheet = spreadsheet.read(path, problems, format=FORMAT)
    table = _table(sheet, problems)
    if sheet.cells.is_empty() and not problems.number:
        problems.add(1, "no rows follow the heading")
    # rows cannot be checked if the columns themselves are wrong
    if REQUIRED_COLUMNS - set(table.columns):
        problems.check(path, FORMAT, hint=HINT)
    number = partial(_numbers, table, sheet, problems)
    times = _times(table, problems, town.time_zone)
    interval_s = number("interval_s", pl.Int32())
    # a file with dates only holds daily values
    given = "interval_s" in map(str.lower, sheet.cells.columns)
    daily = not given and times.height > 0 and times["is_date"].all()
    counts = table.with_columns(
        *times.select("time", "ambiguous", "day"),
        pl.lit(MAX_INTERVAL_S, pl.Int32).alias("interval_s") if daily else interval_s,
        number("speed_kmh", pl.Float64()),
        *(number(name, pl.Int64()) for name in COUNTS if name in table.columns),
        sensor=pl.concat_str("site", "channel", separator="-"),
        output=pl.lit("1"),
    )
    _check_words(counts, problems)
    problems.check(path, FORMAT, hint=HINT)
    counted = pl.any_horizontal(pl.col(n).is_not_null() for n in COUNTS if n in counts)
    unread = without_reading(counts, {"all their cells of counts are empty": ~counted})
    counts = _without_totals(counts.filter(counted))
    why = {_disagreeing(counts): ~pl.col("agree")}
    why[SKIPPED_TIME] = pl.col("agree") & pl.col("time").is_null()
    unread.extend(without_reading(counts, why))
    counts = counts.filter("agree")
    registered = _town(town, counts, problems)
    problems.check(path, FORMAT, hint=HINT)
    return CountFile(
        registered,
        completed(counts.drop_nulls("time")),
        unread,
        DATES_ONLY if daily else "",
    )


def _table(sheet: Sheet, problems: Problems) -> pl.DataFrame:
    """Rename the columns to ours; report missing and unknown ones."""
    table = sheet.cells.rename({name: name.lower() for name in sheet.cells.columns})
    for name in sorted(REQUIRED_COLUMNS - set(table.columns)):
        near = wording.nearest(name, table.columns)
        meant = f"; is it {near}?" if near else ""
        problems.add(1, f"the column {name} is missing{meant}")
    for name in sorted(set(table.columns) - KNOWN_COLUMNS):
        known = wording.choice(name, sorted(KNOWN_COLUMNS))
        problems.add(1, f"there is no column {name[:80]}; {known}")
    if not set(COUNTS) & set(table.columns):
        problems.add(1, f"no column of counts: one of {', '.join(COUNTS)}")
    return table.with_columns(
        *(
            pl.lit(value, pl.String).alias(name)
            for name, value in {**DEFAULTS, "speed_kmh": None}.items()
            if name not in table.columns
        ),
        line=sheet.lines,
    ).with_columns(
        pl.col("direction").fill_null(""),
        pl.col("quantity").fill_null(DEFAULTS["quantity"]),
    )


def _check_words(counts: pl.DataFrame, problems: Problems) -> None:
    """Report invalid keys, directions, quantities and intervals."""
    lines = counts["line"]
    key = "is no key: up to 31 lower-case letters, digits, hyphens"
    direction = "is no key of a direction: lower-case letters, digits, hyphens; not all"
    checks = {
        "site": (~pl.col("site").str.contains(_KEY), key),
        "channel": (~pl.col("channel").str.contains(_KEY), key),
        "direction": (
            ~pl.col("direction").str.contains(_DIRECTION)
            | (pl.col("direction") == "all"),
            direction,
        ),
        "quantity": (
            ~pl.col("quantity").is_in(list(COUNTED)),
            f"is no quantity that is counted; there are {', '.join(COUNTED)}",
        ),
        "interval_s": (
            ~pl.col("interval_s").is_between(1, MAX_INTERVAL_S),
            f"is no interval in seconds; possible are 1 to {MAX_INTERVAL_S}",
        ),
    }
    for name, (wrong, what) in checks.items():
        missing = pl.col(name).is_null()
        rows = counts.select(wrong=wrong.fill_null(value=False) | missing)["wrong"]
        problems.add_rows(lines, counts[name], rows, what)


def _without_totals(counts: pl.DataFrame) -> pl.DataFrame:
    """Turn totals into classes if the channel has classes as well.

    The part of a total beyond the classes of its row is `unclassified`; for bicycles
    and pedestrians it is their count. Adds the column `agree`: false if that part is
    negative or differs from the row's own value.
    """
    classes = [name for name in COUNTS[1:] if name in counts.columns]
    if "total" not in counts.columns or not classes:
        return counts.with_columns(agree=pl.lit(value=True))
    by_class = pl.any_horizontal(pl.col(classes).is_not_null())
    mixed = by_class.any().over("site", "channel") & pl.col("total").is_not_null()
    counts = counts.with_columns(
        pl.lit(None, pl.Int64).alias(name) for name in REMAINDERS if name not in classes
    )
    agree = pl.lit(value=True)
    found = []
    for rest in REMAINDERS:
        meant = mixed & (_rest_of_quantity == rest)
        others = pl.sum_horizontal(pl.lit(0), *(c for c in classes if c != rest))
        beyond = pl.col("total") - others
        agree &= ~meant | ((beyond >= 0) & (pl.col(rest).fill_null(beyond) == beyond))
        found.append(pl.when(meant).then(beyond).otherwise(rest).alias(rest))
    counts = counts.with_columns(*found, agree=agree, mixed=mixed)
    return counts.with_columns(
        total=pl.when("mixed").then(None).otherwise("total")
    ).drop("mixed")


#: The class of the part of a total beyond the classes, by what the channel counts.
REMAINDERS: Final = ("unclassified", "bicycle", "pedestrian")
_rest_of_quantity: Final = pl.col("quantity").replace_strict(
    {"bicycle": "bicycle", "pedestrian": "pedestrian"}, default="unclassified"
)


def _disagreeing(counts: pl.DataFrame) -> str:
    """Return the reason why rows are left out whose total and classes differ."""
    lines = counts.filter(~pl.col("agree"))["line"]
    named = ", ".join(map(str, lines[:MAX_ROWS_LISTED]))
    more = ", …" if len(lines) > MAX_ROWS_LISTED else ""
    return f"their total is not the sum of their classes (line {named}{more})"


def _numbers(
    table: pl.DataFrame,
    sheet: Sheet,
    problems: Problems,
    name: str,
    kind: pl.DataType,
) -> pl.Series:
    """Read a column of numbers; report texts that are none, or too large."""
    texts = table[name]
    whole_ = kind.is_integer()
    found = spreadsheet.numbers(texts, separator=sheet.separator, whole=whole_)
    wanted = "whole number" if whole_ else "number"
    example = "112" if whole_ else "46.5"
    remedy = f"{wanted}; write one such as {example}, or nothing where it is not known"
    found.note(problems, table["line"], texts, remedy)
    values = found.values.cast(kind, strict=False)
    problems.add_rows(
        table["line"],
        texts,
        values.is_null() & found.values.is_not_null(),
        f"is no {wanted} that can be stored; it is too large",
    )
    return values


def _times(table: pl.DataFrame, problems: Problems, time_zone: str) -> pl.DataFrame:
    """Parse each distinct text once, with its offset or on the wall clock.

    Return the columns of `localise`, with the local `day`, and whether the text
    `is_date`.
    """
    texts = table["time"]
    different = texts.unique()
    parsed = [None if text is None else _time(text) for text in different]
    times = pl.DataFrame(
        {
            "text": different,
            "wall": [t if t and t.tzinfo is None else None for t in parsed],
            "moment": [t if t and t.tzinfo is not None else None for t in parsed],
            "known": [t is not None for t in parsed],
            "is_date": [text is not None and _is_date(text) for text in different],
        },
        schema={
            "text": pl.String,
            "wall": pl.Datetime("us"),
            "moment": pl.Datetime("us", "UTC"),
            "known": pl.Boolean,
            "is_date": pl.Boolean,
        },
    )
    rows = table.select("site", "channel", text="time").join(
        times, on="text", how="left", nulls_equal=True, maintain_order="left"
    )
    either = texts.str.contains(_AMBIGUOUS_DATE).fill_null(value=False)
    problems.add_rows(
        table["line"],
        texts,
        either & ~rows["known"],
        "may be day and month, or month and day; write it as 2026-11-21 or 21.11.2026",
    )
    problems.add_rows(
        table["line"],
        texts,
        ~rows["known"] & ~either,
        "is no time such as 2026-11-21T20:00, 2026-11-21T20:00+01:00, 21.11.2026 20:00",
    )
    there = pl.col("moment").dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    local = localise(rows, "wall", time_zone, by=["site", "channel"])
    return rows.select(
        "is_date",
        local["ambiguous"],
        time=pl.coalesce("moment", local["time"]),
        day=pl.coalesce("wall", there).dt.date(),
    )


def _is_date(text: str) -> bool:
    """Return whether a time has no hour; `_time` checks whether it is valid."""
    return ":" not in text and len(text) <= len("2026-11-21")


def _time(text: str) -> datetime | None:
    """Parse a time; 24:00 is the end of its day. None if it is invalid."""
    if written := next(
        filter(None, (each.fullmatch(text) for each in _DATE_PATTERNS)), None
    ):
        part = written.groupdict(default="")
        year = part["year"]
        if len(year) == len("26"):
            year = f"{19 if int(year) >= _MIN_YEAR_OF_1900S else 20}{year}"
        text = (
            f"{year}-{part['month']:0>2}-{part['day']:0>2}"
            f"T{part['hour']:0>2}{part['rest'] or ':00'}"
        )
    ends = _END_OF_DAY.sub(r"\g<1>00:00", text)
    try:
        time = datetime.fromisoformat(ends) + timedelta(days=ends != text)
    except (ValueError, OverflowError):
        return None
    return time if MINYEAR < time.year < MAXYEAR else None


def _town(town: Town, counts: pl.DataFrame, problems: Problems) -> Town:
    """Derive the registration: a site, channel and sensor for each name in the file."""
    sites: dict[str, list[Channel]] = {}
    devices: dict[str, Device] = {}
    columns: list[str] = [name for name in COUNTS if name in counts.columns]
    groups = counts.group_by("site", "channel", maintain_order=True)
    for (site, channel), rows in groups:
        line = int(rows["line"][0])
        kinds = rows.unique(
            ["quantity", "direction", "interval_s"], maintain_order=True
        )
        if kinds.height > 1:
            problems.add(
                int(kinds["line"][1]),
                f"{site} {channel} has more than one quantity, direction or interval; "
                f"in line {line} it has another",
            )
            continue
        quantity, direction, interval_s = kinds.select(
            "quantity", "direction", "interval_s"
        ).row(0)
        key = f"{site}-{channel}"
        if key in devices:
            problems.add(line, f"{key} may be one site and channel or another")
            continue
        sites.setdefault(str(site), []).append(
            Channel(key=key, name=str(channel), quantity=quantity, direction=direction)
        )
        used = {name for name in columns if not rows[name].is_null().all()}
        scheme = _scheme(used)
        if scheme is None:
            problems.add(
                line,
                f"{key}: no class scheme has {', '.join(sorted(used))} together; give "
                "each a channel of its own",
            )
            continue
        devices[key] = Device(interval_s, scheme)
    if problems.number:
        return town
    return one_output_town(
        town,
        [
            Site(key=site, name=site, channels=tuple(channels))
            for site, channels in sites.items()
        ],
        devices,
    )


def _scheme(used: set[str]) -> str | None:
    """Choose the smallest class scheme that contains all classes used."""
    for name, classes in sorted(SCHEMES.items(), key=lambda item: len(item[1])):
        if used <= set(classes):
            return name
    return None
