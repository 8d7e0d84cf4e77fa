"""Reading the course of a channel around an anomaly case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import polars as pl

from verkehrspuls.storage.case_lists import Case
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
    return read_frame(
        url,
        "read_evidence_volumes",
        municipality=case.municipality,
        site=case.site,
        channel=case.channel,
        intervals=list(intervals),
        start=start,
        end=end,
        visible=list(visible),
    )


def values(
    url: str,
    case: Case,
    *,
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read the hours of the environment channel that a case names."""
    return read_frame(
        url,
        "read_evidence_values",
        municipality=case.municipality,
        site=case.site,
        channel=case.channel,
        start=start,
        end=end,
        visible=list(visible),
    )
