"""What detectors judge, over which times, and what of it becomes members.

Finished quarter-hours, hours of air and noise, gaps, and whether a counter is stuck are
judged with the claim that computes them, so seconds after a reading came. Right after
it the hours of a town are held against each other; whole days once they ended; devices
once an hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import polars as pl

from analytics import frames
from analytics.cases import members
from analytics.detectors import detectors, runs
from analytics.detectors.record import Days
from analytics.frames import check
from verkehrspuls.quantities import COUNTED

#: What is judged, each as a function of the record of a detector.
Stage = Literal["hours", "town", "quarters", "values", "gaps", "days", "devices"]
#: Judged again around a stale hour: the beginning of what it may belong to, hours that
#: were still running, and what is compared with it afterwards.
JUDGED_AGAIN: Final = timedelta(hours=24)
#: Read before what is judged: what detectors compare with.
TIME_BEFORE: Final = timedelta(hours=24)

_HOUR: Final = timedelta(hours=1)
_QUARTER: Final = timedelta(minutes=15)
#: Judged over other times than the windows of a claim.
_OTHERWISE: Final[tuple[Stage, ...]] = ("town", "gaps", "days", "devices")


def codes_of(stage: Stage) -> list[str]:
    """List the detectors that judge something."""
    return [code for code, one in detectors().items() if getattr(one, stage)]


@dataclass(frozen=True, slots=True)
class Windows:
    """SPANS to judge again; a case is judged as a whole or not at all."""

    hours: pl.DataFrame
    quarters: pl.DataFrame
    #: hours of channels that do not count
    values: pl.DataFrame

    def widened(self, stored: pl.DataFrame) -> "Windows":
        """Widen to the STORED_CASES that touch them."""
        others = [code for stage in _OTHERWISE for code in codes_of(stage)]
        touching = stored.filter(~pl.col("detector").is_in(others))
        hourly = pl.col("detector").is_in(codes_of("hours"))
        return Windows(
            members.widen(self.hours, touching.filter(hourly)),
            members.widen(self.quarters, touching.filter(~hourly)),
            members.widen(self.values, touching),
        )


def windows(readings: pl.DataFrame, channels: pl.DataFrame, *, weeks: int) -> Windows:
    """Return what is judged again for the SPANS of `readings` that are stale.

    Hours are for weeks after, because what is usual for them changes.
    """
    counts = pl.col("quantity").is_in(list(COUNTED))
    counting = readings.join(channels.filter(counts), on="channel_id", how="semi")
    others = readings.join(channels.filter(~counts), on="channel_id", how="semi")
    since, until = pl.col("since") - JUDGED_AGAIN, pl.col("until")
    return Windows(
        counting.with_columns(since, until + timedelta(weeks=weeks, days=1)),
        counting.with_columns(since, until + JUDGED_AGAIN),
        others.with_columns(since, until + JUDGED_AGAIN),
    )


def lead(spans: pl.DataFrame) -> pl.DataFrame:
    """Return what has to be read to judge SPANS."""
    return spans.with_columns(pl.col("since") - TIME_BEFORE)


def judge_hours(
    hours: pl.DataFrame, spans: pl.DataFrame, stored: pl.DataFrame, *, now: datetime
) -> list[members.Judgement]:
    """Judge whole hours (STORED_VOLUMES) of counting channels, each by itself."""
    whole = hours.filter(pl.col("time") + _HOUR <= now)
    return _judged(_found("hours", whole), spans, stored)


def judge_town(
    hours: pl.DataFrame, *, spans: pl.DataFrame, stored: pl.DataFrame
) -> list[members.Judgement]:
    """Judge whole hours (USUAL_HOURS) of a town's counting channels together.

    What was found in these hours before may explain hits: what a stuck detector
    explains is not called unusual, too.
    """
    found = _found("town", hours)
    before = {
        code: stored.filter(pl.col("detector") == code)
        for code in detectors().keys() - found.keys()
    }
    return _judged(found, spans, stored, before=before)


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
    return _judged(_found("quarters", whole, vehicles), spans, stored)


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
    # means and levels of hours
    found = _found("values", whole, channels)
    return _judged(found, spans, stored, adds_up=False)


def judge_gaps(
    intervals: pl.DataFrame,
    readings: pl.DataFrame,
    stored: pl.DataFrame,
    *,
    installed: pl.DataFrame,
    now: datetime,
) -> list[members.Judgement]:
    """Judge the gaps from the reading before the stale hours to the one after them.

    A reading may be from a clock that is ahead: no gap ends after now.
    """
    spans = check(intervals, frames.INTERVALS).group_by("channel_id")
    judged = spans.agg(since=pl.col("time").min(), until=pl.col("time").max())
    until = pl.min_horizontal("until", pl.lit(now, frames.TIME))
    windows = judged.join(readings, on="channel_id", how="semi")
    found = _found("gaps", intervals, installed.with_columns(until=until))
    return [
        members.judge(hits, code, stored=stored, windows=windows)
        for code, hits in found.items()
    ]


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
    return _judged(_found("days", Days(counts, values, pairs)), spans, stored)


def judge_devices(
    devices: pl.DataFrame, stored: pl.DataFrame, *, since: datetime
) -> tuple[list[members.Judgement], list[int]]:
    """Judge DEVICES as they are now; also return the decided cases that go on.

    What was found `since` a time and is found again goes on from its beginning. What
    is not found any more stays as it was: it was so.
    """
    judged, decided = [], []
    for code, hits in _found("devices", check(devices, frames.DEVICES)).items():
        mine = stored.filter(pl.col("detector") == code, pl.col("ended") >= since)
        last = mine.sort("ended").unique("channel_id", keep="last")
        again = hits.drop("began").join(last.drop("ended"), on="channel_id")
        settled = again.filter(pl.col("state") != members.UNDECIDED)
        decided += settled["case_member_id"].to_list()
        goes_on = again.filter(pl.col("state") == members.UNDECIDED)
        fresh = hits.join(again, on="channel_id", how="anti")
        found = pl.concat([fresh, goes_on.select(fresh.columns)])
        cases = members.group(found, code)
        judged.append(members.Judgement(cases, []))
    return judged, decided


def _found(stage: Stage, *judged: pl.DataFrame | Days) -> dict[str, pl.DataFrame]:
    """Return the HITS of each detector that judges something, by its code."""
    return {
        code: getattr(detectors()[code], stage)(*judged) for code in codes_of(stage)
    }


def _judged(
    found: Mapping[str, pl.DataFrame],
    spans: pl.DataFrame,
    stored: pl.DataFrame,
    *,
    before: Mapping[str, pl.DataFrame] | None = None,
    adds_up: bool = True,
) -> list[members.Judgement]:
    """Judge what began in the spans: before them is only what it is compared with.

    Hits that others explain are left out, also those that were found `before`.
    """
    began = pl.col("began")
    others = {**(before or {}), **found}
    return [
        members.judge(
            _unexplained(hits, code, others)
            .join(spans, on="channel_id")
            .filter((began >= pl.col("since")) & (began < pl.col("until")))
            .select(hits.columns),
            code,
            stored=stored,
            windows=spans,
            adds_up=adds_up,
        )
        for code, hits in found.items()
    ]


def _unexplained(
    hits: pl.DataFrame, code: str, others: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Leave out the HITS of a detector that hits of others explain."""
    for reason in detectors()[code].reasons:
        for other in reason.explained_by:
            if other in others:
                of_it = pl.col("reason") == reason.code
                left = runs.without(hits.filter(of_it), others[other])
                hits = pl.concat([hits.filter(~of_it), left])
    return hits
