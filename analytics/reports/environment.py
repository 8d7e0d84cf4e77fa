"""The reports of a site's environment: air, noise, wind, water, and the traffic.

What a page shows and what the API answers is computed by the same functions: `air_of`,
`noise_of` and `wind_of` from hours that are read already, the others from a site and a
period.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar, cast

import polars as pl

from analytics import frames
from analytics.environment import gauges, humidity, indices, limits, noise, rls19, wind
from analytics.environment.with_traffic import (
    Effect,
    class_means,
    effects,
    increments,
)
from analytics.flow.inputs import MIN_WHOLE
from analytics.quality import suspected
from analytics.quality.passport import Passport
from analytics.reports.extracts import ALL
from analytics.reports.periods import Period
from analytics.reports.suspected import read_suspected
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.storage.case_lists import list_open_cases
from verkehrspuls.storage.doubts import list_ambiguous_hours
from verkehrspuls.storage.environment import read_environment, read_long_environment
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import Channel, Site
from verkehrspuls.storage.volumes import read_volumes

MAX_PERIOD_DAYS: Final = 366
#: Running means of the first hours of a period reach so far before it.
LOOK_BACK: Final = timedelta(hours=24)
#: Particles whose values are corrected for the humidity of the air.
_PARTICLES: Final = ("pm10_ugm3", "pm25_ugm3")
#: Minimum observed share of an hour whose traffic is compared with the air.
_MIN_OBSERVED: Final = 0.75

Figures = TypeVar("Figures")


@dataclass(frozen=True, slots=True)
class Air:
    """How good the air was, and how it compares with limits."""

    index: indices.Index
    #: INDEX_HOURS
    hours: pl.DataFrame
    #: COMPARISON of each `quantity`
    comparison: pl.DataFrame

    @property
    def classes(self) -> pl.DataFrame:
        """CLASS_HOURS of the hours."""
        return indices.class_hours(self.hours, self.index)


@dataclass(frozen=True, slots=True)
class Corrected:
    """Particles corrected for the humidity of the air."""

    parameters: humidity.Parameters
    #: hours of each `quantity`
    hours: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Noise:
    """How loud days were, and the period."""

    #: NOISE_DAYS
    days: pl.DataFrame
    #: a row per channel, from `noise.noise_levels`
    levels: pl.DataFrame

    @property
    def months(self) -> pl.DataFrame:
        """A row per channel and month, from `noise.noise_months`."""
        return noise.noise_months(self.days)


@dataclass(frozen=True, slots=True)
class Emission:
    """What the traffic emits beside what is measured."""

    attenuation_db: float | None
    hours: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Gauge:
    """Where a gauge stands."""

    channel: str
    thresholds: Mapping[str, float]
    #: the highest threshold that is reached
    reached: str | None
    crossings: pl.DataFrame
    #: a row of TRENDS, where anything is known
    newest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dependence:
    """How a concentration goes with the traffic and the wind."""

    hours: int
    mean: float | None
    #: CLASS_MEANS by term
    by: Mapping[str, pl.DataFrame]
    effects: Sequence[Effect]


@dataclass(frozen=True, slots=True)
class WithPassports(Generic[Figures]):
    """Figures, and where each quantity of them comes from."""

    figures: Figures
    passports: Mapping[str, Passport]


@dataclass(frozen=True, slots=True)
class Report(Generic[Figures]):
    """Figures of a site in a period."""

    site: Site
    period: Period
    found: WithPassports[Figures]
    #: the same without what is suspected to be of a sensor's fault, where any is
    without_suspected: WithPassports[Figures] | None


def look_back(quantity: str) -> timedelta:
    """Return how far before a period its running means need hours."""
    measured = any(quantity in index.ends for index in indices.INDICES.values())
    return LOOK_BACK if measured else timedelta(0)


def air_of(
    hours: Mapping[str, pl.DataFrame],
    long: Mapping[str, pl.DataFrame],
    *,
    index: indices.Index,
    since: datetime | None,
) -> Air:
    """Judge the air since a time, which ENVIRONMENT_HOURS reach back before.

    None is since the first of the hours. `long` are LONG_VALUES, such as daily means,
    of quantities that have some.
    """
    known = {key: found.drop_nulls("mean") for key, found in hours.items()}
    judged = indices.index_hours(known, index)
    compared = [
        limits.compare(
            found, quantity, long=long.get(quantity), since=since
        ).with_columns(quantity=pl.lit(quantity))
        for quantity, found in known.items()
        if quantity in index.ends
    ]
    nothing = pl.DataFrame(schema={**limits.COMPARISON, "quantity": pl.String()})
    return Air(
        index,
        judged if since is None else judged.filter(pl.col("time") >= since),
        pl.concat([nothing, *compared]),
    )


def noise_of(hours: pl.DataFrame, *, time_zone: str) -> Noise:
    """Return how loud days were, from ENVIRONMENT_HOURS."""
    days = noise.noise_days(hours, time_zone=time_zone)
    return Noise(days, noise.noise_levels(days))


def wind_of(
    speeds: pl.DataFrame, directions: pl.DataFrame, values: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Count hours by where the wind blew from (ROSE), from hours of both quantities.

    `values` (`time`, `mean`) are averaged beside them.
    """
    both = (
        over_channels(speeds, "wind_ms")
        .rename({"mean": "speed"})
        .join(
            over_channels(directions, "wind_deg").rename({"mean": "direction"}),
            on="time",
        )
    )
    return wind.rose(both, values)


def over_channels(hours: pl.DataFrame, quantity: str) -> pl.DataFrame:
    """Average the hours of a site's channels: `time`, `mean`."""
    value = pl.col("mean")
    over = {
        "energetic": noise.energetic_mean(value),
        # of two vanes one has to do
        "circular": value.first(),
    }
    kind = ENVIRONMENT[quantity].mean
    return (
        hours.drop_nulls("mean")
        .group_by("time", maintain_order=True)
        .agg(over.get(kind, value.mean()).alias("mean"))
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A site and a period of it, `trusted` without what is suspected."""

    store: Reader
    site: Site
    period: Period
    #: SUSPECTED of all quantities, in the period and what its means reach back to
    suspected: pl.DataFrame
    trusted: bool = False

    def channels(self, quantity: str) -> dict[str, int]:
        """Ids of the channels of a quantity, by key."""
        return {
            channel.key: channel.channel_id
            for channel in self.site.channels
            if channel.quantity == quantity
        }

    def hours(self, quantity: str, *, before: timedelta = timedelta(0)) -> pl.DataFrame:
        """Read ENVIRONMENT_HOURS, also some before, and their channel's key.

        Of an hour that a person excluded, its share (`excluded`) is all that is known.
        """
        with self.store.frames() as source:
            found = read_environment(
                source,
                site_id=self.site.site_id,
                quantity=quantity,
                start=self.period.start - before,
                end=self.period.end,
                trusted=self.trusted,
            )
        ids = self.channels(quantity)
        return found.with_columns(
            pl.col("channel")
            .replace_strict(ids, default=None, return_dtype=pl.Int32)
            .alias("channel_id"),
            (pl.col("observed") * 3600).round().cast(pl.Int32).alias("observed_s"),
        ).select(*frames.ENVIRONMENT_HOURS, "channel", "excluded")

    def long(self, quantity: str) -> pl.DataFrame:
        """Read LONG_VALUES: what lasted longer than an hour, such as daily means."""
        with self.store.frames() as source:
            found = read_long_environment(
                source,
                site_id=self.site.site_id,
                quantity=quantity,
                start=self.period.start,
                end=self.period.end,
                trusted=self.trusted,
            )
        return frames.check(found, frames.LONG_VALUES)

    def mean(self, quantity: str) -> pl.DataFrame:
        """Read the hours of a quantity of the site: `time`, `mean` over channels."""
        return over_channels(self.hours(quantity), quantity)

    def traffic(self) -> pl.DataFrame:
        """Read the hours of motor traffic in which no lane of the site is missing."""
        with self.store.frames() as source:
            found = read_volumes(
                source,
                site_id=self.site.site_id,
                quantity="motor",
                start=self.period.start,
                end=self.period.end,
                interval_s=3600,
                direction=ALL,
                trusted=self.trusted,
            )
        return found.filter(pl.col("observed") + pl.col("normalised") >= MIN_WHOLE)

    def suspects(
        self, *quantities: str, before: timedelta = timedelta(0)
    ) -> pl.DataFrame:
        """Choose what is suspected of quantities in the period, or shortly before."""
        return self.suspected.filter(
            pl.col("quantity").is_in(quantities),
            pl.col("until") > self.period.start - before,
        )

    def report(
        self,
        figures: Callable[["Asked"], WithPassports[Figures]],
        suspects: pl.DataFrame,
    ) -> Report[Figures]:
        """Report figures; without `suspects`, too, where any are."""
        both = suspected.both(
            lambda trusted: figures(replace(self, trusted=trusted)), suspects
        )
        return Report(self.site, self.period, *both)

    def passports(
        self,
        hours: dict[str, pl.DataFrame],
        *,
        cases: Iterable[int] = (),
        ambiguous_hours: Iterable[datetime] = (),
    ) -> dict[str, Passport]:
        """Make the passports of quantities that the site measures.

        `cases` and `ambiguous_hours` are those of what is set beside them.
        """
        return {
            quantity: Passport(
                observed=min(1.0, float(found["observed_s"].sum()) / 3600 / expected),
                normalised=0.0,
                imputed=0.0,
                excluded=min(1.0, float(found["excluded"].sum()) / expected),
                method=f"{ENVIRONMENT[quantity].mean} means of hours",
                cases=tuple(sorted({*self.cases(quantity), *cases})),
                suspected=self.suspected_share(quantity),
                ambiguous_hours=tuple(
                    sorted({*self.ambiguous_hours(quantity), *ambiguous_hours})
                ),
            )
            for quantity, found in hours.items()
            if (expected := self.period.hours * len(self.channels(quantity)))
        }

    def suspected_share(self, quantity: str) -> float:
        """What part of the period is suspected, and in the figures."""
        if self.trusted:
            return 0.0
        return suspected.share(
            self.suspects(quantity),
            start=self.period.start,
            end=self.period.end,
            channels=len(self.channels(quantity)),
        )

    def ambiguous_hours(self, *quantities: str) -> tuple[datetime, ...]:
        """Hours of the period in which nobody knows the times of readings."""
        with self.store.connection() as connection:
            return list_ambiguous_hours(
                connection,
                [(self.site.site_id, quantity, ALL) for quantity in quantities],
                start=self.period.start,
                end=self.period.end,
            )

    def cases(self, *quantities: str) -> tuple[int, ...]:
        """Numbers of the open cases of quantities that touch the period."""
        with self.store.connection() as connection:
            return list_open_cases(
                connection,
                [(self.site.site_id, quantity, ALL) for quantity in quantities],
                start=self.period.start,
                end=self.period.end,
            )


def ask(reader: Reader, site: Site, period: Period) -> Asked:
    """Read what is suspected of a site in a period."""
    with reader.connection() as connection:
        found = read_suspected(
            connection,
            [site.site_id],
            None,
            start=period.start - LOOK_BACK,
            end=period.end,
        )
    return Asked(reader, site, period, found)


def report_air(asked: Asked, index: indices.Index) -> Report[tuple[Air, Corrected]]:
    """Report the air of a site."""

    def figures(source: Asked) -> WithPassports[tuple[Air, Corrected]]:
        since = source.period.start
        read = {key: source.hours(key, before=LOOK_BACK) for key in index.ends}
        moist = source.hours("humidity_pct")
        in_period = {
            key: found.filter(pl.col("time") >= since) for key, found in read.items()
        }
        corrected = [
            humidity.correct(
                in_period[quantity].drop_nulls("mean"), moist
            ).with_columns(quantity=pl.lit(quantity))
            for quantity in _PARTICLES
        ]
        long = {key: source.long(key) for key in index.ends}
        return WithPassports(
            (
                air_of(read, long, index=index, since=since),
                Corrected(humidity.Parameters(), pl.concat(corrected)),
            ),
            source.passports({**in_period, "humidity_pct": moist}),
        )

    suspects = asked.suspects(*index.ends, "humidity_pct", before=LOOK_BACK)
    return asked.report(figures, suspects)


def report_noise(asked: Asked) -> Report[tuple[Noise, Emission]]:
    """Report the noise of a site, and what its traffic emits."""

    def figures(source: Asked) -> WithPassports[tuple[Noise, Emission]]:
        hours = source.hours("laeq_db")
        compared = rls19.compare(
            rls19.traffic_hours(source.traffic()), over_channels(hours, "laeq_db")
        )
        attenuation = (compared["emitted"] - compared["measured"]).median()
        return WithPassports(
            (
                noise_of(hours, time_zone=source.site.time_zone),
                Emission(cast("float | None", attenuation), compared),
            ),
            source.passports({"laeq_db": hours}),
        )

    return asked.report(figures, asked.suspects("laeq_db", "motor"))


def report_wind(asked: Asked, quantity: str | None) -> Report[pl.DataFrame]:
    """Report where the wind of a site blew from, and how fast (ROSE)."""

    def figures(source: Asked) -> WithPassports[pl.DataFrame]:
        values = None if quantity is None else source.mean(quantity)
        speed, direction = source.hours("wind_ms"), source.hours("wind_deg")
        return WithPassports(
            wind_of(speed, direction, values),
            source.passports({"wind_ms": speed, "wind_deg": direction}),
        )

    beside = () if quantity is None else (quantity,)
    return asked.report(figures, asked.suspects("wind_ms", "wind_deg", *beside))


def report_water_level(asked: Asked) -> Report[Sequence[Gauge]]:
    """Report where the gauges of a site stand."""

    def figures(source: Asked) -> WithPassports[Sequence[Gauge]]:
        hours = source.hours("water_level_cm")
        known = hours.drop_nulls("mean")
        trends = {row["channel_id"]: row for row in gauges.trends(known).to_dicts()}
        found = [
            _gauge(channel, known, trends.get(channel.channel_id, {}))
            for channel in source.site.channels
            if channel.quantity == "water_level_cm"
        ]
        return WithPassports(found, source.passports({"water_level_cm": hours}))

    return asked.report(figures, asked.suspects("water_level_cm"))


def _gauge(channel: Channel, known: pl.DataFrame, newest: Mapping[str, Any]) -> Gauge:
    thresholds = channel.thresholds
    mine = known.filter(pl.col("channel") == channel.key)
    return Gauge(
        channel.key,
        thresholds,
        gauges.reached(newest.get("level"), thresholds),
        gauges.crossings(mine, thresholds),
        newest,
    )


def report_dependence(
    asked: Asked, quantity: str, away: Asked | None
) -> Report[Dependence]:
    """Report how a concentration goes with traffic and wind.

    That of a site `away` from the road is subtracted, if there is one.
    """

    def figures(source: Asked) -> WithPassports[Dependence]:
        value = source.mean(quantity)
        beside = ("motor", "wind_ms")
        cases, unsure = source.cases(*beside), source.ambiguous_hours(*beside)
        if away is not None:
            elsewhere = replace(away, trusted=source.trusted).mean(quantity)
            cases += away.cases(quantity)
            unsure += away.ambiguous_hours(quantity)
            value = increments(value, elsewhere).select("time", mean="increment")
        together = _together(source, value)
        terms = [name for name in ("flow", "speed", "wind") if together[name].count()]
        return WithPassports(
            Dependence(
                together.height,
                cast("float | None", together["mean"].mean()),
                {name: class_means(together, "mean", on=name) for name in terms},
                effects(together, "mean", terms=terms),
            ),
            source.passports(
                {quantity: source.hours(quantity)}, cases=cases, ambiguous_hours=unsure
            ),
        )

    suspects = asked.suspects(quantity, "motor", "wind_ms")
    if away is not None:
        suspects = pl.concat([suspects, away.suspects(quantity)])
    return asked.report(figures, suspects)


def _together(asked: Asked, value: pl.DataFrame) -> pl.DataFrame:
    """Put flow, speed and wind beside the hours of a value."""
    traffic = (
        asked.traffic()
        .filter(pl.col("observed") >= _MIN_OBSERVED)
        .select(
            "time",
            flow=pl.col("volume") / pl.col("observed"),
            speed=pl.col("speed_kmh").cast(pl.Float64),
        )
    )
    beside = asked.mean("wind_ms").rename({"mean": "wind"})
    local = pl.col("time").dt.convert_time_zone(asked.site.time_zone)
    return (
        value.join(traffic, on="time")
        .join(beside, on="time", how="left")
        .sort("time")
        .drop_nulls("mean")
        .with_columns(day=local.dt.date())
    )
