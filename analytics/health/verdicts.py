"""Verdicts: the first test that a period fails names it."""

import pkgutil
from functools import cache
from importlib import import_module
from typing import Final

import polars as pl

from analytics import frames, health
from analytics.frames import VERDICTS, check
from analytics.health.evidence import Evidence, counted
from analytics.health.levels import attribute
from analytics.health.record import Test
from verkehrspuls.settings import Health
from verkehrspuls.text import mark

METHOD: Final = "health-2"
GOOD: Final = "good"
_KEY: Final = ("channel_id", "began")


@cache
def ordered_tests() -> dict[str, Test]:
    """Load all tests by name, in order of precedence: the records of the files here."""
    modules = (
        import_module(f"{health.__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(health.__path__)
    )
    found: list[Test] = [module.TEST for module in modules if hasattr(module, "TEST")]
    return {one.name: one for one in sorted(found, key=lambda one: one.order)}


def faults() -> list[str]:
    """List the verdicts for which the values of a day are suspected."""
    return [name for name, test in ordered_tests().items() if test.is_fault]


def texts() -> dict[str, str]:
    """Return the sentence for each verdict."""
    good = {GOOD: mark("No test found a fault.")}
    return good | {name: test.text for name, test in ordered_tests().items()}


def words() -> dict[str, str]:
    """Return the short word for each verdict, for tables."""
    return {GOOD: mark("good")} | {
        name: test.word for name, test in ordered_tests().items()
    }


def judge(evidence: Evidence, limits: Health) -> pl.DataFrame:
    """Return VERDICTS, one per period: the first failed test, or `good`."""
    found = [_judge(of_audience, limits) for of_audience in evidence.apart()]
    return pl.concat([frames.empty(VERDICTS), *found]).sort(_KEY)


def _judge(evidence: Evidence, limits: Health) -> pl.DataFrame:
    left, found = evidence.periods.select("channel_id", "began", "day", "complete"), []
    of_counts = evidence.siblings.filter(counted())
    for test in ordered_tests().values():
        failed = test.find(evidence, limits)
        if failed.is_empty():
            continue
        siblings = of_counts if test.counts else evidence.siblings
        named = attribute(failed, siblings, test.levels).with_columns(
            verdict=pl.lit(test.name)
        )
        found.append(check(named.join(left, on=_KEY), VERDICTS))
        left = left.join(failed, on=_KEY, how="anti")
    good = left.with_columns(
        verdict=pl.lit(GOOD),
        value=pl.lit(None, pl.Float64),
        threshold=pl.lit(None, pl.Float64),
        level=pl.lit(None, pl.String),
    )
    return pl.concat([*found, check(good, VERDICTS)])
