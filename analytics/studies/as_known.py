"""Figures as they were known at an earlier time, before later data and corrections."""

from typing import Final

import polars as pl

from analytics.frames import COUNT_READINGS, SPANS, VALID_VOLUMES, check, empty
from analytics.quality import validity
from analytics.volumes import daily, long_intervals
from analytics.volumes.volume import volumes

AS_KNOWN: Final = "-as-known"
METHOD: Final = daily.METHOD + AS_KNOWN


def days_as_known(
    readings: pl.DataFrame,
    targets: pl.DataFrame,
    *,
    channels: pl.DataFrame,
    installed: pl.DataFrame,
    rules: validity.Rules = validity.DEFAULT,
) -> pl.DataFrame:
    """Compute DAYS for SITE_DAYS from COUNT_READINGS in their earlier versions.

    As `daily.days`, with two differences: nothing is imputed or excluded, because
    earlier decisions of persons are not considered, and gaps are judged by each hour's
    own volume.
    """
    unknown = {
        name: pl.lit(None, dtype)
        for name, dtype in VALID_VOLUMES.items()
        if name in ("usual", "usual_spread")
    }
    known = volumes(readings).with_columns(**unknown).with_columns(valid=rules.of_bin())
    return daily.days(
        check(known, VALID_VOLUMES),
        targets,
        channels=channels,
        installed=installed,
        excluded=empty(SPANS),
        long=long_intervals.volumes(check(readings, COUNT_READINGS)),
        rules=rules,
    ).with_columns(method=pl.col("method") + AS_KNOWN)
