"""One causal anomaly score for counts of many series: is there a fault or an event?

Three parts, each in its file: what is usual (`traffic_usual`), what the network does at
the same time (`traffic_network`), and what state of the counter explains the counts up
to now (`traffic_states`). The score of a row depends on rows of its time and before it
only; the state can be carried on, so that live rows are judged like those of a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.anomalies import traffic_network as network
from analytics.anomalies.traffic_states import (
    KIND_OF,
    KINDS,
    Expected,
    Filter,
    likelihood,
)
from analytics.anomalies.traffic_usual import ACCEPTED_D, SUNDAY, Memory, Usual
from analytics.frames import TRAFFIC_SCORES, check

Floats = npt.NDArray[np.float64]

#: Tells of a date whether it is a holiday.
Holiday = Callable[[date], bool]

DAY_S: Final = 86_400
#: From this probability of a shift on, averaged over a day, a day is one of trouble.
TROUBLE: Final = 0.5
#: A day taken for a Sunday with this probability is remembered as one.
SURE: Final = 0.9


@dataclass(slots=True)
class _Day:
    """What is worked out once a day, and what adds up in its course."""

    number: int
    usual: list[Usual]
    spread: Floats
    trust: Floats
    evidence: Floats
    shifted: Floats
    steps: int = 0


class Traffic:
    """The state of the score: judges rows in order of time, as many at once as come."""

    def __init__(self, interval_s: int, *, holiday: Holiday | None = None) -> None:
        self.interval_s = interval_s
        self._holiday = holiday
        self._keys: dict[object, int] = {}
        self._memory = Memory(DAY_S // interval_s)
        self._filter = Filter()
        self._troubled = np.zeros(0, np.int64)
        self._day: _Day | None = None
        self._last_step: int | None = None

    def push(self, rows: pl.DataFrame, *, zone: str | None = None) -> pl.DataFrame:
        """Judge rows of `key`, `time`, `value`; give TRAFFIC_SCORES and the key.

        `zone` is the local clock of aware times; naive times are local already. All
        rows of one time belong into one call, and no row may be earlier than those
        before; of two rows of a key in one interval, the greater value is taken.
        """
        times = rows["time"].unique().sort()
        local = times if zone is None else times.dt.convert_time_zone(zone)
        clock = pl.DataFrame(
            {
                "time": times,
                "step": times.dt.epoch("s") // self.interval_s,
                "day": local.dt.date().to_physical(),
                "slot": (
                    local.dt.hour().cast(pl.Int64) * 3600
                    + local.dt.minute().cast(pl.Int64) * 60
                )
                // self.interval_s,
            }
        )
        placed = rows.select("key", "time", "value").join(
            clock, on="time", maintain_order="left"
        )
        found = [
            self._judge_day(part)
            for part in placed.sort("step", "key").partition_by(
                "day", maintain_order=True
            )
        ]
        place = {name: rows.schema[name] for name in ("key", "time")}
        return check(pl.concat(found), {**place, **TRAFFIC_SCORES})

    def _judge_day(self, rows: pl.DataFrame) -> pl.DataFrame:
        self._welcome(rows["key"].unique(maintain_order=True))
        number = int(rows["day"][0])
        if self._day is None or self._day.number != number:
            self._turn(number)
        steps = rows.unique("step", maintain_order=True)
        column = steps.select("step", column=pl.int_range(pl.len()))
        rows = rows.join(column, on="step", maintain_order="left")
        series = np.array([self._keys[key] for key in rows["key"]])
        place = (series, rows["column"].to_numpy())
        counts = np.full((len(self._keys), steps.height), -np.inf)
        values = rows["value"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        np.maximum.at(counts, place, np.where(np.isnan(values), -np.inf, values))
        counts[counts < 0] = np.nan
        score, kind, expected = self._judge(
            counts, steps["step"].to_numpy(), steps["slot"].to_numpy()
        )
        return rows.with_columns(
            score=pl.Series(score[place]),
            usual=pl.Series(expected[place]).fill_nan(None),
            kind=pl.Series([KINDS[one] for one in kind[place]], dtype=pl.String),
        )

    def _welcome(self, keys: pl.Series) -> None:
        for key in keys:
            self._keys.setdefault(key, len(self._keys))
        size = len(self._keys)
        new = size - len(self._troubled)
        if not new:
            return
        self._memory.grow(size)
        self._filter.grow(size)
        self._troubled = np.pad(self._troubled, (0, new))
        if self._day:
            day = self._day
            day.trust = np.pad(day.trust, (0, new), constant_values=1.0)
            day.shifted = np.pad(day.shifted, (0, new))
            self._look_back(day)

    def _turn(self, number: int) -> None:
        """End a day and begin another."""
        if self._day:
            self._end(self._day)
        size = len(self._keys)
        self._memory.begin(number)
        kinds = 1 if self._kind(number) == SUNDAY else 3
        self._day = _Day(
            number,
            [],
            np.empty(0),
            self._filter.normal,
            np.zeros(kinds),
            np.zeros(size),
        )
        self._look_back(self._day)

    def _look_back(self, day: _Day) -> None:
        kinds = [self._kind(day.number), SUNDAY, SUNDAY - 1][: len(day.evidence)]
        day.usual = [self._memory.usual(day.number, kind) for kind in kinds]
        day.spread = self._memory.spread(day.number, day.usual[0].volume)

    def _kind(self, number: int) -> int:
        day = date(1970, 1, 1) + timedelta(days=number)
        return SUNDAY if self._holiday and self._holiday(day) else day.weekday()

    def _end(self, day: _Day) -> None:
        chance = network.chances(day.evidence[:, None])[0, 0]
        self._memory.end(
            day.number, self._kind(day.number) if chance > 1 - SURE else SUNDAY
        )
        troubled = day.shifted > TROUBLE * max(day.steps, 1)
        self._troubled = np.where(troubled, self._troubled + 1, 0)
        accepted = self._troubled >= ACCEPTED_D
        if accepted.any():
            self._memory.accept(accepted, day.number)
            self._filter.recover(accepted)
            self._troubled[accepted] = 0

    def _judge(
        self,
        counts: Floats,
        steps: npt.NDArray[np.int64],
        slots: npt.NDArray[np.int64],
    ) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
        day = self._day
        assert day  # noqa: S101 - set by _turn
        spread = day.spread[:, slots]
        usual = [Usual(one.volume[:, slots], one.days[:, slots]) for one in day.usual]
        seen = [network.ratio(counts, one, spread, day.trust) for one in usual]
        evidence = day.evidence[:, None] + np.cumsum(network.evidence(seen), axis=1)
        day.evidence = evidence[:, -1]
        chances = network.chances(evidence)
        likely = chances.argmax(axis=0)
        mean = np.exp(
            sum(
                chance * np.log(one.expected)
                for chance, one in zip(chances, seen, strict=True)
            )
        )
        columns = np.arange(len(steps))
        days = np.stack([one.days for one in usual])[likely, :, columns].T
        ratio = np.stack([one.network for one in seen])[likely, :, columns].T
        judged = np.isfinite(counts) & (days > network.FEWEST_DAYS)
        expected = Expected(counts, mean, spread, days, judged)
        weighed = likelihood(expected)
        score = np.zeros_like(counts)
        kind = np.zeros(counts.shape, np.int64)
        shift = KINDS.index("level-shift") == KIND_OF
        for column, (step, slot) in enumerate(zip(steps, slots, strict=True)):
            since = step - (
                self._last_step if self._last_step is not None else step - 1
            )
            hours = min(since, 10**4) * self.interval_s / 3600
            score[:, column] = self._filter.step(expected, weighed, column, hours=hours)
            faults = self._filter.faults
            kind[:, column] = np.add.reduceat(
                faults, np.flatnonzero(np.diff(KIND_OF, prepend=-1))
            ).argmax(axis=0)
            day.shifted += faults[shift].sum(axis=0)
            unusual = np.log(np.median(ratio[:, column])) / 0.5
            self._memory.keep(
                day.number,
                int(slot),
                volume=counts[:, column],
                trust=self._filter.normal * np.exp(-(unusual**2)),
                usual=mean[:, column],
                network=ratio[:, column],
                spread=spread[:, column],
            )
            self._last_step = step
        day.steps += len(steps)
        return score, kind, np.where(days > network.FEWEST_DAYS, mean, np.nan)


def scores(
    rows: pl.DataFrame,
    *,
    interval_s: int = 3600,
    zone: str | None = None,
    holiday: Holiday | None = None,
) -> pl.DataFrame:
    """Judge all rows of `key`, `time`, `value` of one network; in order of time."""
    return Traffic(interval_s, holiday=holiday).push(rows, zone=zone)
