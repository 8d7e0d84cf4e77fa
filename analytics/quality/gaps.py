"""Gaps: the acceptable silence of a channel within an hour, by its volume."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The longest acceptable gap in minutes, by volume in vehicles per hour.

    `minutes[0]` is accepted below `volumes[0]`, `minutes[1]` from there on, and so on.
    The default is that of Toronto's volume pipeline (`gapsize_lookup`), which takes the
    mean of sixty days for the volume; here it is the usual volume of the hour.
    """

    volumes: Sequence[float] = (100, 500, 1500)
    minutes: Sequence[float] = (20, 15, 10, 5)

    def seconds(self, volume: pl.Expr) -> pl.Expr:
        """Return the longest acceptable gap in seconds for a volume per hour.

        For an unknown volume the shortest, so that no unacceptable gap is accepted.
        """
        found = pl.lit(self.minutes[-1] * _MINUTE_S)
        for below, minutes in reversed(
            list(zip(self.volumes, self.minutes, strict=False))
        ):
            found = pl.when(volume < below).then(minutes * _MINUTE_S).otherwise(found)
        return found
