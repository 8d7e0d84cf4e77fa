"""Common parts of Münster's files: their errors, and files with one count per row."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

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
from verkehrspuls.errors import BadFile
from verkehrspuls.model import Site, Town


@contextmanager
def reading(path: Path, file_type: str, *, columns: str) -> Iterator[None]:
    """Turn errors into `BadFile`; `columns` are those of the Parquet form."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        reason = f"it is no Parquet file with the columns {columns}"
        raise BadFile(path=path, format=file_type, reason=reason) from error
    except (OSError, ValueError) as error:
        raise BadFile(path=path, format=file_type, reason=error) from error


def count_file(
    town: Town,
    counts: pl.DataFrame,
    *,
    sites: list[Site],
    by: str,
    device: Device,
    unread: Sequence[pl.DataFrame] = (),
) -> CountFile:
    """Build a file from rows of `sensor`, `ts` (wall clock), `count` and a series `by`.

    The only class of the device's scheme is the column of the counts. `unread` are
    further rows of the file without a reading (LEFT_OUT).
    """
    counts = counts.with_columns(
        *localise(counts, "ts", town.time_zone, by=[by]), day=pl.col("ts").dt.date()
    )
    blank, skipped = (pl.col(name).is_null() for name in ("count", "time"))
    usable = counts.filter(~blank, ~skipped).select(
        "sensor",
        "time",
        "ambiguous",
        output=pl.lit("1"),
        interval_s=pl.lit(device.interval_s),
        **{device.class_scheme: "count"},
    )
    keys = [channel.key for site in sites for channel in site.channels]
    return CountFile(
        one_output_town(town, sites, dict.fromkeys(keys, device)),
        completed(usable),
        pl.concat(
            [
                *unread,
                without_reading(counts, {"blank": blank, SKIPPED_TIME: skipped}),
            ]
        ),
    )
