"""What the hours of a site come to: profiles, directions and classes."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.flow import classes, directions, profiles
from analytics.flow.figure import Figure
from analytics.flow.inputs import passport_of_bins
from analytics.reports.site.asked import Asked
from analytics.reports.sources import HOUR_S, scheme_of
from verkehrspuls.calendar import day_end

#: Kinds of days whose usual course is shown.
DAY_TYPES: Final = ("workday", "saturday", "sunday_or_holiday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charted:
    """Charts of the hours that count, of each direction and of all (`all`)."""

    #: FLOW_BINS of the cross-section's hours
    hours: pl.DataFrame
    #: DAY_PROFILE of DAY_TYPES by `direction`
    day_profiles: pl.DataFrame
    #: WEEK_PROFILE of all directions
    week_profile: pl.DataFrame
    #: DIRECTIONS: what was counted by direction
    directions: pl.DataFrame
    #: CLASS_VOLUMES of the classes that are known, with their share of these, and of
    #: heavy traffic; no rows where the sensors distinguish none
    classes: pl.DataFrame
    heavy_share: Figure

    @property
    def has_holidays(self) -> bool:
        """Whether public holidays are left out of the week."""
        known = pl.col("flow").is_not_null() & pl.col("holiday")
        return bool(self.hours.select(known.any()).item())


def charted(
    asked: Asked, volumes: pl.DataFrame, *, hours: pl.DataFrame, each: pl.LazyFrame
) -> Charted:
    """Profile the hours up to the last day that has ended, and sum their classes.

    Of a period without such a day the hours are taken as they are. `volumes` are those
    of hours, `hours` FLOW_BINS of the cross-section, `each` those of each direction.
    """
    until = asked.end
    if asked.ended >= asked.first:
        until = day_end(asked.ended, asked.zone)
    if until < asked.end:
        before = pl.col("time") < until
        hours, each = hours.filter(before), each.filter(before)
    scheme = scheme_of(asked.site, asked.channels, start=asked.start, end=until)
    by_class = classes.volumes_of(hours, quantity=asked.quantity or "", scheme=scheme)
    return Charted(
        hours=hours,
        day_profiles=profiles.day_profiles(each, types=DAY_TYPES),
        week_profile=profiles.week_table(hours),
        directions=directions.by_direction(volumes),
        classes=by_class.filter(
            pl.col("name") != "total", pl.col("volume").is_not_null()
        ),
        heavy_share=classes.share_of(
            hours,
            "heavy",
            scheme=scheme,
            passport=passport_of_bins(
                hours,
                method=classes.METHOD,
                expected=int((until - asked.start).total_seconds() // HOUR_S),
            ),
        ),
    )
