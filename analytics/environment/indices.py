"""Air quality indices by name and version: the worst pollutant of an hour decides.

The upper end of a class belongs to the class. If the ends are published as whole
numbers (0-10, 11-30), values are first rounded half up. A pollutant without value is
left out, and the index called incomplete.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.environment.averages import MIN_CAPTURE, running_means, valid_hours
from analytics.frames import TIME, Schema, check
from verkehrspuls.quantities import ENVIRONMENT, Classes
from verkehrspuls.text import mark as _


@dataclass(frozen=True, slots=True)
class Index:
    """An air quality index in one version."""

    key: str
    name: str
    #: the names of its classes, best first
    classes: tuple[str, ...]
    #: whether class ends are whole numbers
    whole: bool
    source: str
    #: the order in which its quantities are listed; others follow
    order: tuple[str, ...]

    @property
    def ends(self) -> Mapping[str, tuple[float, ...]]:
        """Upper ends of all classes except the last, by quantity, in its unit."""
        return {key: found.ends for key, found in self._judged()}

    @property
    def over_a_day(self) -> frozenset[str]:
        """Quantities judged by their mean over the last 24 hours, not by the hour."""
        return frozenset(key for key, found in self._judged() if found.over_a_day)

    def _judged(self) -> Iterator[tuple[str, Classes]]:
        listed = (key for key in self.order if key in ENVIRONMENT)
        for key in dict.fromkeys((*listed, *ENVIRONMENT)):
            for found in ENVIRONMENT[key].classes:
                if found.index == self.key:
                    yield key, found


_UBA: Final = (_("very good"), _("good"), _("moderate"), _("poor"), _("very poor"))
_EUROPEAN: Final = (
    _("good"),
    _("fair"),
    _("moderate"),
    _("poor"),
    _("very poor"),
    _("extremely poor"),
)
_UBA_ORDER: Final = ("pm10_ugm3", "pm25_ugm3", "o3_ugm3", "no2_ugm3", "so2_ugm3")
_EUROPEAN_ORDER: Final = ("pm25_ugm3", "pm10_ugm3", "no2_ugm3", "o3_ugm3", "so2_ugm3")

#: The index of pages, and the default of the API.
SHOWN: Final = "uba-2025"

INDICES: Final = {
    index.key: index
    for index in (
        Index(
            "uba-2025",
            _("Air quality index of the Umweltbundesamt"),
            _UBA,
            True,
            "umweltbundesamt.de/en/node/73614",
            _UBA_ORDER,
        ),
        Index(
            "european-2025",
            _("European air quality index"),
            _EUROPEAN,
            True,
            "airindex.eea.europa.eu",
            _EUROPEAN_ORDER,
        ),
        Index(
            "european-2017",
            _("European air quality index (until 2025)"),
            _EUROPEAN,
            False,
            "airindex.eea.europa.eu, as published until 2025",
            _EUROPEAN_ORDER,
        ),
    )
}

#: `level` counts the classes from 0, the best; `decides` is the quantity that it is
#: from, `missing` are those without a value.
INDEX_HOURS: Final[Schema] = {
    "time": TIME,
    "level": pl.Int32(),
    "decides": pl.String(),
    "missing": pl.List(pl.String()),
}
#: The number of hours of each class of an index, and their share of all hours.
CLASS_HOURS: Final[Schema] = {
    "level": pl.Int32(),
    "hours": pl.Int32(),
    "share": pl.Float64(),
}
#: INDEX_HOURS of the newest hour of sites.
INDEX_SITES: Final[Schema] = {"site_id": pl.Int32(), **INDEX_HOURS}


def index_hours(hours: Mapping[str, pl.DataFrame], index: Index) -> pl.DataFrame:
    """Judge the hours of a site (INDEX_HOURS) from ENVIRONMENT_HOURS by quantity.

    Of several channels of a quantity the highest counts. An hour is valid with three
    quarters observed, a mean over 24 hours with 18 of them. An hour without any value
    has no row.
    """
    means = [
        _means(hours[quantity], over_a_day=quantity in index.over_a_day).select(
            "time", "mean", quantity=pl.lit(quantity)
        )
        for quantity in index.ends
        if quantity in hours
    ]
    nothing = pl.DataFrame(
        schema={"time": TIME, "mean": pl.Float64, "quantity": pl.String}
    )
    return check(_worst(pl.concat([nothing, *means]), index), INDEX_HOURS)


def class_hours(judged: pl.DataFrame, index: Index) -> pl.DataFrame:
    """Count INDEX_HOURS by class (CLASS_HOURS), with a row for each class."""
    counted = judged.group_by("level").agg(hours=pl.len().cast(pl.Int32))
    levels = pl.Series("level", range(len(index.classes)), pl.Int32).to_frame()
    found = levels.join(counted, on="level", how="left", maintain_order="left")
    return check(
        found.with_columns(pl.col("hours").fill_null(0)).with_columns(
            share=pl.col("hours") / pl.col("hours").sum()
        ),
        CLASS_HOURS,
    )


def index_of_sites(newest: pl.DataFrame, index: Index) -> pl.DataFrame:
    """Judge one hour of each site (INDEX_SITES); only of an index of single hours.

    `newest` are ENVIRONMENT_HOURS with `site_id` and `quantity`.
    """
    if index.over_a_day:
        raise ValueError(f"{index.key} needs the hours of a day")
    if newest.is_empty():
        # most towns have no station, and a query of no rows takes as long as of a few
        return pl.DataFrame(schema=INDEX_SITES)
    enough = newest.filter(pl.col("observed_s") >= MIN_CAPTURE * 3600)
    return check(_worst(enough, index, "site_id"), INDEX_SITES)


def _means(hours: pl.DataFrame, *, over_a_day: bool) -> pl.DataFrame:
    """Return the means that are judged, by the hour."""
    if over_a_day:
        last_hour = pl.col("ended") - pl.duration(hours=1)
        return running_means(hours, length=24).with_columns(time=last_hour)
    return valid_hours(hours)


def _worst(means: pl.DataFrame, index: Index, *by: str) -> pl.DataFrame:
    """Let the worst quantity of each time decide, and its highest mean; also `by` more.

    A query for all quantities: each query of a few rows takes as long.
    """
    key = [*by, "time"]
    last = [False] * len(key)
    highest = pl.col("mean").max()
    levels = (
        pl.when(pl.col("quantity") == quantity).then(
            # classes whose upper end is below it
            pl.sum_horizontal(pl.col("mean") > end for end in ends)
        )
        for quantity, ends in index.ends.items()
    )
    return (
        means.lazy()
        .group_by(*key, "quantity")
        .agg((highest + 0.5).floor() if index.whole else highest)
        .select(*key, "quantity", level=pl.coalesce(levels).cast(pl.Int32))
        .sort(*key, "level", "quantity", descending=[*last, True, False])
        .group_by(*key, maintain_order=True)
        .agg(
            pl.col("level").first(),
            pl.col("quantity").first().alias("decides"),
            pl.lit(pl.Series([sorted(index.ends)]))
            .first()
            .list.set_difference(pl.col("quantity").implode())
            .first()
            .list.sort()
            .alias("missing"),
        )
        .collect()
    )
