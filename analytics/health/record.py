"""What a test of health is: one frozen record, at the end of its file."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from analytics.health.evidence import Evidence
from analytics.health.levels import OF_DEVICES, Levels
from verkehrspuls.settings import Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A test of health: its name, the meaning of a failure, and its function."""

    name: str
    #: place in the order of precedence: of several failed tests the first wins
    order: int
    #: the meaning of a failure, in a sentence and in a word or two; to be translated
    text: str
    word: str
    #: finds the FAILURES
    find: Callable[[Evidence, Health], pl.DataFrame]
    levels: Levels = OF_DEVICES
    #: whether only counting channels are siblings
    counts: bool = True
    #: whether the values of the whole day are suspected to be a sensor's fault
    is_fault: bool = False
