"""The hours of a site, as reports of air, noise, wind and water start from them."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from analytics import frames
from analytics.environment import noise
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
from verkehrspuls.storage.volumes import read_volumes

LONGEST_DAYS: Final = 366
#: Running means of the first hours of a period reach so far before it.
LOOK_BACK: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Asked:
    """A site and a period of it, `trusted` without what is suspected."""

    store: Reader
    site: dict[str, Any]
    period: Period
    #: SUSPECTED of all quantities, in the period and what its means reach back to
    suspected: pl.DataFrame
    trusted: bool = False

    def channels(self, quantity: str) -> dict[str, int]:
        """Ids of the channels of a quantity, by key."""
        return {
            channel["key"]: channel["channel_id"]
            for channel in self.site["channels"]
            if channel["quantity"] == quantity
        }

    def hours(self, quantity: str, *, before: timedelta = timedelta(0)) -> pl.DataFrame:
        """Read ENVIRONMENT_HOURS, also some before, and their channel's key.

        Of an hour that a person excluded, its share (`excluded`) is all that is known.
        """
        with self.store.frames() as url:
            found = read_environment(
                url,
                site_id=self.site["site_id"],
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
        with self.store.frames() as url:
            found = read_long_environment(
                url,
                site_id=self.site["site_id"],
                quantity=quantity,
                start=self.period.start,
                end=self.period.end,
                trusted=self.trusted,
            )
        return frames.check(found, frames.LONG_VALUES)

    def mean(self, quantity: str) -> pl.DataFrame:
        """Read the hours of a quantity of the site: `time`, `mean` over channels."""
        value = pl.col("mean")
        over_channels = {
            "energetic": noise.energetic_mean(value),
            # of two vanes one has to do
            "circular": value.first(),
        }
        kind = ENVIRONMENT[quantity].mean
        return (
            self.hours(quantity)
            .drop_nulls("mean")
            .group_by("time", maintain_order=True)
            .agg(over_channels.get(kind, value.mean()).alias("mean"))
        )

    def traffic(self) -> pl.DataFrame:
        """Read the hours of motor traffic in which no lane of the site is missing."""
        with self.store.frames() as url:
            found = read_volumes(
                url,
                site_id=self.site["site_id"],
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

    def answer(
        self, figures: Callable[["Asked"], dict[str, Any]], suspects: pl.DataFrame
    ) -> dict[str, Any]:
        """Put an answer together; without `suspects`, too, where any are."""
        found, without = suspected.both(
            lambda trusted: figures(replace(self, trusted=trusted)), suspects
        )
        return {
            "municipality": self.site["municipality"],
            "simulated": self.site["simulated"],
            "site": self.site["key"],
            "from_": self.period.start,
            "to": self.period.end,
            **found,
            "without_suspected": without,
        }

    def passports(
        self,
        hours: dict[str, pl.DataFrame],
        *,
        cases: Iterable[int] = (),
        ambiguous_hours: Iterable[datetime] = (),
    ) -> dict[str, dict[str, Any]]:
        """Make the passports of quantities that the site measures.

        `cases` and `ambiguous_hours` are those of what is set beside them.
        """
        return {
            quantity: asdict(
                Passport(
                    observed=min(
                        1.0, float(found["observed_s"].sum()) / 3600 / expected
                    ),
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
                [(self.site["site_id"], quantity, ALL) for quantity in quantities],
                start=self.period.start,
                end=self.period.end,
            )

    def cases(self, *quantities: str) -> tuple[int, ...]:
        """Numbers of the open cases of quantities that touch the period."""
        with self.store.connection() as connection:
            return list_open_cases(
                connection,
                [(self.site["site_id"], quantity, ALL) for quantity in quantities],
                start=self.period.start,
                end=self.period.end,
            )


def ask(reader: Reader, site: dict[str, Any], period: Period) -> Asked:
    """Read what is suspected of a site in a period."""
    with reader.connection() as connection:
        found = read_suspected(
            connection,
            [site["site_id"]],
            None,
            start=period.start - LOOK_BACK,
            end=period.end,
        )
    return Asked(reader, site, period, found)
