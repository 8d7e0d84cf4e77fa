"""What the routes of air, noise, wind and water read: the hours of a site."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import polars as pl
from fastapi import Depends

from analytics import frames
from analytics.environment import noise
from analytics.flow.inputs import WHOLE
from analytics.passport import Passport
from api.database import Database
from api.extracts import ALL
from api.parameters import From, MunicipalityKey, SiteKey, Store, To
from api.periods import Period, period
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.storage import series

LONGEST_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class Asked:
    """A site and a period of it."""

    store: Database
    site: dict[str, Any]
    period: Period

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
            found = series.environment(
                url,
                site_id=self.site["site_id"],
                quantity=quantity,
                start=self.period.start - before,
                end=self.period.end,
            )
        ids = self.channels(quantity)
        return found.with_columns(
            pl.col("channel")
            .replace_strict(ids, default=None, return_dtype=pl.Int32)
            .alias("channel_id"),
            (pl.col("observed") * 3600).round().cast(pl.Int32).alias("observed_s"),
        ).select(*frames.ENVIRONMENT_HOURS, "channel", "excluded")

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
            found = series.volumes(
                url,
                site_id=self.site["site_id"],
                quantity="motor",
                start=self.period.start,
                end=self.period.end,
                interval_s=3600,
                direction=ALL,
            )
        return found.filter(pl.col("observed") + pl.col("normalised") >= WHOLE)

    def answer(self, **parts: object) -> dict[str, Any]:
        """Put an answer together."""
        return {
            "municipality": self.site["municipality"],
            "site": self.site["key"],
            "from_": self.period.start,
            "to": self.period.end,
            **parts,
        }

    def passports(
        self, hours: dict[str, pl.DataFrame], *, cases: Iterable[int] = ()
    ) -> dict[str, dict[str, Any]]:
        """Make the passports of quantities that the site measures.

        `cases` are those of what is set beside them.
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
                )
            )
            for quantity, found in hours.items()
            if (expected := self.period.hours * len(self.channels(quantity)))
        }

    def cases(self, *quantities: str) -> tuple[int, ...]:
        """Numbers of the open cases of quantities that touch the period."""
        with self.store.connection() as connection:
            return series.open_cases(
                connection,
                [(self.site["site_id"], quantity, ALL) for quantity in quantities],
                start=self.period.start,
                end=self.period.end,
            )


def _ask(
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    from_: From = None,
    to: To = None,
) -> Asked:
    with store.connection() as connection:
        found = series.site(connection, municipality, site)
    now = datetime.now(UTC)
    return Asked(
        store,
        found,
        period(found, from_, to, now=now, days=30).at_most(LONGEST_DAYS),
    )


Ask = Annotated[Asked, Depends(_ask)]
