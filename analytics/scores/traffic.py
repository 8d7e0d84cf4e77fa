"""One causal anomaly score for counts of many series: is there a fault or an event?

Three parts, each in its file: usual volumes (`traffic_usual`), the deviation of the
network at the same time (`traffic_network`), and the state of the counter that explains
the counts so far (`traffic_states`). The score of a row depends only on rows of its
time and earlier; the state can be kept, so that live rows are judged like those of a
file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.frames import TRAFFIC_SCORES, check
from analytics.scores import traffic_network as network
from analytics.scores.traffic_states import (
    FIRST_OF_KIND,
    KINDS,
    Expected,
    Filter,
    likelihood,
)
from analytics.scores.traffic_usual import ACCEPT_AFTER_D, SUNDAY, Memory, Usual

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Returns whether a date is a holiday.
Holiday = Callable[[date], bool]

DAY_S: Final = 86_400
#: Minimum mean probability of a level shift over a day to count it as a day of trouble.
TROUBLE_PROBABILITY: Final = 0.5
#: Minimum probability for a day to be remembered as a Sunday.
SUNDAY_PROBABILITY: Final = 0.9
#: Rows of a table judged at once: bounds the memory.
ROWS_AT_ONCE: Final = 500_000
#: Deviation (logarithm) above which the network's days are hardly trusted.
NETWORK_DISTRUST: Final = 0.5
#: After a longer gap, a series is treated as unknown.
MAX_GAP_H: Final = 1000.0
#: Odds (base 10) to which lasting trouble decays, and the time constant in hours.
LASTING_ODDS: Final = 0.0
LASTING_DECAY_H: Final = 168.0
#: Odds at which the score is 0.5, and further odds at which it is 0.75.
ALARM_ODDS: Final = 2.5
ODDS_SCALE: Final = 2.0


@dataclass(slots=True)
class _Day:
    """Data computed once a day, and sums over its course."""

    number: int
    kinds: list[int]
    usual: list[Usual]
    spread: Floats
    #: probability that a series was normal at the start of the day
    trust: Floats
    evidence: Floats
    #: sum of the probability of a level shift
    shifted: Floats
    steps: int = 0


class Traffic:
    """State of the score: judges rows in order of time, any number at once."""

    def __init__(self, interval_s: int, *, holiday: Holiday | None = None) -> None:
        self.interval_s = interval_s
        self._holiday = holiday
        self._keys: dict[object, int] = {}
        self._memory = Memory(DAY_S // interval_s)
        self._filter = Filter()
        self._tired = np.zeros(0)
        self._troubled = np.zeros(0, np.int64)
        self._day: _Day | None = None
        self._last_step: int | None = None

    def push(self, rows: pl.DataFrame, *, zone: str | None = None) -> pl.DataFrame:
        """Judge rows of `key`, `time`, `value`; return TRAFFIC_SCORES in their order.

        `zone` is the local clock of aware times; naive times are local already. All
        rows of one time belong in one call, and no row may be earlier than those of
        earlier calls; of two rows of a key in one interval, the greater value is used.
        """
        self._add_series(rows)
        clock = self._clock(rows["time"].unique().sort(), zone)
        number = pl.DataFrame(
            {"key": list(self._keys), "series": range(len(self._keys))},
            schema={"key": rows.schema["key"], "series": pl.Int64},
        )
        placed = (
            rows.select("key", "time", pl.col("value").cast(pl.Float64))
            .join(clock, on="time", how="left", maintain_order="left")
            .join(number, on="key", how="left", maintain_order="left")
        )
        series, column = placed["series"].to_numpy(), placed["column"].to_numpy()
        value = placed["value"].fill_null(np.nan).to_numpy()
        odds, usual = np.zeros(len(rows)), np.zeros(len(rows))
        score, kind = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
        order = np.argsort(placed["day"].to_numpy(), kind="stable")
        days = clock.unique("step", maintain_order=True).partition_by("day")
        sizes = placed["day"].value_counts().sort("day")["count"]
        pieces = np.split(order, np.cumsum(sizes))[:-1]
        for day, here in zip(days, pieces, strict=True):
            counts = np.full((len(self._keys), day.height), -1.0)
            place = (series[here], column[here])
            np.maximum.at(counts, place, np.nan_to_num(value[here], nan=-1.0))
            counts[counts < 0] = np.nan
            self._begin_day(int(day["day"][0]))
            found = self._judge(counts, day["step"].to_numpy(), day["slot"].to_numpy())
            for whole, part in zip((score, odds, usual, kind), found, strict=True):
                whole[here] = part[place]
        return check(
            rows.with_columns(
                score=pl.Series(score),
                odds=pl.Series(odds),
                usual=pl.Series(usual).fill_nan(None),
                kind=pl.Series(kind).replace_strict(dict(enumerate(KINDS))),
            ),
            {**{name: rows.schema[name] for name in ("key", "time")}, **TRAFFIC_SCORES},
        )

    def _clock(self, times: pl.Series, zone: str | None) -> pl.DataFrame:
        """Return interval, local day, clock time and column of each time."""
        local = times if zone is None else times.dt.convert_time_zone(zone)
        second = local.dt.hour().cast(pl.Int64) * 3600 + local.dt.minute() * 60
        return pl.DataFrame(
            {
                "time": times,
                "step": times.dt.epoch("s") // self.interval_s,
                "day": local.dt.date().to_physical(),
                "slot": second // self.interval_s,
            }
        ).with_columns(
            column=pl.col("step").rank("dense").over("day").cast(pl.Int64) - 1
        )

    def _add_series(self, rows: pl.DataFrame) -> None:
        first = rows.group_by("key").agg(pl.col("time").min()).sort("time", "key")
        for key in first["key"]:
            self._keys.setdefault(key, len(self._keys))
        size = len(self._keys)
        new = size - len(self._tired)
        if not new:
            return
        self._memory.grow(size)
        self._filter.grow(size)
        self._tired = np.pad(self._tired, (0, new))
        self._troubled = np.pad(self._troubled, (0, new))
        if self._day:
            self._day.trust = np.pad(self._day.trust, (0, new), constant_values=1.0)
            self._day.shifted = np.pad(self._day.shifted, (0, new))
            self._look_back(self._day)

    def _begin_day(self, number: int) -> None:
        """End the current day and start another one, if it differs."""
        if self._day and self._day.number == number:
            return
        if self._day:
            self._end_day(self._day)
        self._memory.begin(number)
        own = self._kind(number)
        kinds = [own] if own == SUNDAY else [own, SUNDAY, SUNDAY - 1]
        self._day = _Day(
            number=number,
            kinds=kinds,
            usual=[],
            spread=np.empty(0),
            trust=self._filter.normal,
            evidence=np.zeros(len(kinds)),
            shifted=np.zeros(len(self._keys)),
        )
        self._look_back(self._day)

    def _look_back(self, day: _Day) -> None:
        day.usual = self._memory.usual(day.number, day.kinds)
        day.spread = self._memory.spread(day.number, day.usual[0].volume)

    def _kind(self, number: int) -> int:
        day = date(1970, 1, 1) + timedelta(days=number)
        return SUNDAY if self._holiday and self._holiday(day) else day.weekday()

    def _end_day(self, day: _Day) -> None:
        as_weekday = network.chances(day.evidence[:, None])[0, 0]
        self._memory.end(
            day.number, day.kinds[0] if as_weekday > 1 - SUNDAY_PROBABILITY else SUNDAY
        )
        troubled = day.shifted > TROUBLE_PROBABILITY * day.steps
        self._troubled = np.where(troubled, self._troubled + 1, 0)
        accepted = self._troubled >= ACCEPT_AFTER_D
        if accepted.any():
            self._memory.accept(accepted, day.number)
            self._filter.recover(accepted)
            self._troubled[accepted] = 0

    def _judge(
        self, counts: Floats, steps: Ints, slots: Ints
    ) -> tuple[Floats, Floats, Floats, Ints]:
        """Judge counts (series by time); return score, odds, usual and kind."""
        day = self._day
        assert day  # noqa: S101 - set by _begin_day
        spread = day.spread[:, slots]
        usual = [Usual(one.volume[:, slots], one.days[:, slots]) for one in day.usual]
        seen = [network.ratio(counts, one, spread, day.trust) for one in usual]
        evidence = day.evidence[:, None] + np.cumsum(network.evidence(seen), axis=1)
        day.evidence = evidence[:, -1]
        chances = network.chances(evidence)
        logarithm = np.stack([np.log(one.expected) for one in seen])
        mean = np.exp((chances[:, None] * logarithm).sum(axis=0))
        likely, column = chances.argmax(axis=0), np.arange(len(steps))
        days = np.stack([one.days for one in usual])[likely, :, column].T
        ratio = np.stack([one.network for one in seen])[likely, :, column].T
        commotion = np.stack([one.commotion for one in seen])[likely, column]
        wide = spread * commotion
        judged = np.isfinite(counts) & (days > network.MIN_DAYS)
        expected = Expected(counts, mean, wide, days, judged)
        weighed = likelihood(expected)
        # a series without a past may not have begun yet
        known = ratio[(days > 0).any(axis=1)]
        unusual = (
            np.log(np.median(known, axis=0) if len(known) else 1.0) / NETWORK_DISTRUST
        )
        unusual = np.broadcast_to(unusual, len(steps))
        score, odds = np.zeros_like(counts), np.zeros_like(counts)
        masses = np.zeros((len(KINDS), *counts.shape))
        for at, (step, slot) in enumerate(zip(steps, slots, strict=True)):
            since = step - self._last_step if self._last_step else 1
            hours = min(since * self.interval_s / 3600, MAX_GAP_H)
            odds[:, at] = self._filter.step(expected, weighed, at, hours=hours)
            score[:, at] = self._decay(odds[:, at], hours)
            masses[:, :, at] = np.add.reduceat(self._filter.faults, FIRST_OF_KIND)
            self._memory.keep(
                day.number,
                int(slot),
                volume=counts[:, at],
                trust=self._filter.normal * np.exp(-(unusual[at] ** 2)),
                usual=mean[:, at],
                network=ratio[:, at],
                spread=wide[:, at],
            )
            self._last_step = int(step)
        day.shifted += masses[-1].sum(axis=1)
        day.steps += len(steps)
        young = days <= network.MIN_DAYS
        return score, odds, np.where(young, np.nan, mean), masses.argmax(axis=0)

    def _decay(self, odds: Floats, hours: float) -> Floats:
        """Turn odds into the score; a lasting deviation decays to `LASTING_ODDS`.

        Above `LASTING_ODDS`, odds count by (1 - t)², where t follows whether they are
        above it with a time constant of `LASTING_DECAY_H`.
        """
        above = odds - LASTING_ODDS
        fresh = LASTING_ODDS + above * (1 - self._tired) ** 2
        value = np.where(above > 0, fresh, odds) + 1e-3 * odds - ALARM_ODDS
        share = -np.expm1(-hours / LASTING_DECAY_H)
        self._tired = self._tired + share * ((above > 0) - self._tired)
        return np.asarray(0.5 + value / (2 * (ODDS_SCALE + np.abs(value))))


def scores(
    rows: pl.DataFrame,
    *,
    interval_s: int = 3600,
    zone: str | None = None,
    holiday: Holiday | None = None,
) -> pl.DataFrame:
    """Judge all rows of `key`, `time`, `value` of one network; in their order."""
    state = Traffic(interval_s, holiday=holiday)
    order = rows["time"].arg_sort().to_numpy()
    times = rows["time"][order]
    found: list[pl.DataFrame] = []
    first = 0
    while first < len(rows) or not found:
        last = min(first + ROWS_AT_ONCE, len(rows)) - 1
        until = times.search_sorted(times[last], side="right") if len(rows) else 0
        found.append(state.push(rows[order[first:until]], zone=zone))
        first = until
    given = np.empty_like(order)
    given[order] = np.arange(len(order), dtype=order.dtype)
    return pl.concat(found)[given]
