"""Reading the course of a channel around an anomaly case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import polars as pl

from verkehrspuls.cases import Case
from verkehrspuls.storage.database import read_frame
from verkehrspuls.storage.visibility import PUBLIC


def volumes(
    url: str,
    case: Case,
    *,
    intervals: Sequence[Literal[900, 3600]],
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read volumes and speeds of the channel that a case names, with what is usual."""
    period = {"start": start, "end": end, "intervals": list(intervals)}
    return _read(url, "read_evidence_volumes", case, visible, **period)


def values(
    url: str,
    case: Case,
    *,
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read the hours of the environment channel that a case names."""
    return _read(url, "read_evidence_values", case, visible, start=start, end=end)


def _read(
    url: str, query: str, case: Case, visible: Sequence[str], **asked: Any
) -> pl.DataFrame:
    return read_frame(
        url,
        query,
        municipality=case.municipality,
        site=case.site,
        channel=case.channel,
        visible=list(visible),
        **asked,
    )
