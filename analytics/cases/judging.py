"""Which detectors judge what, over which times, and what of it becomes members.

Finished quarter-hours, hours of air and noise, gaps, and whether a counter is stuck are
judged with the claim that computes them, so seconds after a reading came. Right after
it the hours of a town are held against each other; whole days once they ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics import frames
from analytics.cases import members
from analytics.detectors import (
    congestion,
    drift,
    drop_out,
    exceedance,
    incident,
    level_shift,
    odd_pair,
    silence,
    spike,
    stuck,
    unusual_day,
    unusual_volume,
)
from analytics.frames import check
from verkehrspuls.quantities import COUNTED

#: Detectors that judge whole days.
OF_DAYS: Final = (unusual_day.NAME, level_shift.NAME, drift.NAME, odd_pair.NAME)
#: Judged again around a stale hour: the beginning of what it may belong to, hours that
#: were still running, and what is compared with it afterwards.
AROUND: Final = timedelta(hours=24)
#: Read before what is judged: what detectors compare with.
LEAD: Final = timedelta(hours=24)

_HOUR: Final = timedelta(hours=1)
_QUARTER: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Windows:
    """SPANS to judge again; a case is judged as a whole or not at all."""

    hours: pl.DataFrame
    quarters: pl.DataFrame
    #: hours of channels that do not count
    values: pl.DataFrame

    def widened(self, stored: pl.DataFrame) -> "Windows":
        """Widen to the STORED_CASES that touch them."""
        others = (silence.NAME, unusual_volume.NAME, *OF_DAYS)
        touching = stored.filter(~pl.col("detector").is_in(others))
        hourly = pl.col("detector") == stuck.NAME
        return Windows(
            members.widen(self.hours, touching.filter(hourly)),
            members.widen(self.quarters, touching.filter(~hourly)),
            members.widen(self.values, touching),
        )


def windows(readings: pl.DataFrame, channels: pl.DataFrame, *, weeks: int) -> Windows:
    """Tell what is judged again for the SPANS of `readings` that are stale.

    Hours are for weeks after, because what is usual for them changes.
    """
    counts = pl.col("quantity").is_in(list(COUNTED))
    counting = readings.join(channels.filter(counts), on="channel_id", how="semi")
    others = readings.join(channels.filter(~counts), on="channel_id", how="semi")
    since, until = pl.col("since") - AROUND, pl.col("until")
    return Windows(
        counting.with_columns(since, until + timedelta(weeks=weeks, days=1)),
        counting.with_columns(since, until + AROUND),
        others.with_columns(since, until + AROUND),
    )


def lead(spans: pl.DataFrame) -> pl.DataFrame:
    """What has to be read to judge SPANS."""
    return spans.with_columns(pl.col("since") - LEAD)


def judge_hours(
    hours: pl.DataFrame, spans: pl.DataFrame, stored: pl.DataFrame, *, now: datetime
) -> list[members.Judgement]:
    """Judge whole hours (STORED_VOLUMES) of counting channels, each by itself."""
    whole = hours.filter(pl.col("time") + _HOUR <= now)
    return _judged({stuck.NAME: stuck.detect(whole)}, spans, stored)


def judge_town(
    hours: pl.DataFrame, *, spans: pl.DataFrame, stored: pl.DataFrame
) -> list[members.Judgement]:
    """Judge whole hours (USUAL_HOURS) of a town's counting channels together.

    What a stuck detector explains is not called unusual, too.
    """
    still = stored.filter(pl.col("detector") == stuck.NAME)
    found = members.without(unusual_volume.detect(hours), still)
    return _judged({unusual_volume.NAME: found}, spans, stored)


def judge_quarters(
    quarters: pl.DataFrame,
    spans: pl.DataFrame,
    stored: pl.DataFrame,
    *,
    motor: pl.DataFrame,
    now: datetime,
) -> list[members.Judgement]:
    """Judge finished quarter-hours (STORED_VOLUMES); `motor` are channels of vehicles.

    What is called a drop-out is not called an incident, too.
    """
    whole = quarters.filter(pl.col("time") + _QUARTER <= now)
    vehicles = whole.join(motor, on="channel_id", how="semi")
    empty = drop_out.detect(whole)
    by_speed = incident.detect_speeds(vehicles)
    by_volume = members.without(incident.detect(vehicles), empty)
    found = {
        spike.NAME: spike.detect(whole),
        drop_out.NAME: empty,
        incident.NAME: pl.concat([by_speed, members.without(by_volume, by_speed)]),
        congestion.NAME: congestion.detect(vehicles),
    }
    return _judged(found, spans, stored)


def judge_values(
    hours: pl.DataFrame,
    spans: pl.DataFrame,
    stored: pl.DataFrame,
    *,
    channels: pl.DataFrame,
    now: datetime,
) -> list[members.Judgement]:
    """Judge whole hours of air and noise (ENVIRONMENT_HOURS)."""
    whole = hours.filter(pl.col("time") + _HOUR <= now)
    still = stuck.detect_values(whole, channels)
    found = {
        stuck.NAME: still,
        spike.NAME: members.without(spike.detect_values(whole, channels), still),
        exceedance.NAME: exceedance.detect(whole, channels),
    }
    return _judged(found, spans, stored)


def judge_gaps(
    intervals: pl.DataFrame,
    readings: pl.DataFrame,
    stored: pl.DataFrame,
    *,
    installed: pl.DataFrame,
    now: datetime,
) -> members.Judgement:
    """Judge the gaps from the reading before the stale hours to the one after them.

    A reading may be from a clock that is ahead: no gap ends after now.
    """
    spans = check(intervals, frames.INTERVALS).group_by("channel_id")
    judged = spans.agg(since=pl.col("time").min(), until=pl.col("time").max())
    return members.judge(
        silence.gaps(
            intervals,
            installed.with_columns(
                until=pl.min_horizontal("until", pl.lit(now, frames.TIME))
            ),
        ),
        silence.NAME,
        stored=stored,
        windows=judged.join(readings, on="channel_id", how="semi"),
    )


def judge_days(
    counts: pl.DataFrame,
    values: pl.DataFrame,
    pairs: pl.DataFrame,
    *,
    spans: pl.DataFrame,
    stored: pl.DataFrame,
) -> list[members.Judgement]:
    """Judge local days that ended (CHANNEL_DAYS, VALUE_DAYS, PAIRED_HOURS).

    What is called a shift of level is not called a drift, too.
    """
    shifts = level_shift.detect(counts)
    creeping = pl.concat([drift.detect(counts), drift.detect_values(values)])
    found = {
        unusual_day.NAME: unusual_day.detect(counts),
        level_shift.NAME: shifts,
        drift.NAME: members.without(creeping, shifts),
        odd_pair.NAME: odd_pair.detect(pairs),
    }
    return _judged(found, spans, stored)


def _judged(
    found: Mapping[str, pl.DataFrame], spans: pl.DataFrame, stored: pl.DataFrame
) -> list[members.Judgement]:
    """Judge what began in the spans: before them is only what it is compared with."""
    began = pl.col("began")
    return [
        members.judge(
            hits.join(spans, on="channel_id")
            .filter((began >= pl.col("since")) & (began < pl.col("until")))
            .select(hits.columns),
            name,
            stored=stored,
            windows=spans,
        )
        for name, hits in found.items()
    ]
