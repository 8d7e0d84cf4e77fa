"""Verdicts: the ordered table of tests; the first that a period fails names it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.frames import VERDICTS, check
from analytics.health import (
    bins_offset,
    card_off,
    clock_offset,
    constant,
    drift,
    frozen,
    gap,
    high_value,
    insufficient,
    intermittent,
    mode_zero,
    no_data,
    out_of_range,
    overlap,
    swapped,
    zero_count,
)
from analytics.health.evidence import Evidence, counted
from analytics.health.levels import OF_COUNTS, OF_DEVICES, Levels, attribute
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

METHOD: Final = "health-2"
GOOD: Final = "good"


@dataclass(frozen=True, slots=True)
class Test:
    """A test of health: its name, the meaning of a failure, and its function."""

    name: str
    #: source text, to be translated
    text: str
    find: Callable[[Evidence, Health], pl.DataFrame]
    levels: Levels = OF_DEVICES
    #: whether only counting channels are siblings
    counts: bool = True


#: In order of precedence: the first failed test wins.
TESTS: Final = (
    Test("no-data", mark("Nothing arrived."), no_data.find, counts=False),
    Test(
        "insufficient-data",
        mark("Too few of the expected readings arrived."),
        insufficient.find,
        counts=False,
    ),
    Test("gap", mark("Readings are missing for too long."), gap.find, counts=False),
    Test(
        "readings-overlap",
        mark(
            "Several readings cover the same time. Each second counts once, by the "
            "reading received last: check the sensor's clock and interval, and "
            "what was imported."
        ),
        overlap.find,
        counts=False,
    ),
    Test(
        "out-of-range",
        mark("There are impossible values."),
        out_of_range.find,
        counts=False,
    ),
    Test(
        "mode-zero",
        mark("This mode is never counted, while others pass the same site."),
        mode_zero.find,
        OF_COUNTS,
    ),
    Test(
        "zero-count",
        mark("Only zeros are counted in spite of usual traffic."),
        zero_count.find,
        OF_COUNTS,
    ),
    Test(
        "card-off",
        mark("Nearly all intervals of the daytime are empty."),
        card_off.find,
    ),
    Test(
        "high-value",
        mark("Counts or occupancy are too high for too long."),
        high_value.find,
    ),
    Test(
        "intermittent",
        mark("Counts and occupancy contradict each other."),
        intermittent.find,
    ),
    Test(
        "constant",
        mark("The measured value does not change any more."),
        constant.find,
        counts=False,
    ),
    Test("frozen", mark("The same count is repeated again and again."), frozen.find),
    Test(
        "bins-offset",
        mark("The sensor's count intervals do not begin on the clock."),
        bins_offset.find,
    ),
    Test(
        "swapped-direction",
        mark("The direction has the daily profile of the opposite one."),
        swapped.find,
    ),
    Test(
        "clock-offset",
        mark("The daily profile is shifted by hours: the clock is probably wrong."),
        clock_offset.find,
    ),
    Test(
        "drift",
        mark(
            "The sensor increasingly counts more or less than expected "
            "from its neighbours."
        ),
        drift.find,
    ),
)
#: Sentence for each verdict.
TEXTS: Final = {
    GOOD: mark("No test found a fault."),
    **{test.name: test.text for test in TESTS},
}
#: Short word for each verdict, for tables.
WORDS: Final = {
    GOOD: mark("good"),
    "no-data": mark("no data"),
    "insufficient-data": mark("too little data"),
    "gap": mark("long gap"),
    "readings-overlap": mark("reported twice"),
    "out-of-range": mark("impossible value"),
    "mode-zero": mark("one mode missing"),
    "zero-count": mark("only zeros"),
    "card-off": mark("empty intervals"),
    "high-value": mark("too high"),
    "intermittent": mark("contradictory"),
    "constant": mark("constant"),
    "frozen": mark("frozen"),
    "bins-offset": mark("intervals shifted"),
    "swapped-direction": mark("direction swapped"),
    "clock-offset": mark("wrong clock"),
    "drift": mark("drift"),
}


def judge(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Return VERDICTS, one per period: the first failed test, or `good`."""
    left, found = evidence.periods.select("channel_id", "began", "day", "complete"), []
    key = ["channel_id", "began"]
    of_counts = evidence.siblings.filter(counted())
    for test in TESTS:
        failed = test.find(evidence, limits)
        if failed.is_empty():
            continue
        siblings = of_counts if test.counts else evidence.siblings
        named = attribute(failed, siblings, test.levels).with_columns(
            verdict=pl.lit(test.name)
        )
        found.append(check(named.join(left, on=key), VERDICTS))
        left = left.join(failed, on=key, how="anti")
    good = left.with_columns(
        verdict=pl.lit(GOOD),
        value=pl.lit(None, pl.Float64),
        threshold=pl.lit(None, pl.Float64),
        level=pl.lit(None, pl.String),
    )
    return pl.concat([*found, check(good, VERDICTS)]).sort(key)
