"""What speaks against rows of an extract: open cases, suspected faults, and health."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from analytics import frames
from analytics.health.verdicts import GOOD
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.storage import health
from verkehrspuls.storage.case_lists import list_findings
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.doubts import Suspicion
from verkehrspuls.storage.sites import Site

#: Columns that are added, with what they hold.
COLUMNS: Final = {
    "open_cases": "numbers of open anomaly cases that touch the row",
    "suspected": "faults of a sensor that are suspected and that nobody has decided on",
    "health": "verdicts on the channels' health on the day: `good`, or what is not",
}
_ALL: Final = "all"
_STEPS: Final = {"PT15M": timedelta(minutes=15), "PT1H": timedelta(hours=1)}


class _Remark(NamedTuple):
    """A text on a channel and its direction over a span."""

    channel: str
    direction: str
    began: datetime
    ended: datetime
    text: str


def with_standing(
    frame: pl.DataFrame,
    *,
    site: Site,
    quantity: str,
    bin: str,
    start: datetime,
    end: datetime,
    suspects: Sequence[Suspicion],
    connection: Connection,
) -> pl.DataFrame:
    """Add COLUMNS to rows that have a `day` or `time`, a `direction` or `channel`.

    `suspects` are those of `list_suspected`.
    """
    if frame.is_empty():
        return frame.with_columns(**{name: pl.lit(None, pl.String) for name in COLUMNS})
    zone = site.time_zone
    first, last = (
        moment.astimezone(UTC).date() + timedelta(days=days)
        for moment, days in ((start, -1), (end, 1))
    )
    verdicts = health.days(
        connection,
        first=first,
        last=last,
        municipality=site.municipality,
        site=site.key,
    )
    remarks = {
        "open_cases": [
            _Remark(
                row.channel,
                row.direction,
                row.began,
                row.ended,
                str(row.anomaly_case_id),
            )
            for row in list_findings(
                connection,
                site_id=site.site_id,
                quantity=quantity,
                start=start,
                end=end,
            )
        ],
        "suspected": [
            _Remark(row.channel, row.direction, row.since, row.until, row.fault)
            for row in suspects
        ],
        "health": [
            _Remark(
                row.channel,
                row.direction,
                day_start(row.day, zone),
                day_end(row.day, zone),
                row.verdict,
            )
            for row in verdicts
            if row.quantity == quantity
        ],
    }
    key = "channel" if "channel" in frame.columns else "direction"
    known = set(frame[key])
    for name, rows in remarks.items():
        spans = _spans(rows, key, known, start=start, end=end)
        texts = _by_bin(spans, key, bin, zone)
        if name == "health":
            texts = texts.with_columns(_worst(pl.col("text")))
        texts = texts.with_columns(pl.col("text").list.join(" ").alias(name))
        on = ["day" if bin == "P1D" else "time", key]
        frame = frame.join(texts.drop("text"), on=on, how="left", maintain_order="left")
    return frame


def _worst(texts: pl.Expr) -> pl.Expr:
    """Leave out `good` beside what is not."""
    bad = texts.list.filter(pl.element() != GOOD)
    return pl.when(bad.list.len() > 0).then(bad).otherwise(texts)


def _spans(
    rows: Iterable[_Remark],
    key: str,
    known: set[str],
    *,
    start: datetime,
    end: datetime,
) -> pl.DataFrame:
    """Return texts with their times inside the period, by key."""
    found = [
        (each, max(row.began, start), min(row.ended, end), row.text)
        for row in rows
        for each in {getattr(row, key), _ALL}
        if each in known and row.began < end and row.ended > start
    ]
    schema = {key: pl.String(), "began": frames.TIME, "ended": frames.TIME}
    return pl.DataFrame(found, schema={**schema, "text": pl.String()}, orient="row")


def _by_bin(spans: pl.DataFrame, key: str, bin: str, zone: str) -> pl.DataFrame:
    """Return the texts of each bin, sorted, each once."""
    last = pl.col("ended") - timedelta(microseconds=1)
    if bin == "P1D":
        on = "day"
        bins = pl.date_ranges(
            pl.col("began").dt.convert_time_zone(zone).dt.date(),
            last.dt.convert_time_zone(zone).dt.date(),
        )
    else:
        on, step = "time", _STEPS[bin]
        bins = pl.datetime_ranges(
            pl.col("began").dt.truncate(step), last.dt.truncate(step), step
        )
    return (
        spans.with_columns(bins.alias(on))
        .explode(on)
        .group_by(on, key)
        .agg(pl.col("text").unique().sort())
    )
