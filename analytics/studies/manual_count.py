"""A manual count beside a sensor: comparison, acceptance, and a calibration factor.

Directions are compared as a whole, over quarter-hours that both counted completely:
whoever stands at the road sees no lanes. Of a sensor whose intervals do not divide a
quarter-hour, hours take their place. What the sensor counted is raw, without the
factors that hold already.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from math import sqrt
from statistics import NormalDist
from typing import Annotated, Final, Literal

import polars as pl
from msgspec import Meta, Struct

from analytics.frames import COUNT_READINGS, TIME, VOLUMES, Schema, check
from verkehrspuls.classes import VOLUME_CLASSES
from verkehrspuls.manual_counts import Way
from verkehrspuls.settings import Acceptance

QUARTER: Final = timedelta(minutes=15)
#: Lengths of what is compared; the first one that a direction has.
STEPS: Final = (QUARTER, timedelta(hours=1))
#: Minimum share of a quarter-hour that the sensor's readings cover.
MIN_OBSERVED: Final = 0.95
#: Of all that is counted in a direction.
ALL: Final = "all"
#: One vehicle each, or several: what a person counted.
TAPS: Final[Schema] = {
    "time": TIME,
    "quantity": pl.String(),
    "direction": pl.String(),
    "class": pl.String(),
    "vehicles": pl.Int64(),
}
#: A share, in %.
Pct = Annotated[float, Meta(ge=0)]
#: whether a rate is kept; `few`: too few were counted to say so
Verdict = Literal["kept", "missed", "few"]


class Quarter(Struct, frozen=True):
    """What both counted of a class of a direction, from `time` on for `interval_s`."""

    time: datetime
    quantity: str
    direction: str
    #: a column of `COUNTS`, or `all`
    name: str
    counted: int
    measured: int
    #: of a quarter-hour, or of an hour
    interval_s: int = 900


class Sum(Struct, frozen=True):
    """What both counted of a class of a direction in all common quarter-hours."""

    quantity: str
    direction: str
    name: str
    counted: int
    measured: int
    #: measured - counted, in % of counted; None: nothing was counted
    deviation_pct: float | None
    limit_pct: Pct
    verdict: Verdict


class Spread(Struct, frozen=True):
    """How far the quarter-hours of a direction differ, whatever the sum is.

    Sum of |measured - counted| by quarter-hour, in % of counted: errors that cancel out
    in the sum are seen here.
    """

    quantity: str
    direction: str
    deviation_pct: float | None
    limit_pct: Pct
    verdict: Verdict


class Factor(Struct, frozen=True):
    """What the counts of a direction are to be multiplied with."""

    quantity: str
    direction: str
    factor: float
    #: half the width of the interval that contains it with 95 %
    uncertainty: float
    #: common quarter-hours, or hours
    quarters: int


class Comparison(Struct, frozen=True):
    """A manual count beside what the sensors counted."""

    quarters: tuple[Quarter, ...]
    sums: tuple[Sum, ...]
    spreads: tuple[Spread, ...]
    factors: tuple[Factor, ...]
    #: number of quarter-hours, or hours, in which at least one direction is compared
    common: int
    #: whether all rates are kept; None: too few were counted to say so
    accepted: bool | None
    method: str = "manual-count-1"


def compare(
    taps: pl.DataFrame,
    volumes: pl.DataFrame,
    ways: tuple[Way, ...],
    *,
    began: datetime,
    ended: datetime,
    rates: Acceptance,
) -> Comparison:
    """Compare TAPS with VOLUMES of the channels of `ways` within `[began, ended)`."""
    found = check(taps, TAPS)
    step = pl.duration(seconds="interval_s")
    bins = check(volumes, VOLUMES).filter(
        pl.col("observed_s") >= MIN_OBSERVED * pl.col("interval_s"),
        pl.col("time") >= began,
        pl.col("time") + step <= ended,
    )
    quarters = tuple(quarter for way in ways for quarter in _quarters(way, found, bins))
    sums, spreads, factors = [], [], []
    for way in ways:
        own = [q for q in quarters if _is_of(q, way)]
        whole = [q for q in own if q.name == ALL]
        enough = len(whole) >= rates.quarter_hours
        sums += [
            _sum([q for q in own if q.name == name], rates, enough=enough)
            for name in dict.fromkeys(q.name for q in own)
        ]
        if whole:
            spreads.append(_spread(way, whole, rates, enough=enough))
        factor = ratio([(q.counted, q.measured) for q in whole])
        if factor and enough:
            factors.append(Factor(way.quantity, way.direction, *factor, len(whole)))
    return Comparison(
        quarters=quarters,
        sums=tuple(sums),
        spreads=tuple(spreads),
        factors=tuple(factors),
        common=len({q.time for q in quarters}),
        accepted=_accepted(ways, sums, spreads),
    )


def comparable(bins: pl.DataFrame, readings: pl.DataFrame) -> pl.DataFrame:
    """Drop VOLUMES of channels some of whose COUNT_READINGS do not divide the bin.

    A reading is counted in the bin in which it begins: of ten minutes, two are in one
    quarter-hour and one is in the next.
    """
    intervals = check(readings, COUNT_READINGS).select("channel_id", "interval_s")
    uneven = (
        intervals.unique()
        .join(
            pl.DataFrame({"step": [int(step.total_seconds()) for step in STEPS]}),
            how="cross",
        )
        .filter(pl.col("step") % pl.col("interval_s") != 0)
    )
    return check(bins, VOLUMES).join(
        uneven,
        left_on=["channel_id", "interval_s"],
        right_on=["channel_id", "step"],
        how="anti",
    )


def ratio(pairs: list[tuple[int, int]]) -> tuple[float, float] | None:
    """Return the factor of pairs (counted, measured), and its uncertainty at 95 %.

    R = Σ counted / Σ measured, the ratio estimate over n quarter-hours as sampling
    units; v(R) = Σ (counted - R measured)² / (n (n - 1) m²), where m is the mean of
    measured. Source: W. G. Cochran, Sampling Techniques, 3rd edition, Wiley 1977,
    section 6.4, without the correction for a finite population: the factor is for times
    that were not counted. Its uncertainty is t(0.975; n - 1) √v(R), an expanded
    uncertainty as of the Guide to the Expression of Uncertainty in Measurement (JCGM
    100:2008, annex G). What the person missed all the time is not in it.

    None for fewer than two pairs, or where nothing was counted or measured.
    """
    count = len(pairs)
    counted, measured = (
        (sum(side) for side in zip(*pairs, strict=True)) if pairs else (0, 0)
    )
    if count < 2 or not counted or not measured:
        return None
    factor = counted / measured
    squares = sum((y - factor * x) ** 2 for y, x in pairs)
    variance = squares / (count * (count - 1) * (measured / count) ** 2)
    return factor, student_t(count - 1) * sqrt(variance)


def student_t(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution.

    Exact for one and two degrees of freedom; else the expansion by M. Abramowitz and
    I. A. Stegun, Handbook of Mathematical Functions, 26.7.5: to 1 % from three on.
    """
    if degrees <= 2:
        return {1: 12.7062, 2: 4.3027}[degrees]
    x = NormalDist().inv_cdf(0.975)
    terms = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92_160,
    )
    return float(sum(term / degrees**power for power, term in enumerate(terms)))


def _quarters(way: Way, taps: pl.DataFrame, bins: pl.DataFrame) -> Iterator[Quarter]:
    """Yield the quarter-hours in which all channels of a direction measured.

    If there is none, the hours.
    """
    for step in STEPS:
        of_step = pl.col("interval_s") == step.total_seconds()
        if found := list(_of_step(way, taps, bins.filter(of_step), step)):
            yield from found
            return


def _of_step(
    way: Way, taps: pl.DataFrame, bins: pl.DataFrame, step: timedelta
) -> Iterator[Quarter]:
    own = bins.filter(pl.col("channel_id").is_in(list(way.channels)))
    columns = [name for name in way.common_classes if name != "total"]
    measured = (
        own.group_by("time")
        .agg(
            pl.len().alias("channels"),
            pl.col("volume").sum().alias(ALL),
            *(
                pl.when(pl.col(name).is_not_null().all())
                .then(pl.col(name).sum())
                .alias(name)
                for name in columns
            ),
        )
        .filter(pl.col("channels") == len(way.channels))
        .sort("time")
    )
    counted = _counted(way, taps, step)
    for row in measured.iter_rows(named=True):
        time = row["time"]
        for name in (ALL, *columns):
            if row[name] is not None:
                yield Quarter(
                    time,
                    way.quantity,
                    way.direction,
                    name,
                    counted.get((time, name), 0),
                    row[name],
                    int(step.total_seconds()),
                )


def _counted(
    way: Way, taps: pl.DataFrame, step: timedelta
) -> Mapping[tuple[datetime, str], int]:
    """Return what a person counted of a direction, by time and class."""
    own = taps.filter(
        pl.col("quantity") == way.quantity,
        pl.col("direction") == way.direction,
        pl.col("class").is_in(list(VOLUME_CLASSES[way.quantity])),
    ).with_columns(time=pl.col("time").dt.truncate(step))
    found: dict[tuple[datetime, str], int] = {}
    for time, name, vehicles in own.select("time", "class", "vehicles").iter_rows():
        for key in {(time, name), (time, ALL)}:
            found[key] = found.get(key, 0) + vehicles
    return found


def _is_of(quarter: Quarter, way: Way) -> bool:
    return (quarter.quantity, quarter.direction) == (way.quantity, way.direction)


def _sum(quarters: list[Quarter], rates: Acceptance, *, enough: bool) -> Sum:
    first = quarters[0]
    counted = sum(quarter.counted for quarter in quarters)
    measured = sum(quarter.measured for quarter in quarters)
    whole = first.name == ALL
    limit = rates.sum_pct if whole else rates.class_pct
    least = rates.vehicles if whole else rates.class_vehicles
    deviation = (measured - counted) / counted * 100 if counted else None
    return Sum(
        quantity=first.quantity,
        direction=first.direction,
        name=first.name,
        counted=counted,
        measured=measured,
        deviation_pct=deviation,
        limit_pct=limit,
        verdict=_verdict(deviation, limit, enough=enough and counted >= least),
    )


def _spread(
    way: Way, quarters: list[Quarter], rates: Acceptance, *, enough: bool
) -> Spread:
    counted = sum(quarter.counted for quarter in quarters)
    apart = sum(abs(quarter.measured - quarter.counted) for quarter in quarters)
    deviation = apart / counted * 100 if counted else None
    limit = rates.quarter_hour_pct
    return Spread(
        way.quantity,
        way.direction,
        deviation,
        limit,
        _verdict(deviation, limit, enough=enough and counted >= rates.vehicles),
    )


def _verdict(deviation: float | None, limit: float, *, enough: bool) -> Verdict:
    if not enough or deviation is None:
        return "few"
    return "kept" if abs(deviation) <= limit else "missed"


def _accepted(
    ways: tuple[Way, ...], sums: list[Sum], spreads: list[Spread]
) -> bool | None:
    """Return whether all rates are kept; each direction has to have been judged."""
    verdicts = [each.verdict for each in sums] + [each.verdict for each in spreads]
    if "missed" in verdicts:
        return False
    judged = {
        (each.quantity, each.direction)
        for each in sums
        if each.name == ALL and each.verdict == "kept"
    }
    return True if ways and len(judged) == len(ways) else None
