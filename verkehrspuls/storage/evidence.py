"""Reading the course of a channel around an anomaly case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import polars as pl

from verkehrspuls.cases import Case
from verkehrspuls.storage.database import FrameSource, read_frame


def volumes(
    source: FrameSource,
    case: Case,
    *,
    intervals: Sequence[Literal[900, 3600]],
    start: datetime,
    end: datetime,
) -> pl.DataFrame:
    """Read volumes and speeds of the channel that a case names, with what is usual."""
    period = {"start": start, "end": end, "intervals": list(intervals)}
    return _read(source, "read_evidence_volumes", case, **period)


def values(
    source: FrameSource,
    case: Case,
    *,
    start: datetime,
    end: datetime,
) -> pl.DataFrame:
    """Read the hours of the environment channel that a case names."""
    return _read(source, "read_evidence_values", case, start=start, end=end)


def _read(source: FrameSource, query: str, case: Case, **asked: Any) -> pl.DataFrame:
    return read_frame(
        source,
        query,
        municipality=case.municipality,
        site=case.site,
        channel=case.channel,
        **asked,
    )
